"""Which NRI a runtime has, by what it says, and what that version can do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpuplace import BadInput
from cpuplace_nri.abilities import Abilities, Version
from cpuplace_nri.proto import nri_pb2 as nri

VERSIONS = st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(0, 40))


@pytest.mark.parametrize(
    ("said", "runtime", "version", "expected"),
    [
        ("", "containerd", "1.7.24~ds1", (0, 6, 1)),
        ("", "containerd", "1.7.25", (0, 6, 1)),
        ("", "containerd", "v1.7.26", (0, 8, 0)),
        ("", "containerd", "v2.0.0", (0, 8, 0)),
        ("", "containerd", "2.1.9+unknown", (0, 8, 0)),
        ("", "containerd", "v2.2.0", (0, 10, 0)),
        ("", "containerd", "v2.2.0-rc.1", (0, 8, 0)),
        ("", "containerd", "2.2.1~ds1", (0, 11, 0)),
        ("", "containerd", "v2.3.4", (0, 12, 0)),
        ("", "containerd", "v2.9.0", (0, 12, 0)),
        ("", "cri-o", "1.31.4", (0, 6, 1)),
        ("", "cri-o", "1.32.0", (0, 9, 0)),
        ("", "CRI-O", "1.34.1", (0, 10, 0)),
        ("", "cri-o", "1.35.0", (0, 11, 0)),
        ("0.12.0", "containerd", "v2.3.4", (0, 12, 0)),
        ("v0.12.2", "containerd", "v2.4.0-beta.0", (0, 12, 2)),
        ("v0.12.1-0.20260301101010-0123456789ab", "containerd", "v2.4.0-beta.0", (0, 12, 0)),
        ("0.13", "somebody", "", (0, 13, 0)),
        ("", "", "", (0, 6, 1)),
        ("unknown", "containerd", "unknown", (0, 6, 1)),
        ("(devel)", "containerd", "v2.3.4", (0, 12, 0)),
        ("", "somebody", "9.9.9", (0, 6, 1)),
    ],
)
def test_which_version_a_runtime_has(said: str, runtime: str, version: str, expected: Version) -> None:
    assert Abilities.of(said, runtime, version).nri == expected


@given(st.text(), st.sampled_from(["containerd", "cri-o", ""]) | st.text(), st.text())
def test_no_words_are_too_odd(said: str, runtime: str, version: str) -> None:
    assert Abilities.of(said, runtime, version).nri >= (0, 6, 1)


@given(st.sampled_from(["containerd", "cri-o"]), VERSIONS, VERSIONS)
def test_a_newer_runtime_can_no_less(runtime: str, one: Version, other: Version) -> None:
    older, newer = (Abilities.of("", runtime, ".".join(map(str, v))) for v in sorted((one, other)))
    assert older.nri <= newer.nri
    assert older.events <= newer.events


@pytest.mark.parametrize(
    ("version", "everything"),
    [((0, 6, 1), 0x7FF), ((0, 8, 0), 0x7FF), ((0, 9, 0), 0x7FF), ((0, 10, 0), 0x3FFF), ((0, 12, 2), 0x3FFF)],
)
def test_all_events_of_a_version(version: Version, everything: int) -> None:
    assert Abilities(version).mask(*range(20)) == everything


def test_a_mask_is_never_empty() -> None:
    with pytest.raises(BadInput, match="event mask"):
        Abilities((0, 8, 0)).mask(nri.VALIDATE_CONTAINER_ADJUSTMENT)
    with pytest.raises(BadInput, match="event mask"):
        Abilities((0, 12, 2)).mask()


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ((0, 6, 1), ()),
        ((0, 8, 0), ("chunks",)),
        ((0, 10, 0), ("chunks", "validation")),
        ((0, 12, 0), ("chunks", "validation", "own_calls", "memory_policy")),
        ((0, 12, 1), ("chunks", "validation", "own_calls", "memory_policy", "unsolicited")),
    ],
)
def test_what_a_version_can(version: Version, can: tuple[str, ...]) -> None:
    names = ("chunks", "validation", "own_calls", "memory_policy", "unsolicited")
    assert tuple(name for name in names if getattr(Abilities(version), name)) == can


def test_a_request_says_it_all() -> None:
    request = nri.ConfigureRequest(runtime_name="containerd", runtime_version="v2.3.4", NRI_version="0.12.1")
    assert Abilities.of_request(request) == Abilities((0, 12, 1))
