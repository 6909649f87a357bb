"""The test-bed itself, without any VM: what it asks of QEMU, its cache, and what it does when it cannot."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.bed import __main__ as bed_main
from e2e.bed import apt, guest, here, kernel, machine, qemu, runtimes, several, vm
from e2e.bed.beds import BEDS, Bed
from e2e.bed.guest import Job
from e2e.bed.kernel import Kernel
from e2e.bed.trouble import Died, Lacking

MIRROR = "bookworm Debian main http://mirror.example/debian/"


@pytest.mark.parametrize("bed", BEDS.values(), ids=list(BEDS))
def test_qemu_is_asked_for_every_cpu_node_and_distance(bed: Bed, tmp_path: Path) -> None:
    words = qemu.command(bed, kernel=tmp_path / "vmlinux", work=tmp_path)
    given = [words[at + 1] for at, word in enumerate(words) if word == "-numa"]
    nodes = len(bed.distances)
    assert words[words.index("-smp") + 1].startswith(f"{bed.cpus},")
    assert sum(one.startswith("node,") for one in given) == nodes
    assert sum(one.startswith("cpu,") for one in given) == bed.sockets * bed.dies
    assert sum(one.startswith("dist,") for one in given) == nodes * (nodes - 1)
    assert words[words.index("-m") + 1] == f"{nodes * bed.memory}M"


def test_the_guests_script_is_a_shell_script_and_keeps_odd_words(tmp_path: Path) -> None:
    odd = 'it\'s $HOME; a "word"'
    job = Job(command=["echo", odd], tree=tmp_path / "a b", python=tmp_path / "python", writable=[tmp_path / "c d"])
    script = guest.script(job, [tmp_path / "overlay.ko"])
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    (line,) = re.findall(r"^\{ (echo .*); echo \$\? >", script, re.MULTILINE)
    assert subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout == f"{odd}\n"


@pytest.fixture
def unpacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A cache of its own, where "download" makes a file and "unpack" a folder; the list tells of each download."""
    monkeypatch.setenv("CPUPLACE_E2E_CACHE", str(tmp_path / "cache"))
    said: list[str] = []

    def download(work: Path) -> Path:
        said.append(work.name)
        return work / "package.deb"

    monkeypatch.setattr(kernel, "download", download)
    monkeypatch.setattr(kernel, "unpack", lambda package, folder: folder.mkdir())
    return said


def test_two_at_once_download_once(unpacking: list[str], tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: kernel.prepared(), range(2))
    assert first == second == Kernel(tmp_path / "cache" / "kernel")
    assert len(unpacking) == 1


def test_a_broken_off_download_leaves_nothing_that_looks_whole(
    unpacking: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def cut(package: Path, folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    (tmp_path / "cache" / "making-killed").mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "unpack", cut)
        with pytest.raises(KeyboardInterrupt):
            kernel.prepared()
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["lock"]
    kernel.prepared()
    assert len(unpacking) == 2


@pytest.mark.parametrize(
    "listed", ["", "noble Ubuntu main http://x/ubuntu/\n", "bookworm-updates Debian main http://x/\n"]
)
def test_no_debian_mirror_is_said(listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "called", lambda *words: listed)
    with pytest.raises(Lacking, match="no Debian mirror"):
        apt.mirror()


def test_the_mirror_is_the_machines_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(apt, "called", lambda *words: f"bookworm-updates Debian main http://other/\n{MIRROR}\n")
    apt.private("trixie", tmp_path)
    assert (tmp_path / "sources.list").read_text().endswith("http://mirror.example/debian/ trixie main\n")


@pytest.fixture
def suites(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Suites that have containerd: what it says of its version, "" when it does not run."""
    found: dict[str, str] = {}

    def listed(suite: str, work: Path) -> list[str]:
        if suite not in found:
            raise subprocess.CalledProcessError(100, "apt-get", stderr=f"first\nno {suite}\n")
        return [suite]

    def unpack(package: Path, folder: Path) -> None:
        (folder / "bin").mkdir(parents=True)
        said = found[package.name]
        (folder / "bin" / "containerd").write_text(f"#!/bin/sh\necho {said}; {'true' if said else 'false'}\n")
        (folder / "bin" / "containerd").chmod(0o755)

    monkeypatch.setattr(apt, "listed", listed)
    monkeypatch.setattr(apt, "download", lambda options, names, work: [Path(options[0])])
    monkeypatch.setattr(apt, "unpack", unpack)
    return found


def taken(work: Path) -> str:
    """The version of the containerd that is taken from "new" or, failing that, from "old"."""
    runtimes.first(("new", "old"), ["containerd"], ["bin/containerd"], work, work / "out")
    return runtimes.version(work / "out" / "containerd")


def test_a_runtime_comes_from_the_first_suite_whose_program_runs(suites: dict[str, str], tmp_path: Path) -> None:
    suites.update(new="containerd github.com/containerd/containerd/v2 2.1.9+unknown", old="1.7.24~ds1")
    assert taken(tmp_path) == "2.1.9"


@pytest.mark.parametrize("given", [{"old": "c 1.7.24~ds1 1.7.24~ds1-6"}, {"new": "", "old": "v1.7.24"}])
def test_a_suite_without_it_or_too_new_for_this_machine_is_passed_over(
    given: dict[str, str], suites: dict[str, str], tmp_path: Path
) -> None:
    suites.update(given)
    assert taken(tmp_path) == "1.7.24"


def test_no_suite_with_it_is_said_in_one_line(suites: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Lacking, match=r"^no containerd to be had from new or old: no old$"):
        taken(tmp_path)


def test_other_packages_are_no_kernel() -> None:
    names = [
        "linux-image-6.12.9+deb13-cloud-amd64-dbg",
        "linux-image-6.12.9+deb13-amd64",
        "linux-image-6.1.0-9-cloud-amd64",
    ]
    assert kernel.newest(names) is None


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd, which the test-bed installs, is not here")
def test_the_kernel_proper_is_found_in_its_image() -> None:
    elf = b"\x7fELF and more"
    packed = subprocess.run(["zstd", "-c"], input=elf, capture_output=True, check=True).stdout
    assert kernel.bare(b"boot code" + kernel.ZSTD + b"no such thing" + packed + b"trailer") == elf
    with pytest.raises(Lacking, match="unknown way"):
        kernel.bare(b"boot code")


@pytest.mark.parametrize(("ci", "status", "fate"), [("", 0, "are left out"), ("true", 1, "cannot run")])
def test_where_vms_cannot_run_a_laptop_passes_and_ci_fails_with_one_line(
    ci: str, status: int, fate: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert bed_main.main([]) == status
    said = capsys.readouterr().err
    assert said.startswith(f"e2e: no VMs on this machine, their tests {fate}: not root")
    assert said.count("\n") == 1


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the next VMs come to: an exit status, or None when they die."""
    left: list[int | None] = []

    def run(bed: Bed, job: Job, kernel: Kernel, *, timeout: float) -> int:
        outcome = left.pop(0)
        if outcome is None:
            raise Died("no word")
        return outcome

    monkeypatch.setattr(vm, "run", run)
    monkeypatch.setattr(machine, "ready", lambda: None)
    monkeypatch.setattr(bed_main, "prepared", lambda: Kernel(Path("kernel")))
    monkeypatch.setattr(runtimes, "prepared", lambda: None)
    return left


@pytest.mark.parametrize(
    ("given", "status", "left"),
    [
        ([0, 0], 0, 1),
        ([1, 0], 1, 1),  # a failing test gets no second try
        ([None, 0, 0], 0, 1),
        ([None, 1, 0], 1, 1),
        ([None, None, 0], 125, 1),
        ([125, 0], 125, 1),  # the command's own
    ],
)
def test_a_vm_that_dies_gets_one_more_try(
    given: list[int | None], status: int, left: int, outcomes: list[int | None]
) -> None:
    outcomes.extend(given)
    assert bed_main.main(["cxl"]) == status
    assert len(outcomes) == left


@pytest.mark.parametrize(("beside", "status"), [(0, 3), (5, 5)])
def test_all_run_and_the_first_failure_is_the_status(
    beside: int, status: int, outcomes: list[int | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def one(name: str, *, words: list[str], alive: object) -> int:
        asked.append((name, words))
        return {"big128": 3, "cxl": 4}.get(name, 0)

    monkeypatch.setattr(several, "one", one)
    monkeypatch.setattr(here, "run", lambda tree, python, command: beside)
    assert bed_main.main(["--tree", str(tmp_path), "--write", "--", "true", "--tree"]) == status
    assert sorted(name for name, _ in asked) == sorted(BEDS)
    for name, words in asked:
        again = bed_main.arguments([name, *words])
        assert (again.tree, again.write, again.command) == (tmp_path, True, ["true", "--tree"])


@pytest.mark.parametrize("status", [0, 4])
def test_the_command_runs_here_in_the_tree_with_its_interpreter_first(status: int, tmp_path: Path) -> None:
    script = f'test "$PWD,$CPUPLACE_CONTAINERD,${{PATH%%:*}}" = "{tmp_path},1,{tmp_path}/bin" && exit {status}; exit 9'
    assert here.run(tmp_path, tmp_path / "bin" / "python", ["sh", "-c", script]) == status


def test_an_unknown_machine_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bed_main.main(["three-socket"])
    assert ended.value.code == 2
    assert "no machine is called 'three-socket'" in capsys.readouterr().err


def test_the_biggest_machine_is_for_reading_only_and_one_is_apart(tmp_path: Path) -> None:
    own = ("cxl", "big128", "containerd")
    for name in ("every", "small", *own):
        (tmp_path / "tests/e2e/vm" / name).mkdir(parents=True)
    folders = {name: [Path(folder).name for folder in BEDS[name].folders(tmp_path)] for name in own}
    assert folders == {
        "cxl": ["every", "small", "cxl"],
        "big128": ["every", "big128"],
        "containerd": ["containerd"],
    }


@pytest.mark.parametrize(("load", "share"), [(0.0, 1), (2.0, 1), (4.0, 0.5), (600.0, 1 / 3)])
def test_a_crowded_machine_has_more_patience(load: float, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    assert vm.share() == pytest.approx(share)
