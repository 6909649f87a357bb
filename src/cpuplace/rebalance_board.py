"""Board: a state as rebalancing looks at it: its integer containers as pieces, and what each is worth now.

Sums of tuples are compared from the left. As one number, in a base that no element reaches, they add up and compare
the same way, so that bounds and differences are plain arithmetic.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from attrs import evolve, frozen

from cpuplace.granting import ask_of, given_of
from cpuplace.hostmap import HostMap
from cpuplace.preference import counts_cores
from cpuplace.reassign_scene import may_move
from cpuplace.rebalance_sum import COUNTED, counted_containers, free_of, tuple_of
from cpuplace.resolving import resolve
from cpuplace.state import Assignment, HostState
from cpuplace.task import Task, compile_task
from cpuplace.wishes import ResolvedWishes

_BITS: Final = 40
"""Enough for any element, summed over all containers."""
_PLACES: Final = {
    name: _BITS * place
    for place, name in enumerate(reversed([*(element.name for element in COUNTED), "moves", "changed"]))
}


def weight(name: str) -> int:
    """What one of an element counts for; also one of `moves`, and of CPUs `changed`, which come last."""
    return 1 << _PLACES[name]


def number(values: Sequence[int]) -> int:
    """What these values of `COUNTED` count for together."""
    return sum(value << _PLACES[element.name] for value, element in zip(values, COUNTED, strict=True))


BROKEN: Final = weight("broken_cores")
MOVE: Final = weight("moves")
CHANGED: Final = weight("changed")


@frozen(slots=True, kw_only=True, eq=False)
class Piece:
    """One integer container. `claim`: what nobody else may hold; `room`: all it could use, were everything free.

    `count` is its tuple as a number; `worth` the same, `broken_cores` left out. `want` is how many nodes its spread
    aims at, or None when that depends on who moves; then `nodes_off` is taken for 0 in `worth`.
    """

    place: int
    held: Assignment
    wishes: ResolvedWishes
    room: int
    movable: bool
    count: int
    worth: int
    broken: int
    want: int | None

    @property
    def cpus(self) -> int:
        """What it holds."""
        return self.held.cpus.mask

    @property
    def claim(self) -> int:
        """What nobody else may hold."""
        return self.held.cpus.mask | self.held.withheld.mask

    def is_broken(self, grant: int, core: int, free: int) -> bool:
        """Whether a free thread of this core would stay beside those of the grant."""
        return bool(grant & core and free & self.room & core & ~grant)

    @property
    def counts_cores(self) -> bool:
        """Whether broken cores count for it."""
        return counts_cores(self.wishes)


@frozen(eq=False)
class Board:
    """A state, its pieces in the order they came, and how many of them may move."""

    state: HostState
    pieces: tuple[Piece, ...]

    @staticmethod
    def of(state: HostState, max_moves: int, *, move_memory: bool) -> "Board":
        """The board of a state; who is bound to memory nodes moves only with `move_memory`."""
        held = list(counted_containers(state))
        movable = [may_move(state, one) and (move_memory or not one.mems) for one in held]
        claims = (len(one.cpus | one.withheld) for one, may in zip(held, movable, strict=True) if may)
        most = sum(sorted(claims, reverse=True)[:max_moves])
        return Board(state, tuple(_piece(state, number, one, movable[number], most) for number, one in enumerate(held)))

    @property
    def host(self) -> HostMap:
        """The host as masks."""
        return self.state.ground.host_map

    @cached_property
    def count(self) -> int:
        """What all pieces count for: the sum as a number."""
        return sum(piece.count for piece in self.pieces)

    @cached_property
    def worth(self) -> int:
        """What all pieces count for, `broken_cores` left out."""
        return sum(piece.worth for piece in self.pieces)

    @cached_property
    def broken(self) -> int:
        """`broken_cores` of all pieces."""
        return sum(piece.broken for piece in self.pieces)

    @cached_property
    def present(self) -> dict[int, tuple[Piece, ...]]:
        """For each core, the pieces in it for which broken cores count."""
        there = {}
        for core in self.host.cores:
            met = tuple(piece for piece in self.pieces if piece.cpus & core and piece.counts_cores)
            if met:
                there[core] = met
        return there

    @cached_property
    def options_known(self) -> dict[object, tuple[Any, ...]]:
        """Where `rebalance_seating` keeps what it would work out again and again."""
        return {}

    @cached_property
    def free(self) -> int:
        """What nobody holds: pool CPUs and those set aside."""
        return self.state.free_mask | self.state.isolated_free_mask

    def broken_in(self, cpus: int, without: Iterable[Piece]) -> int:
        """`broken_cores` of all but some pieces in the cores that have some of these CPUs."""
        there = sum(number for core, number in self._broken_by_core.items() if core & cpus)
        cores = [core for core in self._broken_by_core if core & cpus]
        return there - sum(
            piece.is_broken(piece.cpus, core, self.free) for piece in without if piece.broken for core in cores
        )

    @cached_property
    def _broken_by_core(self) -> dict[int, int]:
        """How many pieces a core is broken for, where it is for any."""
        numbers = {
            core: sum(piece.is_broken(piece.cpus, core, self.free) for piece in there)
            for core, there in self.present.items()
        }
        return {core: number for core, number in numbers.items() if number}

    def units_in(self, cpus: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The real cores that have some of these CPUs, each with the parts that count as cores.

        A core has more parts than one where nodes or L3 groups cut through it.
        """
        if cpus not in self._units_in:
            self._units_in[cpus] = tuple(unit for unit in self._units if unit[0] & cpus)
        return self._units_in[cpus]

    @cached_property
    def _units_in(self) -> dict[int, tuple[tuple[int, tuple[int, ...]], ...]]:
        return {}

    @cached_property
    def _units(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        parts: dict[int, tuple[int, ...]] = {}
        for core in self.host.cores:
            whole = self.host.core_of[core.bit_length() - 1]
            parts[whole] = (*parts.get(whole, ()), core)
        return tuple(parts.items())


def lifted(state: HostState, gone: Iterable[Assignment]) -> HostState:
    """The state without some integer containers; what shared containers hold is not kept."""
    integer, withheld, owners = state.integer, state.withheld_mask, state.owners.copy()
    for one in gone:
        integer, withheld = integer & ~one.cpus.mask, withheld & ~one.withheld.mask
        del owners[one.container_id]
    return evolve(state, owners=owners, integer=integer, withheld_mask=withheld)


def task_of(state: HostState, piece: Piece) -> Task:
    """The choice that a piece has in a state that it is not part of."""
    ask = ask_of(state, piece.held.request, piece.cpus.bit_count())
    return compile_task(state.ground.host_map, ask.free, ask.wanted, **given_of(state, ask))


def _piece(state: HostState, place: int, one: Assignment, movable: bool, most: int) -> Piece:
    """`most`: how many CPUs all who move could take away from the free ones."""
    wishes = resolve(state.policy.wishes, one.request.wishes)
    values = dict(zip((element.name for element in COUNTED), tuple_of(state, one), strict=True))
    idle = HostState(ground=state.ground)
    ask = ask_of(idle, one.request, len(one.cpus))
    room = compile_task(state.ground.host_map, ask.free, ask.wanted, **given_of(idle, ask)).free
    want = None if wishes.spread is None else _want(state, one, wishes, room, most)
    left_out = {"broken_cores": 0} | ({"nodes_off": 0} if want is None else {})
    return Piece(
        place=place,
        held=one,
        wishes=wishes,
        room=room,
        movable=movable,
        count=number(tuple(values.values())),
        worth=number(tuple((values | left_out).values())),
        broken=values["broken_cores"],
        want=want,
    )


def _want(state: HostState, one: Assignment, wishes: ResolvedWishes, room: int, most: int) -> int | None:
    """How many nodes a spread aims at whoever moves, or None when that is not sure."""
    host, count = state.ground.host_map, len(one.cpus)
    asked = min(wishes.spread or -(-count // (1 if wishes.cores == "isolate" else host.widest_core)), count)
    free = free_of(state, one) & ~one.cpus.mask
    sure = sum((free & node).bit_count() > most for node in host.node_cpus)
    least, greatest = min(asked, sure), min(asked, host.nodes_met(room | one.cpus.mask).bit_count())
    return least if least == greatest else None
