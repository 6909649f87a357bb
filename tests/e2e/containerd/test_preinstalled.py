"""The bundle where a runtime finds it: no container of a node is created before the plugin is there."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from . import serving
from .cri import SLOW
from .daemon import Containerd
from .kubelet import Kubelet, eventually
from .test_faults import now
from .test_placing import ONE, POLICY, ZERO

TREE: Final = Path(__file__).resolve().parents[3]
NAME: Final = "99-cpuplace"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `nox -s bundle` makes it."""
    folder = tmp_path_factory.mktemp("bundle") / "cpuplace-nri"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-compile",
        "--target",
        str(folder / "lib"),
        f"{TREE}[nri]",
    ]
    for words in (pip, [sys.executable, str(TREE / "deploy" / "bundle" / "build.py"), str(folder)]):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module", params=serving.NAMES)
def containerd(request: pytest.FixtureRequest, bundle: Path) -> Iterator[Containerd]:
    """One that was not started yet, with the plugin in its folder and a configuration beside it."""
    with serving.containerd(request.param, start=False) as found:
        (found.plugins / NAME).symlink_to(bundle / NAME)
        said = json.dumps({"policy": POLICY, "admin_socket": "", "widen_delay": 100, "socket": str(found.nri)})
        (found.base / "conf.d" / f"{NAME}.conf").write_text(said)
        yield found


@pytest.fixture
def kubelet(containerd: Containerd) -> Iterator[Kubelet]:
    """Pods of a runtime that has only just booted; it has the images of the boot before."""
    containerd.start()
    containerd.load()
    containerd.stop()
    containerd.start()
    with serving.kubelet(containerd) as found:
        yield found
    containerd.stop()


def plugins(containerd: Containerd) -> list[int]:
    """The processes that are children of this runtime and no shims."""
    threads = Path(f"/proc/{containerd.pid}/task").glob("*/children")
    return [int(word) for children in threads for word in children.read_text().split()]


def test_the_first_pod_after_a_boot_is_placed_and_a_restart_finds_it_so(
    containerd: Containerd, kubelet: Kubelet
) -> None:
    integer = kubelet.alone("train", cpus=1)
    shared = kubelet.alone("web", qos="burstable", cpus=0.5)
    assert now(kubelet, integer, shared) == (ZERO, ONE)
    containerd.stop()
    containerd.start()
    later = kubelet.alone("batch", qos="besteffort")
    assert now(kubelet, integer, shared, later) == (ZERO, ONE, ONE)


def test_it_ends_with_its_runtime(containerd: Containerd, kubelet: Kubelet) -> None:
    found = plugins(containerd)
    assert found
    containerd.stop()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in found), lambda: found, SLOW)
    containerd.start()
