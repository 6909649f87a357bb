"""`cpuplace plan --emit TOOL`: the plan in the words of other tools, on standard output and nothing else."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cli.commands import Run
from cli.manifests import EXAMPLES
from cpuplace.formats.emit import TOOLS

HOST = "amd-epyc-7742-2s-nps4"
PAGE = EXAMPLES.parent / "docs" / "emit.md"
MIXED = str(EXAMPLES / "mixed-workload.yaml")

NUMACTL = """\
# COMMAND stands for what the container runs

# data/database/postgres: pinned, 4 CPUs of its own
numactl --physcpubind=0-3 --membind=0 -- COMMAND

# ml/training-0/trainer: integer, 8 CPUs of its own
numactl --physcpubind=4-7,132-135 -- COMMAND

# default/web-0/nginx: shared, runs on the pool
numactl --physcpubind=8-131,136-255 -- COMMAND

# default/web-1/nginx: shared, runs on the pool
numactl --physcpubind=8-131,136-255 -- COMMAND

# default/web-2/nginx: shared, runs on the pool
numactl --physcpubind=8-131,136-255 -- COMMAND
"""


def test_every_container_of_the_plan_and_nothing_else(run: Run) -> None:
    assert run("plan", MIXED, "--host", HOST, "--emit", "numactl") == (0, NUMACTL, "")


@pytest.mark.parametrize("tool", TOOLS)
def test_the_option_takes_every_tool(run: Run, tool: str) -> None:
    code, out, err = run("plan", MIXED, "--host", HOST, "--emit", tool)
    assert (code, err) == (0, "")
    assert out.count("nginx") == 3


def test_init_containers_are_in_it(run: Run) -> None:
    out = run("plan", str(EXAMPLES / "init-and-sidecars.yaml"), "--host", HOST, "--emit", "taskset").out
    assert "analytics/unpack: integer, 4 CPUs of its own, an init container: only while it runs" in out


def test_refusals_go_to_standard_error(run: Run) -> None:
    code, out, err = run("plan", str(EXAMPLES / "refused.yaml"), "--host", HOST, "--emit", "docker")
    assert code == 1
    assert out.count("docker run") == 1
    assert err.count("cpuplace: refused: ") == 5


@pytest.mark.parametrize("arguments", [("--emit", "kvm"), ("--emit", "docker", "-o", "json")])
def test_other_tools_and_two_outputs_are_bad_input(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run("plan", MIXED, "--host", HOST, *arguments)
    assert (code, out) == (2, "")
    assert "emit" in err


@pytest.mark.parametrize("tool", TOOLS)
def test_the_page_shows_what_is_printed(run: Run, tool: str) -> None:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {tool}\n")[1].split("\n## ")[0]
    shown = re.findall(r"^```text\n(.*?)```", section, re.MULTILINE | re.DOTALL)
    assert shown != []
    out = run("plan", MIXED, "--host", HOST, "--emit", tool).out
    for snippet in "\n".join(shown).strip().split("\n\n"):
        assert f"\n{snippet}\n" in out


def all_of_this_machine() -> bool:
    return shutil.which("taskset") is not None and len(os.sched_getaffinity(0)) == os.cpu_count()


@pytest.mark.skipif(not all_of_this_machine(), reason="needs taskset, and every CPU of this machine")
def test_taskset_takes_its_line(run: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\n"
        "spec: {containers: [{name: main, resources: {limits: {cpu: 100m}}}]}\n"
    )
    line = run("plan", str(manifest), "--emit", "taskset").out.splitlines()[-1]
    said = line.replace("COMMAND", "grep Cpus_allowed_list /proc/self/status")
    done = subprocess.run(said.split(), capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == line.split()[2]
