"""Where hosts come from, and the commands that show, list and capture them."""

import io
import json
import shlex
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commands import Run
from cpuplace import catalogue
from cpuplace.errors import BadInput
from cpuplace.formats import cpuplace_json
from cpuplace.topology import Topology
from cpuplace_cli.host_text import parse_host
from cpuplace_cli.hosts import load_host
from cpuplace_linux.read_host import read_host


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """A tree of a machine with three CPUs, as a directory."""
    cpus = tmp_path / "rack" / "sys" / "devices" / "system" / "cpu"
    cpus.mkdir(parents=True)
    (cpus / "online").write_text("0-2\n")
    for cpu in range(3):
        (cpus / f"cpu{cpu}" / "topology").mkdir(parents=True)
        (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").write_text(f"{cpu}\n")
    return tmp_path / "rack"


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_a_name_is_a_host_of_the_catalogue(name: str) -> None:
    assert load_host(name) is catalogue.host(name)


def test_live_is_this_machine() -> None:
    assert load_host("live") == read_host("/", name="this machine")


def test_a_directory_and_a_tarball_are_read_and_named(sysfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "server7.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(sysfs / "sys", "sys")
    assert (load_host(str(sysfs)).name, load_host(str(archive)).name) == ("rack", "server7")
    assert load_host(str(sysfs)).cpus == load_host(str(archive)).cpus


@pytest.mark.parametrize("name", ["vm-2cpu", "intel-i7-1370p", "nvidia-gh200"])
def test_json_is_read_from_a_file_or_standard_input(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = catalogue.host(name)
    text = cpuplace_json.render(host)
    (tmp_path / "host.json").write_text(text)
    assert load_host(str(tmp_path / "host.json")) == host
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert load_host("-") == host


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xfe", "not a text file"), (b"", ""), (b"{}", ""), (b"[1]", ""), (b"<html>", ""), (b"not json", "")],
)
def test_a_file_that_is_no_host_is_bad_input(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "host.json"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=r"host\.json") as caught:
        load_host(str(file))
    assert says in str(caught.value)


def test_a_file_beats_nothing_but_a_name_of_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vm-2cpu").write_text(cpuplace_json.render(catalogue.host("raspberry-pi-4")))
    assert load_host("vm-2cpu").name == "vm-2cpu"
    assert load_host("./vm-2cpu").name == "raspberry-pi-4"


@given(st.text(max_size=40).filter(lambda text: text.strip("/.") and text != "-"))
def test_any_word_is_a_host_or_bad_input(spec: str) -> None:
    try:
        assert isinstance(load_host(spec), Topology)
    except BadInput as bad:
        assert str(bad)


LSCPU = "# CPU,Core,Socket,Node\n0,0,0,0\n1,0,0,0\n"
NUMACTL = "available: 1 nodes (0)\nnode 0 cpus: 0 1\nnode 0 size: 64 MB\n"
HWLOC = (
    '<?xml version="1.0"?><topology version="2.0"><object type="Machine" os_index="0">'
    '<object type="PU" os_index="0"/><object type="PU" os_index="1"/></object></topology>'
)
LSCPU_JSON = '{"cpus": [{"cpu": 0, "core": 0, "socket": 0, "node": 0}, {"cpu": 1, "core": 1, "socket": 0, "node": 0}]}'


@pytest.mark.parametrize("text", [LSCPU, NUMACTL, HWLOC, LSCPU_JSON, "\ufeff" + NUMACTL])
def test_what_other_tools_print_is_read_too(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "box.txt"
    file.write_text(text)
    assert (str(load_host(str(file)).online), load_host(str(file)).name) == ("0-1", "box")
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert str(load_host("-").online) == "0-1"


LSCPU_TEXT = "Architecture:            x86_64\nCPU(s):                  2\nOn-line CPU(s) list:     0,1\n"
LSCPU_TRANSLATED = "Architektur:             x86_64\nCPU(s):                  2\n"
LSCPU_TABLE = "CPU NODE SOCKET CORE L1d:L1i:L2:L3 ONLINE\n  0    0      0    0 0:0:0:0          yes\n"


@pytest.mark.parametrize("text", [LSCPU_TEXT, LSCPU_TRANSLATED, LSCPU_TABLE])
def test_what_lscpu_prints_for_people_is_refused_with_what_to_ask_it_for(text: str) -> None:
    with pytest.raises(BadInput, match=r"^x\.txt: what lscpu prints for people .*\(the output of lscpu -p=CPU,CORE,"):
        parse_host(text, source="x.txt")


@pytest.mark.parametrize(("text", "says"), [("", "empty, "), ("hello\n", ""), ("[1]", "")])
def test_a_text_of_no_known_format_is_refused_with_those_that_are(text: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_host(text, source="x.txt")
    assert str(caught.value).startswith(f"x.txt: {says}not the description of a host (known are cpuplace's JSON, hwloc")


def test_bytes_on_standard_input_are_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    with pytest.raises(BadInput, match="standard input"):
        load_host("-")


BEGINNINGS = st.sampled_from(["", "<", "#", "available:", '{"cpus"', '{"lscpu"', '{"schema": 1', "\ufeff"])


@given(BEGINNINGS, st.text(max_size=60))
def test_any_text_is_a_host_or_bad_input_that_names_it(begin: str, rest: str) -> None:
    try:
        assert isinstance(parse_host(begin + rest, source="here"), Topology)
    except BadInput as bad:
        assert str(bad).startswith("here")


def test_an_empty_word_is_not_the_current_folder() -> None:
    with pytest.raises(BadInput) as caught:
        load_host("")
    assert str(caught.value) == "--host: empty (is a variable not set?)"


def test_a_synthetic_description_is_a_host() -> None:
    assert len(load_host("synthetic:pack:2 [numa] l3:2 core:8 pu:2").cpus) == 64


@pytest.mark.parametrize("spec", ["synthetic:", "synthetic:pack:two"])
def test_a_bad_description_is_bad_input(spec: str) -> None:
    with pytest.raises(BadInput):
        load_host(spec)


# --- the commands --------------------------------------------------------------------------------


def test_topology_draws_this_machine_when_no_host_is_named(run: Run) -> None:
    code, out, _ = run("topology")
    assert code == 0
    assert out.startswith("this machine: ")


def test_topology_json_is_what_host_reads(run: Run, tmp_path: Path) -> None:
    out = run("topology", "--host", "kunpeng-920-2s", "-o", "json").out
    assert json.loads(out)["schema"] == 1
    (tmp_path / "host.json").write_text(out)
    assert load_host(str(tmp_path / "host.json")) == catalogue.host("kunpeng-920-2s")


def test_topology_draws_svg_and_takes_a_width(run: Run) -> None:
    assert run("topology", "--host", "vm-2cpu", "-o", "svg").out.startswith("<svg ")
    narrow = run("topology", "--host", "amd-epyc-7742-2s-nps4", "--width", "60").out
    assert max(map(len, narrow.splitlines())) <= 60


def test_hosts_lists_every_host_with_its_counts(run: Run) -> None:
    out = run("hosts").out.splitlines()
    assert [line.split()[0] for line in out[1:]] == list(catalogue.NAMES)
    assert out[0].split() == ["NAME", "CPUS", "CORES", "L3", "NODES", "SOCKETS", "WHAT"]
    row = next(line for line in out if line.startswith("amd-epyc-9654-2s-nps4 "))
    assert row.split()[1:6] == ["384", "192", "24", "8", "2"]


def test_hosts_tells_where_the_facts_of_one_come_from(run: Run) -> None:
    out = run("hosts", "nvidia-gb200").out
    assert out.startswith(catalogue.entry("nvidia-gb200").title)
    for source in catalogue.entry("nvidia-gb200").sources:
        assert source in " ".join(out.split())


def test_hosts_json_has_every_fact(run: Run) -> None:
    data = json.loads(run("hosts", "-o", "json").out)
    assert data["schema"] == 1
    assert [host["name"] for host in data["hosts"]] == list(catalogue.NAMES)
    one = json.loads(run("hosts", "vm-2cpu", "-o", "json").out)["hosts"]
    assert one == [host for host in data["hosts"] if host["name"] == "vm-2cpu"]
    assert one[0]["memory_bytes"] == 4 << 30


def test_capture_writes_what_host_reads_and_asks_before_it_replaces(run: Run, sysfs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tar.gz"
    code, text, _ = run("capture", str(out), "--from", str(sysfs))
    assert (code, f"--host {out}" in text) == (0, True)
    assert load_host(str(out)).cpus == load_host(str(sysfs)).cpus
    before = out.read_bytes()
    assert run("capture", str(out), "--from", str(sysfs)).code == 2
    assert run("capture", str(out), "--from", str(sysfs), "--force").code == 0
    assert out.read_bytes() == before


@pytest.mark.parametrize("name", ["cap2.zip", "server7", "vm-2cpu", "my host.tgz", "plain.tar"])
def test_the_command_that_capture_prints_works_whatever_the_file_is_called(
    run: Run, sysfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = run("capture", name, "--from", str(sysfs)).out
    words = shlex.split(text.partition("look at it with: cpuplace ")[2])
    assert words[:2] == ["topology", "--host"]
    assert load_host(words[2]).cpus == load_host(str(sysfs)).cpus
    assert run(*words).code == 0


def test_a_plain_tar_is_known_by_its_content(sysfs: Path, tmp_path: Path) -> None:
    archive = tmp_path / "old.backup"
    with tarfile.open(archive, "w") as tar:
        tar.add(sysfs / "sys", "sys")
    assert load_host(str(archive)).cpus == load_host(str(sysfs)).cpus


def test_capture_says_how_to_replace_a_file_and_that_a_folder_is_one(run: Run, sysfs: Path, tmp_path: Path) -> None:
    (tmp_path / "there.tgz").write_text("")
    taken = run("capture", str(tmp_path / "there.tgz"), "--from", str(sysfs)).err
    assert taken.endswith("there.tgz: the file exists (choose another name, or replace it with --force)\n")
    for more in ((), ("--force",)):
        folder = run("capture", str(tmp_path), "--from", str(sysfs), *more)
        assert (folder.code, folder.err) == (2, f"cpuplace: error: {tmp_path}: is a folder (name the file to write)\n")
