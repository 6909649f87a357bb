"""Events at random: what containers ask for, and what happens to a host over time."""

from collections.abc import Callable

from hypothesis import strategies as st

import cpuplace as cp
from cpuplace.events import Event, Expect, Forget, Hotplug, Rebalance, Release, Resize, Restart, Seen, Start
from laws.made_once import booleans, integers, sampled_from
from laws.worlds import few_cpus, requests

NAMES = ("c0", "c1", "c2", "c3")
names = sampled_from(NAMES)
unmanaged = st.builds(cp.ContainerRequest.unmanaged, names, cpus=few_cpus)
any_request = names.flatmap(requests) | unmanaged
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)

expectations = st.builds(
    Expect,
    cpus=st.none() | few_cpus,
    refused=st.none() | sampled_from(["NotEnoughCpus", "BadPin"]),
    holds=st.dictionaries(names, st.none() | few_cpus, max_size=2),
    pool=st.none() | few_cpus,
)


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    request = draw(st.none() | any_request)
    key = draw(names) if request is None else request.container_id
    mems = draw(st.none() | st.just(cp.NodeSet([0])))
    return Seen(container_id=key, cpus=draw(few_cpus), mems=mems, request=request)


def events(cpus: st.SearchStrategy[cp.CpuSet] = few_cpus) -> st.SearchStrategy[Event]:
    """Any event, with anything expected of it."""
    common = {"at": st.just("") | words, "expect": st.just(Expect()) | expectations}
    build: Callable[..., st.SearchStrategy[Event]] = st.builds
    return st.one_of(
        build(Start, request=any_request, **common),
        build(Release, container_id=names, **common),
        build(Forget, pod=sampled_from(["p", "q"]), **common),
        build(Resize, container_id=names, count=integers(0, 4), **common),
        build(Hotplug, cpus=cpus, online=booleans(), **common),
        build(Rebalance, max_moves=integers(0, 2), **common),
        build(Restart, observed=st.none() | st.lists(seen(), max_size=3).map(tuple), kept=booleans(), **common),
    )
