"""Fill: the best grant within given nodes, by adding up packed costs (section 5 of the rules, elements that add up).

Once the nodes are fixed, what is left of the tuple adds up over cores, L3 groups and nodes: CPUs of the wrong sort,
L3 groups, broken cores, cores, left-overs. `ids` adds up too: comparing ascending id tuples of one length is comparing
the sums of 2^-id, larger is better. So a cost is ONE int, the elements packed from the highest bits down and, below
them, minus the sum of 2^(width-1-id); adding ints adds tuples, comparing ints compares tuples, and the grant can be
read back from the low bits. A *table* maps a number of CPUs to its least cost.

    cores --core_table--> cells --join--> nodes --choose q of a class, join--> the whole grant
"""

from collections.abc import Sequence
from functools import cached_property

from attrs import frozen

from cpuplace.cpulist import ids_of
from cpuplace.hostmap import Cell
from cpuplace.preference import counts_cores
from cpuplace.task import Task

Table = dict[int, int]
EMPTY: Table = {0: 0}
_FIELD = 20
"""Bits of one packed element: counts of CPUs, and sums of left-overs, stay below 2^20 (ids stop at 2^16)."""


@frozen(slots=True)
class Weights:
    """What one unit of each element weighs in a packed cost; 0 for an element that does not count."""

    not_isolated: int
    other_kind: int
    l3_group: int
    broken: int
    core: int
    node_left: int
    l3_left: int


@frozen(eq=False)
class Filler:
    """Tables for one task: what each node, or each choice of nodes, gives for each number of CPUs.

    `whole_cores` takes cores wholly or not at all. `charged` are the L3 groups (ranks) that cost when used; those
    that cross nodes are charged by the caller, who decides which of them to allow.
    """

    task: Task
    whole_cores: bool
    charged: int

    @cached_property
    def _width(self) -> int:
        return self.task.host.online.bit_length()

    @cached_property
    def _weights(self) -> Weights:
        wishes, field = self.task.wishes, _FIELD
        unit = [1 << (self._width + field * place) for place in range(6, -1, -1)]
        cores, l3, fit = counts_cores(wishes), wishes.l3 != "ignore", self.task.fit
        return Weights(
            not_isolated=unit[0] if wishes.isolated == "prefer" else 0,
            other_kind=unit[1] if wishes.kind_soft else 0,
            l3_group=unit[2] if l3 else 0,
            broken=unit[3] if cores else 0,
            core=unit[4] if cores else 0,
            node_left=unit[5] if fit else 0,
            l3_left=unit[6] if l3 and fit else 0,
        )

    @cached_property
    def _tables(self) -> dict[int, Table]:
        return {}

    @cached_property
    def _mixed(self) -> bool:
        """Whether two free threads of one core can differ in more than their id."""
        return self.task.wishes.isolated == "prefer" or self.task.wishes.kind_soft is not None

    def grant(self, cost: int) -> int:
        """The CPUs of the grant with this cost: the low bits, read back."""
        reversed_ids = -cost & ((1 << self._width) - 1)
        return int(f"{reversed_ids:0{self._width}b}"[::-1], 2)

    def _cpu_cost(self, cpu: int) -> int:
        cost, task, bit = -(1 << (self._width - 1 - cpu)), self.task, 1 << cpu
        if self._mixed:
            if not bit & task.host.isolated:
                cost += self._weights.not_isolated
            if task.wishes.kind_soft and not bit & task.host.of_kind(task.wishes.kind_soft):
                cost += self._weights.other_kind
        return cost

    def core_table(self, core: int) -> Table:
        """What this core gives: for each number of threads the cheapest ones, those that must be taken always in."""
        task = self.task
        free, allowed, must = core & task.free, core & task.allowed, core & task.must
        if self.whole_cores and (allowed != core or core & task.host.torn):
            return {} if must else EMPTY
        cost = sum(map(self._cpu_cost, ids_of(must))) if must else 0
        taken, table = must.bit_count(), {}
        dearer = sorted(map(self._cpu_cost, ids_of(allowed & ~must)))
        least = core.bit_count() if self.whole_cores else taken
        if not must:
            table[0] = 0
        for more in range(len(dearer) + 1):
            cost += dearer[more - 1] if more else 0
            threads = taken + more
            if threads >= max(least, 1):
                broken = self._weights.broken if threads < free.bit_count() else 0
                table[threads] = cost + self._weights.core + broken
        return table

    def _cell_table(self, cell: Cell) -> Table:
        table, most = EMPTY, self.task.count
        for core in cell.cores:
            if core & self.task.allowed:
                table = join(table, self.core_table(core), most)
        if cell.l3 is None or not self.charged >> cell.l3 & 1:
            return table
        left = (self.task.free & self.task.host.l3s[cell.l3]).bit_count()
        charge = self._weights.l3_group + left * self._weights.l3_left
        return {count: cost + charge if count else cost for count, cost in table.items()}

    def node_table(self, rank: int) -> Table:
        """What a node gives for each number of CPUs from 1 up; the left-over is charged before the grant is taken."""
        known = self._tables.get(rank)
        if known is None:
            known = self._tables[rank] = self._node_table(rank)
        return known

    def _node_table(self, rank: int) -> Table:
        table, task = EMPTY, self.task
        for cell in task.host.cells[rank]:
            if cell.cpus & task.allowed:
                table = join(table, self._cell_table(cell), task.count)
        left = (task.free & task.host.node_cpus[rank]).bit_count() * self._weights.node_left
        return {count: cost + left for count, cost in table.items() if count}


def join(one: Table, two: Table, most: int) -> Table:
    """The least costs of taking some from both, up to `most` together; O(len(one) * len(two))."""
    if one is EMPTY:
        return two
    joined: Table = {}
    get = joined.get
    for a, cost_a in one.items():
        for b, cost_b in two.items():
            count = a + b
            if count <= most:
                cost = cost_a + cost_b
                known = get(count)
                if known is None or cost < known:
                    joined[count] = cost
    return joined


def take(tables: Sequence[Table], needed: int, most: int) -> Table:
    """The least costs of using exactly `needed` of these tables, at least one CPU from each used."""
    if needed == len(tables):
        total = EMPTY
        for table in tables:
            total = join(total, table, most)
        return total
    used: list[Table] = [EMPTY] + [{} for _ in range(needed)]
    for table in tables:
        for size in range(needed, 0, -1):
            used[size] = cheaper(used[size], join(used[size - 1], table, most))
    return used[needed]


def cheaper(one: Table, two: Table) -> Table:
    """For each number of CPUs the lesser cost."""
    return one | {count: cost for count, cost in two.items() if cost < one.get(count, cost + 1)}


def within(table: Table, low: int, high: int) -> Table:
    """The part of a table from `low` to `high` CPUs."""
    return {count: cost for count, cost in table.items() if low <= count <= high}
