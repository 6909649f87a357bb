"""A node that knows what it is told: what logs, metrics and the admin socket ask of the real one."""

from collections.abc import Mapping

from attrs import field, mutable

import cpuplace as cp

HOST = cp.Topology.uniform(packages=2, cores_per_l3=4, threads_per_core=2)


@mutable
class KnownNode:
    """What a Known is."""

    state: cp.HostState = field(factory=lambda: cp.HostState.empty(HOST))
    names: Mapping[str, str] = field(factory=dict)
    synchronized: bool = True


def busy() -> KnownNode:
    """A pinned, an integer and a shared container."""
    requests = (
        cp.ContainerRequest.pinned("aaa111", cp.CpuSet([0]), exclusive=True, pod="u1", name="pin", namespace="data"),
        cp.ContainerRequest.integer("bbb222", 4, pod="u2", name="main"),
        cp.ContainerRequest.shared("bbb333", pod="u3", name="web"),
    )
    state = cp.HostState.empty(HOST)
    for one in requests:
        state = cp.apply(state, cp.place(state, one).unwrap())
    names = {"aaa111": "data/pinned/pin", "bbb222": "default/job/main", "bbb333": "default/web-0/web"}
    return KnownNode(state, names)
