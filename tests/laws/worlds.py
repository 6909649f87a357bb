"""States of odd hosts on which something has happened already, and requests for them."""

from hypothesis import strategies as st

import cpuplace as cp
from laws.made_once import booleans, integers, sampled_from
from laws.strategies import hosts

WISHES = (
    cp.Wishes(),
    cp.Wishes(),
    cp.Wishes(numa="require-one"),
    cp.Wishes(numa="require-fewest"),
    cp.Wishes(numa="spread"),
    cp.Wishes(numa="spread:2"),
    cp.Wishes(cores="any"),
    cp.Wishes(cores="require-full"),
    cp.Wishes(cores="isolate"),
    cp.Wishes(l3="ignore"),
    cp.Wishes(l3="require-one"),
    cp.Wishes(package="require-one"),
    cp.Wishes(isolated="prefer"),
    cp.Wishes(isolated="require"),
    cp.Wishes(core_kind="performance"),
    cp.Wishes(core_kind="efficiency!"),
)
few_cpus = st.sets(integers(0, 14), max_size=3).map(cp.CpuSet)


@st.composite
def policies(draw: st.DrawFn, host: cp.Topology) -> cp.Policy:
    reserved = draw(st.sets(sampled_from(sorted(host.online)), max_size=2))
    return cp.Policy(
        reserved=cp.CpuSet(reserved),
        strict_reservation=draw(booleans()),
        min_shared_cpus=draw(integers(0, 2)),
        widen=draw(sampled_from(["now", "lazy"])),
        isolated_cpus=draw(sampled_from(["exclusive-only", "ignore"])),
    )


@st.composite
def requests(
    draw: st.DrawFn, key: str, *, most: int = 6, host: cp.Topology | None = None, strangers: bool = True
) -> cp.ContainerRequest:
    """Any request, of `strangers` too; with `host` most pins are of CPUs that it has."""
    pod = draw(sampled_from(["p", "q"]))
    kinds = ["integer", "integer", "integer", "pinned", "shared"]
    kind = draw(sampled_from([*kinds, "unmanaged"] if strangers else kinds))
    if kind == "integer":
        count, wishes = draw(integers(1, most)), draw(sampled_from(WISHES))
        return cp.ContainerRequest.integer(key, count, pod=pod, name=key, wishes=wishes, forbid=draw(few_cpus))
    there = range(15) if host is None else sorted(host.online)
    if kind == "unmanaged":
        cpus = cp.CpuSet(draw(st.sets(sampled_from(there), max_size=3)))
        return cp.ContainerRequest.unmanaged(key, pod=pod, name=key, cpus=cpus)
    if kind == "pinned":
        there = there if draw(integers(0, 3)) else range(15)
        pin = cp.CpuSet(draw(st.sets(sampled_from(there), max_size=3)))
        return cp.ContainerRequest.pinned(key, pin, exclusive=draw(booleans()), pod=pod, name=key)
    return cp.ContainerRequest.shared(key, pod=pod, name=key, forbid=draw(few_cpus))


@st.composite
def states(draw: st.DrawFn, *, most: int = 5, strangers: bool = True) -> cp.HostState:
    """A host with up to `most` containers on it, some of which have gone again."""
    host = draw(hosts())
    state = cp.HostState.empty(host, draw(policies(host)))
    for number in range(draw(integers(0, most))):
        answer = cp.place(state, draw(requests(f"c{number}", most=4, host=host, strangers=strangers)))
        if isinstance(answer, cp.Plan):
            state = cp.apply(state, answer)
    for key in [key for key in state.assignments if draw(integers(0, 3)) == 0]:
        state = cp.apply(state, cp.release(state, key))
    return state
