"""Known: everything that is known of a node's containers, as one value; never changed in place."""

from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from cpuplace import HostState, Policy, Topology
from cpuplace_nri.seen import Seen


@frozen(slots=True, kw_only=True)
class Known:
    """Who holds what (`state`), and how the runtime tells of them (`seen`, by container id).

    `stale`: containers whose cgroups were written past the runtime: its own specification still says something else,
    until an update says it again.
    """

    state: HostState
    seen: Mapping[str, Seen] = field(factory=dict)
    stale: frozenset[str] = frozenset()

    @staticmethod
    def nothing(topology: Topology, policy: Policy) -> "Known":
        """A node of which nothing is known yet; BadInput when the policy does not fit the host."""
        return Known(state=HostState.empty(topology, evolve(policy, widen="lazy")))

    def siblings(self, one: Seen) -> tuple[Seen, ...]:
        """The other containers of its pod that are known."""
        return tuple(other for other in self.seen.values() if other.uid == one.uid)

    def with_seen(self, one: Seen, state: HostState) -> "Known":
        """One container more, or under new numbers."""
        return evolve(self, state=state, seen={**self.seen, one.container_id: one})

    def without(self, ids: Iterable[str], state: HostState) -> "Known":
        """Some containers less."""
        gone, seen = frozenset(ids), dict(self.seen)
        for key in gone:
            seen.pop(key, None)
        return evolve(self, state=state, seen=seen, stale=self.stale - gone)

    def in_sandbox(self, sandbox: str) -> tuple[str, ...]:
        """The containers of one sandbox."""
        return tuple(key for key, one in self.seen.items() if one.sandbox == sandbox)

    def name(self, container_id: str) -> str:
        """namespace/pod/container, or the id of one that is not known."""
        one = self.seen.get(container_id)
        return container_id if one is None else one.name

    def in_words(self, text: str) -> str:
        """A sentence with names instead of the runtime's ids."""
        for key, one in self.seen.items():
            if key in text:
                text = text.replace(key, one.name)
        return text
