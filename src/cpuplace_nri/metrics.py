"""Metrics: the tally, and the node as it is when somebody asks, as Prometheus reads them.

prometheus_client is imported when they are asked for the first time: a plugin that starts has no time to lose.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Final, cast

from attrs import field, frozen

from cpuplace import HostState
from cpuplace_nri.tally import BOUNDS, COUNTS, TIMES, Tally

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "cpuplace_"
_SETS: Final = ("pool", "free", "exclusive", "withheld", "reserved", "set_aside", "usable")

GAUGES: Final[dict[str, str]] = {
    "up": "1 while a runtime is connected and told all containers",
    "cpus": "CPUs, by what they are",
    "containers": "Containers, by kind",
    "degraded_containers": "Containers whose CPUs hardware, or somebody else, made worse than the rules allow",
    "fragmentation_ratio": "Free CPUs whose core is partly taken, as a part of all free ones",
    "largest_free_node_cpus": "Free CPUs of the NUMA node that has most of them: what require-one could be given",
}
"""Gauge -> its meaning."""


@frozen(slots=True, eq=False)
class Metrics:
    """What `/metrics` says: of this tally, this node (None = not known yet), and whether it is connected."""

    tally: Tally
    state: Callable[[], HostState | None]
    ready: Callable[[], bool]
    info: dict[str, str] = field(factory=dict)

    def text(self) -> bytes:
        """The page, in Prometheus' text format. O(containers + CPUs)."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(cast("Collector", self))
        return generate_latest(registry)

    def collect(self) -> Iterator["Metric"]:
        """What the library asks of a collector."""
        yield from _counters(self.tally)
        yield from _histograms(self.tally)
        yield from _gauges(self.state(), self.ready())
        from prometheus_client.core import InfoMetricFamily

        yield InfoMetricFamily(f"{_PREFIX}plugin", "Which plugin this is, and which runtime it serves", value=self.info)


def _counters(tally: Tally) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily

    for name, (doc, labels) in COUNTS.items():
        family = CounterMetricFamily(f"{_PREFIX}{name}", doc, labels=labels)
        found = {said: count for (of, said), count in tally.counts.items() if of == name}
        for said, count in (found or ({} if labels else {(): 0})).items():
            family.add_metric(said, count)
        yield family


def _histograms(tally: Tally) -> Iterator["Metric"]:
    from prometheus_client.core import HistogramMetricFamily

    for name, (doc, label) in TIMES.items():
        family = HistogramMetricFamily(f"{_PREFIX}{name}", doc, labels=[label])
        for (of, said), times in tally.times.items():
            if of == name:
                sums = accumulate(times.buckets)
                bounds = [*map(str, BOUNDS), "+Inf"]
                family.add_metric([said], list(zip(bounds, sums, strict=True)), times.total)
        yield family


def _gauges(state: HostState | None, ready: bool) -> Iterator["Metric"]:
    yield _gauge("up", {(): int(ready)})
    if state is None:
        return
    kinds = Counter(one.kind.value for one in state.assignments.values())
    yield _gauge("cpus", {(name,): len(getattr(state, name)) for name in _SETS}, "set")
    yield _gauge("containers", {(kind,): count for kind, count in sorted(kinds.items())}, "kind")
    yield _gauge("degraded_containers", {(): sum(bool(one.degraded) for one in state.owners.values())})
    yield _gauge("fragmentation_ratio", {(): fragmentation(state)})
    yield _gauge("largest_free_node_cpus", {(): largest_free_node(state)})


def _gauge(name: str, values: dict[tuple[str, ...], float], *labels: str) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(_PREFIX + name, GAUGES[name], labels=labels)
    for said, value in values.items():
        family.add_metric(said, value)
    return family


def fragmentation(state: HostState) -> float:
    """The part of the free CPUs whose core is partly taken; 0 when nothing is free. O(cores).

    >>> from cpuplace import Topology
    >>> fragmentation(HostState.empty(Topology.uniform(cores_per_l3=2, threads_per_core=2)))
    0.0
    """
    free = state.free_mask
    parts = (core.cpus.mask & state.ground.usable for core in state.topology.cores)
    orphans = sum((free & core).bit_count() for core in parts if free & core != core)
    return orphans / free.bit_count() if free else 0.0


def largest_free_node(state: HostState) -> int:
    """The free CPUs of the NUMA node that has most of them. O(nodes)."""
    return max(((state.free_mask & node.cpus.mask).bit_count() for node in state.topology.nodes), default=0)
