"""A container as what a libvirt domain says of its virtual CPUs and memory: vcpu, cputune, numatune."""

from collections.abc import Iterator

from cpuplace.formats.emit_placed import Placed
from cpuplace.idset import NodeSet


def lines(one: Placed) -> Iterator[str]:
    """One virtual CPU on each CPU of its own, siblings side by side; else all of them on all CPUs."""
    if one.preferred is not None and len(one.preferred) > 1:
        yield "<!-- several preferred nodes: libvirt 9.3 or newer -->"
    if one.alone:
        yield f'<vcpu placement="static" cpuset="{one.cpus}">{len(one.cpus)}</vcpu>'
        yield "<cputune>"
        yield from (f'  <vcpupin vcpu="{at}" cpuset="{cpu}"/>' for at, cpu in enumerate(one.by_core))
        yield f'  <emulatorpin cpuset="{one.cpus}"/>'
        yield "</cputune>"
    else:
        yield f'<vcpu placement="static" cpuset="{one.cpus}">1</vcpu> <!-- as many as you like -->'
    yield from _memory(one)


def _memory(one: Placed) -> Iterator[str]:
    nodes = one.preferred or one.mems or NodeSet()
    if nodes:
        yield "<numatune>"
        yield f'  <memory mode="{"preferred" if one.preferred else "strict"}" nodeset="{nodes}"/>'
        yield "</numatune>"
