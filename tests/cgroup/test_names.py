"""What the path of a group says, in every layout; and ids that become names and come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.errors import BadInput
from cpuplace_cgroup.names import Name, folder_name, read_name, unit_of

UID = "1f2e3d4c-1111-2222-3333-444455556666"
SLICE = UID.replace("-", "_")
ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"kubepods/pod{UID}/{ID}", Name(container_id=ID, qos="guaranteed", pod=UID)),
        (f"kubepods/burstable/pod{UID}/{ID}", Name(container_id=ID, qos="burstable", pod=UID)),
        (f"kubepods/besteffort/pod{UID}/{ID}", Name(container_id=ID, qos="besteffort", pod=UID)),
        (
            f"kubepods.slice/kubepods-pod{SLICE}.slice/cri-containerd-{ID}.scope",
            Name(
                container_id=ID,
                qos="guaranteed",
                pod=UID,
                runtime="cri-containerd",
                unit=f"cri-containerd-{ID}.scope",
            ),
        ),
        (
            f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{SLICE}.slice/crio-{ID}.scope",
            Name(container_id=ID, qos="burstable", pod=UID, runtime="crio", unit=f"crio-{ID}.scope"),
        ),
        (
            f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE}.slice/x",
            Name(container_id="x", qos="besteffort", pod=UID),
        ),
        ("kubepods", Name(container_id="kubepods", qos="guaranteed", leaf=False)),
        ("kubepods/burstable", Name(container_id="kubepods/burstable", qos="burstable", leaf=False)),
        (f"kubepods/pod{UID}", Name(container_id=f"kubepods/pod{UID}", qos="guaranteed", pod=UID, leaf=False)),
        ("system.slice", Name(container_id="system.slice", unit="system.slice", leaf=False)),
        ("system.slice/nginx.service", Name(container_id="system.slice/nginx.service", unit="nginx.service")),
        (f"system.slice/docker-{ID}.scope", Name(container_id=ID, runtime="docker", unit=f"docker-{ID}.scope")),
        ("init.scope", Name(container_id="init.scope", unit="init.scope")),
        ("batch/job-1", Name(container_id="batch/job-1")),
        ("default%2Fweb%2Fmain", Name(container_id="default/web/main")),
    ],
)
def test_layouts(path: str, name: Name) -> None:
    assert read_name(path) == name


def test_what_is_above_the_root_counts_too() -> None:
    assert read_name("burstable/pod1/abc", above="kubepods") == read_name("kubepods/burstable/pod1/abc")
    assert read_name("x.scope", above="system.slice/docker.service").unit == ""


def test_what_a_unit_made_inside_is_not_systemds() -> None:
    assert [unit_of(f"system.slice/{path}") for path in ("a.service", "a.service/b.scope", "b")] == [
        "a.service",
        "",
        "",
    ]


@given(st.text(min_size=1, max_size=40))
def test_every_id_names_a_folder_that_says_it_again(key: str) -> None:
    try:
        name = folder_name(key)
    except BadInput as bad:
        assert "too long" in bad.problem
        return
    assert "/" not in name and "\n" not in name and "\0" not in name and name not in (".", "..")
    assert not name.startswith(("cgroup.", "cpuset.")) and not unit_of(name)
    assert read_name(name) == Name(container_id=key)


def test_an_id_too_long_to_be_a_name_is_refused() -> None:
    with pytest.raises(BadInput, match="too long to name a group"):
        folder_name("x" * 256)
