"""R13: the same bytes under every hash seed."""

import os
import subprocess
import sys

SCRIPT = """
import cpuplace as cp
host = cp.Topology.uniform(packages=2, nodes_per_package=2, l3_per_node=2, cores_per_l3=4, threads_per_core=2)
state = cp.HostState.empty(host)
wishes = [
    cp.Wishes(),
    cp.Wishes(numa="spread"),
    cp.Wishes(cores="isolate"),
    cp.Wishes(l3="ignore", core_kind="performance"),
]
for number in range(24):
    if number % 3 == 2:
        request = cp.ContainerRequest.shared(f"s{number}", forbid=cp.CpuSet([number]))
    else:
        pod, wished = f"p{number % 4}", wishes[number % 4]
        request = cp.ContainerRequest.integer(f"c{number}", 1 + number % 5, pod=pod, wishes=wished)
    answer = cp.place(state, request)
    print(answer.to_dict() if isinstance(answer, cp.Refusal) else (answer.steps, answer.notes, str(answer.explain())))
    state = state if isinstance(answer, cp.Refusal) else cp.apply(state, answer)
    if number % 7 == 6:
        state = cp.apply(state, cp.release(state, f"c{number - 6}"))
print(state.digest, [str(one.cpus) for one in state.assignments.values()], cp.forget_pod(state, "p1").steps)
"""


def run(seed: str) -> bytes:
    environment = os.environ | {"PYTHONHASHSEED": seed}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True).stdout


def test_the_same_calls_give_the_same_bytes_under_every_hash_seed() -> None:
    first = run("0")
    assert first.count(b"\n") == 25
    assert run("1") == run("4242") == first
