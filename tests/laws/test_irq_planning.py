"""plan_interrupts on any host: nobody is sent nowhere or to quiet CPUs, nothing is written twice, twice is once."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.interrupts import DeviceQueue, HostInterrupts, Interrupt
from cpuplace.irq_planning import plan_interrupts
from cpuplace.partitions_pinning import DeviceQueuePin

CPUS = range(8)
SOME = st.sets(st.sampled_from(CPUS), min_size=1).map(CpuSet)


@st.composite
def seen_hosts(draw: st.DrawFn) -> HostInterrupts:
    """Up to 8 CPUs online, interrupts of three devices and of nobody, some managed, affinities with offline CPUs."""
    online = draw(SOME)
    interrupts = []
    for number in sorted(draw(st.sets(st.integers(0, 60), max_size=8))):
        device = draw(st.sampled_from([None, "eth0", "nvme0", "vda"]))
        cpus = draw(SOME)
        interrupts.append(
            Interrupt(
                number=number,
                names=(f"irq{number}",),
                cpus=cpus,
                effective=draw(st.sampled_from([NO_CPUS, CpuSet([cpus.min])])),
                node=draw(st.sampled_from([None, 0, 1, 9])),
                device=device,
                queue=None if device is None else draw(st.sampled_from([None, 0, 1])),
                managed=draw(st.booleans()),
            )
        )
    return HostInterrupts(
        online=online,
        interrupts=tuple(interrupts),
        queues=tuple(
            DeviceQueue(
                device=device,
                queue=queue,
                cpus=draw(SOME),
                irqs=tuple(one.number for one in interrupts if (one.device, one.queue) == (device, queue)),
                rps=draw(st.none() | SOME) if device == "eth0" else None,
                xps=draw(st.none() | SOME) if device == "eth0" else None,
            )
            for device in ("eth0", "nvme0", "vda")
            for queue in (0, 1)
        ),
        default=draw(st.none() | SOME),
        nodes={0: CpuSet(range(4)), 1: CpuSet(range(4, 8))},
    )


def pins_on(cpus: list[int]) -> st.SearchStrategy[DeviceQueuePin]:
    devices = st.sampled_from(["eth0", "nvme0", "vda", "gone"])
    return st.builds(DeviceQueuePin, devices, st.integers(0, 1), st.sampled_from(cpus))


@given(st.data(), seen_hosts(), st.booleans())
def test_any_plan(data: st.DataObject, seen: HostInterrupts, steer: bool) -> None:
    online = sorted(seen.online)
    pins = data.draw(st.lists(pins_on(online), max_size=4))
    quiet = CpuSet(data.draw(st.sets(st.sampled_from(CPUS))))
    quiet -= CpuSet([online[0]])
    plan = plan_interrupts(seen, pins, quiet=quiet, rps=steer, xps=steer)
    assert plan == plan_interrupts(seen, pins, quiet=quiet, rps=steer, xps=steer)

    pinned: dict[tuple[str, int], CpuSet] = {}
    for pin in pins:
        key_of = (pin.device, pin.queue)
        pinned[key_of] = pinned.get(key_of, NO_CPUS) | CpuSet([pin.cpu])
    by_number = {one.number: one for one in seen.interrupts}
    writes = {one.path: one for one in plan.writes}
    assert len(writes) == len(plan.writes), "no file is written twice"
    for move in plan.moves:
        irq = by_number[move.irq.number]
        key = None if irq.device is None or irq.queue is None else (irq.device, irq.queue)
        assert (move.why == "queue") == (key in pinned)
        assert move.wanted & seen.online or move.why == "queue"
        if move.why == "queue":
            assert key is not None
            assert move.wanted == pinned[key]
        else:
            assert move.wanted <= seen.online - quiet
            assert move.movable or move.write.path not in writes, "a kept one is not even tried"
        if move.write.path in writes:
            assert writes[move.write.path].before == str(irq.cpus)
    looked_at = {move.irq.number for move in plan.moves}
    for irq in seen.interrupts:
        if irq.number not in looked_at:
            assert not (irq.cpus & quiet) or irq.managed
    assert {int(one.path.split("/")[2]) for one in writes.values() if one.names} <= looked_at

    again = plan_interrupts(carried_out(seen, plan.writes), pins, quiet=quiet, rps=steer, xps=steer)
    assert [one for one in again.writes if one.path in writes and not managed(seen, one.path)] == []


def managed(seen: HostInterrupts, path: str) -> bool:
    return any(one.managed and path == f"proc/irq/{one.number}/smp_affinity_list" for one in seen.interrupts)


def carried_out(seen: HostInterrupts, writes: object) -> HostInterrupts:
    """The host after the writes, with the kernel's mind about managed interrupts."""
    assert isinstance(writes, tuple)
    after = {one.path: one.after for one in writes if not managed(seen, one.path)}

    def moved(irq: Interrupt) -> Interrupt:
        text = after.get(f"proc/irq/{irq.number}/smp_affinity_list")
        return irq if text is None else evolve(irq, cpus=CpuSet.parse(text), effective=NO_CPUS)

    def steered(queue: DeviceQueue) -> DeviceQueue:
        rps = after.get(f"sys/class/net/{queue.device}/queues/rx-{queue.queue}/rps_cpus")
        xps = after.get(f"sys/class/net/{queue.device}/queues/tx-{queue.queue}/xps_cpus")
        return evolve(
            queue,
            rps=queue.rps if rps is None else CpuSet.parse_mask(rps),
            xps=queue.xps if xps is None else CpuSet.parse_mask(xps),
        )

    default = after.get("proc/irq/default_smp_affinity")
    return evolve(
        seen,
        interrupts=tuple(map(moved, seen.interrupts)),
        queues=tuple(map(steered, seen.queues)),
        default=seen.default if default is None else CpuSet.parse_mask(default),
    )
