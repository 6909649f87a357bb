"""Hosts with every fact a format could carry: the laws' odd hosts plus caches, dies, memory, huge pages, speeds."""

from attrs import evolve
from hypothesis import strategies as st

from cpuplace.idset import CpuSet
from cpuplace.topology import Cpu, Topology
from laws.made_once import booleans, integers, sampled_from
from laws.strategies import hosts

SIZES = (4096, 1 << 16, 2 << 20, 1 << 30)


@st.composite
def full_hosts(draw: st.DrawFn) -> Topology:
    """A host of at most 12 CPUs that says something, or nothing, in every field."""
    host = draw(hosts())
    cores = {core: draw(integers(0, 3)) for core in sorted({cpu.core for cpu in host.cpus})}
    said = {field: draw(booleans()) for field in ("l2", "die", "cluster", "book", "drawer")}
    ids = [cpu.id for cpu in host.cpus]
    return evolve(
        host,
        cpus=tuple(_dressed(draw, cpu, cores[cpu.core], said) for cpu in host.cpus),
        memory_bytes={node: draw(st.none() | integers(0, 2**30).map(lambda n: n * 1024)) for node in host.memory_bytes},
        huge_pages={
            node: draw(st.dictionaries(sampled_from(SIZES), integers(0, 9), max_size=2))
            for node in draw(st.sets(sampled_from(sorted(host.memory_bytes))))
        },
        isolated=CpuSet(draw(st.sets(sampled_from(ids)))),
        nohz_full=CpuSet(draw(st.sets(sampled_from(ids)))),
        name=draw(st.text(max_size=8)),
    )


def _dressed(draw: st.DrawFn, cpu: Cpu, spot: int, said: dict[str, bool]) -> Cpu:
    return evolve(
        cpu,
        l2=spot if said["l2"] else None,
        die=(cpu.package or 0) * 4 + spot if said["die"] and cpu.package is not None else None,
        cluster=spot * 5 if said["cluster"] else None,
        book=spot // 2 if said["book"] else None,
        drawer=0 if said["drawer"] else None,
        capacity=draw(st.none() | sampled_from([512, 1024])),
        max_khz=draw(st.none() | integers(1, 6_000_000)),
    )
