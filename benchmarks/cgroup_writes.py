"""What carrying out costs on a real kernel, against plain file writes. Needs root and cgroup v2 with cpuset.

    python -m benchmarks.cgroup_writes            # on this host
    python -m tests.e2e.bed two-socket -- python -m benchmarks.cgroup_writes      # in a machine of the test-bed

Prints a table: best of several rounds, in microseconds. Groups live below /sys/fs/cgroup/cpuplace-bench meanwhile.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import cpuplace as cp
from cpuplace_cgroup import CgroupBackend, check_host, drift
from cpuplace_linux import read_host

ROOT = "/sys/fs/cgroup/cpuplace-bench"
GROUPS = 500
ROUNDS = 5
FLIPS = 100


def best(act: Callable[[], object], *, per: int = 1) -> float:
    """Microseconds for one of the `per` things that `act` does."""
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        act()
        times.append(perf_counter() - start)
    return min(times) / per * 1e6


def plain(file: str, texts: tuple[str, str]) -> None:
    """What anybody does who writes cpusets: open, write, close."""
    for number in range(FLIPS):
        with open(file, "w") as out:
            out.write(texts[number % 2])


def steps(backend: CgroupBackend, there: cp.Plan, back: cp.Plan) -> None:
    """The same changes as plans of one step each, verified."""
    for number in range(FLIPS):
        outcome = backend.carry_out(there if number % 2 else back)
        assert outcome.ok, str(outcome)


def changes(state: cp.HostState) -> tuple[cp.Plan, cp.Plan]:
    """One container to fewer CPUs, and back."""
    fewer = cp.resize(state, cp.ContainerRequest.integer("a", 1)).unwrap()
    more = cp.resize(cp.apply(state, fewer), cp.ContainerRequest.integer("a", 2)).unwrap()
    return more, fewer


def one_step() -> list[tuple[str, float]]:
    """One write: plain, as a plan among few groups, as a plan of many steps."""
    host = read_host("/")
    backend = CgroupBackend(ROOT)
    empty = cp.HostState.empty(host)
    first = cp.place(empty, cp.ContainerRequest.integer("a", 2)).unwrap()
    assert backend.carry_out(first).ok
    state = cp.apply(empty, first)
    texts = (str(state["a"].cpus), str(state["a"].cpus.min))
    more, fewer = changes(state)
    rows = [
        ("write cpuset.cpus, plain", best(lambda: plain(f"{ROOT}/a/cpuset.cpus", texts), per=FLIPS)),
        ("a plan of one step: write + verify", best(lambda: steps(backend, more, fewer), per=FLIPS)),
    ]
    assert backend.carry_out(cp.release(state, "a")).ok
    return rows


def many() -> list[tuple[str, float]]:
    """Many groups: a plan that narrows all of them, observing them."""
    host = read_host("/")
    backend = CgroupBackend(ROOT)
    shared = [cp.ContainerRequest.shared(f"s{number}") for number in range(GROUPS)]
    empty = cp.HostState.empty(host)
    filled = cp.place_all(empty, shared).unwrap()
    assert backend.carry_out(filled).ok
    state = cp.apply(empty, filled)
    pool, narrow = str(state.pool), cp.place(state, cp.ContainerRequest.integer("a", 2)).unwrap()
    texts = (str(narrow.after.pool), pool)

    def plainly() -> None:
        for text in texts:
            for request in shared:
                Path(f"{ROOT}/{request.container_id}/cpuset.cpus").write_text(text)

    def planned() -> None:
        assert backend.carry_out(narrow).ok
        assert backend.carry_out(cp.release(narrow.after, "a")).ok

    def read() -> None:
        for request in shared:
            for name in (
                "cpuset.cpus",
                "cpuset.mems",
                "cpuset.cpus.effective",
                "cpuset.mems.effective",
                "cgroup.procs",
            ):
                Path(f"{ROOT}/{request.container_id}/{name}").read_text()

    rows = [
        (f"{GROUPS} groups narrowed and widened, plain, each", best(plainly, per=2 * GROUPS)),
        (f"{GROUPS} groups narrowed and widened, a plan each way, each", best(planned, per=2 * GROUPS)),
        (f"read five files of {GROUPS} groups, plain", best(read)),
        (f"observe of {GROUPS} groups", best(backend.observe)),
        (f"observe and drift of {GROUPS} groups", best(lambda: drift(state, backend.observe()))),
    ]
    for request in shared:
        state = cp.apply(state, cp.release(state, request.container_id))
    backend.sweep(())
    return rows


def main() -> int:
    """0, or 1 with the reason when this host cannot be measured."""
    try:
        check_host(ROOT)
    except cp.BadInput as bad:
        print(bad)
        return 1
    try:
        for what, micros in (*one_step(), *many()):
            print(f"{what:<64} {micros:>12,.0f} us")
    finally:
        if Path(ROOT).is_dir():
            CgroupBackend(ROOT).sweep(())
            Path(ROOT).rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
