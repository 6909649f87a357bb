"""Clearing a pin as a mixed-integer program, written from sections 4 and 5 of the rules.

Who goes where is `x[mover][cpu]`; what the goals count (nodes, cores, ...) are further variables that x pushes up. For
regular hosts without kernel-isolated CPUs and kinds of core, on which nothing else is pinned, for the wishes in
`WISHES` and without budgets of memory. The order of steps is left out: there has to be room for one.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, combinations, permutations

import cpuplace as cp
from cpuplace.resolving import resolve
from cpuplace.state import Assignment
from cpuplace.wishes import ResolvedWishes
from laws.program import Program, added, times, total

WISHES = (
    cp.Wishes(),
    cp.Wishes(numa="require-one"),
    cp.Wishes(cores="any"),
    cp.Wishes(cores="require-full"),
    cp.Wishes(cores="isolate"),
    cp.Wishes(l3="ignore"),
    cp.Wishes(l3="require-one"),
    cp.Wishes(package="require-one"),
)
TURNS = (
    ("memory", "given up", "nodes"),
    ("distance",),
    ("packages", "l3_groups", "others_remembered"),
    ("broken_cores", "cores"),
)
GOALS = ("nodes", "distance", "packages", "l3_groups", "others_remembered", "broken_cores", "cores")
"""What is added up over the movers, in order, under these wishes."""


class Clearing:
    """One pin to clear. `others` are the containers out of the way that may move too."""

    def __init__(self, state: cp.HostState, request: cp.ContainerRequest, others: Sequence[Assignment]) -> None:
        self.state, self.host, self.request = state, state.topology, request
        integer = [one for one in state.owners.values() if one.kind is cp.Kind.INTEGER]
        self.must = [one for one in integer if (one.cpus | one.withheld) & request.pin]
        self.others = list(others)
        self.threads = {cpu: set(core.cpus) for core in self.host.cores for cpu in core.cpus}
        self.program = Program()
        self.moves = {one.container_id: self.program.variable() for one in self.movers}
        self.holder = {cpu: one for one in self.movers for cpu in one.cpus | one.withheld}
        self.goals: dict[str, list[dict[int, int]]] = {name: [] for name in chain(*TURNS)}
        for one in self.must:
            self.program.equal({self.moves[one.container_id]: 1}, 1)
        self.claims: dict[int, list[int]] = {cpu: [] for cpu in state.usable}
        self.x = {one.container_id: self._mover(one) for one in self.movers}
        for claims in self.claims.values():
            self.program.at_most(total(claims), 1)
        self._floor()

    @property
    def movers(self) -> list[Assignment]:
        return [*self.must, *self.others]

    def least(self) -> tuple[int, tuple[int, ...], dict[str, set[int]]] | None:
        """(others that move, cost, who is where), None when there is no room."""
        found = self.program.least_in_turn(total(self.moves[one.container_id] for one in self.others), base=1)
        if found is None:
            return None
        (number,), chosen = found
        cost: tuple[int, ...] = ()
        for names in TURNS:
            then = self.program.least_in_turn(
                *(added(*self.goals[name]) for name in names), base=self._most(number) + 1
            )
            assert then is not None
            cost, chosen = (*cost, *then[0]), then[1]
        where = {key: {cpu for cpu, one in x.items() if chosen[one]} for key, x in self.x.items()}
        return number, cost, {key: cpus for key, cpus in where.items() if cpus}

    def _most(self, number: int) -> int:
        """How many CPUs movers have at most: nothing that is counted exceeds it, and distance has a turn of its own."""
        widest = max((len(one.cpus) for one in self.others), default=0)
        return sum(len(one.cpus) for one in self.must) + number * widest

    def _floor(self) -> None:
        """The pool keeps its floor: what movers claim comes out of what is left beside who stays and the pin."""
        policy = self.state.policy
        stay = set(self.request.pin) | {cpu for one in self._standing() for cpu in one.cpus | one.withheld}
        stay |= {cpu for one in self.others for cpu in one.cpus | one.withheld}
        room = len(set(self.state.usable) - stay) - min(policy.min_shared_cpus, len(self.state.pool))
        moved = [one for claims in self.claims.values() for one in claims]
        freed = {self.moves[one.container_id]: -len(one.cpus | one.withheld) for one in self.others}
        self.program.at_most(added(total(moved), freed), room)

    def _standing(self) -> list[Assignment]:
        """Owners that do not move, whatever happens."""
        return [one for one in self.state.owners.values() if one.container_id not in self.moves]

    def _open(self, one: Assignment) -> set[int]:
        """CPUs that this mover can use when all who may move do."""
        state = self.state
        closed = set(self.request.pin) | set(state.reserved) | set(one.request.forbid)
        closed |= {cpu for other in self._standing() for cpu in other.cpus | other.withheld}
        return set(state.usable) - closed

    def _mover(self, one: Assignment) -> dict[int, int]:
        """The variables of one mover: CPU -> its x."""
        wishes = resolve(self.state.policy.wishes, one.request.wishes)
        free = self._open(one)
        x = {cpu: self.program.variable() for cpu in sorted(self._may(free, wishes))}
        moves = self.moves[one.container_id]
        self.program.equal(added(total(x.values()), {moves: -len(one.cpus)}), 0)
        for cpu, chosen in x.items():
            claimed = self.threads[cpu] & set(self.state.usable) if wishes.cores == "isolate" else {cpu}
            self.program.implies(chosen, *(self.moves[other] for other in sorted(self._holders(claimed))))
            for claim in claimed:
                self.claims[claim].append(chosen)
        self._count(one, wishes, x)
        return x

    def _holders(self, cpus: Iterable[int]) -> set[str]:
        return {self.holder[cpu].container_id for cpu in cpus if cpu in self.holder}

    def _may(self, free: set[int], wishes: ResolvedWishes) -> set[int]:
        usable = set(self.state.usable)
        if wishes.cores == "isolate":
            return {
                cpu for cpu in free if self.threads[cpu] & usable <= free and cpu == min(self.threads[cpu] & usable)
            }
        if wishes.cores == "require-full":
            return {cpu for cpu in free if self.threads[cpu] <= free}
        return free

    def _met(self, count: int, x: dict[int, int], groups: Iterable[set[int]]) -> list[int]:
        """For each group of CPUs a variable that is 1 when one of them is chosen."""
        marks = []
        for group in groups:
            mark = self.program.variable()
            marks.append(mark)
            inside = [chosen for cpu, chosen in x.items() if cpu in group]
            for chosen in inside:
                self.program.implies(chosen, mark)
            self.program.at_least(added(total(inside), {mark: -1}), 0)
            self.program.at_least(
                added({mark: count}, times(-1, total(inside))), 0
            )  # follows; bounds are better with it
        return marks

    def _count(self, one: Assignment, wishes: ResolvedWishes, x: dict[int, int]) -> None:
        """What the goals count, and the wishes about where all CPUs lie."""
        nodes = self._met(len(one.cpus), x, self._nodes())
        packages = self._met(len(one.cpus), x, [set(package.cpus) for package in self.host.packages])
        l3s = self._met(len(one.cpus), x, [set(group.cpus) for group in self.host.l3_groups])
        moves = {self.moves[one.container_id]: 1}
        for wished, marks in (
            (wishes.limit == "one", nodes),
            (wishes.one_package, packages),
            (wishes.l3 == "require-one", l3s),
        ):
            if wished:
                self.program.at_most(total(marks), 1)
        self.goals["memory"].append({self._memory(one, nodes): 1})
        kept = total(chosen for cpu, chosen in x.items() if cpu in one.cpus)
        self.goals["given up"].append(added(times(len(one.cpus), moves), times(-1, kept)))
        self.goals["nodes"].append(total(nodes))
        self.goals["distance"].append({} if wishes.limit == "one" else self._distance(nodes))
        self.goals["packages"].append(total(packages))
        self.goals["l3_groups"].append(total(l3s) if wishes.l3 != "ignore" else {})
        self.goals["others_remembered"].append({self._remembered(one, wishes, x): 1})
        if wishes.cores not in ("any", "isolate"):
            self._cores(x, whole=wishes.cores == "require-full")

    def _nodes(self) -> list[set[int]]:
        return [set(node.cpus) for node in self.host.nodes]

    def _distance(self, nodes: list[int]) -> dict[int, int]:
        """A variable for each pair of nodes, 1 when both are met, times how far apart they are, there and back."""
        far: dict[int, int] = {}
        for (a, met_a), (b, met_b) in combinations(zip(self.host.nodes, nodes, strict=True), 2):
            both = self.program.variable()
            self.program.at_least({both: 1, met_a: -1, met_b: -1}, -1)
            far[both] = self.host.distance(a.id, b.id) + self.host.distance(b.id, a.id)
        return far

    def _memory(self, one: Assignment, nodes: list[int]) -> int:
        """1 when a mover that is bound to memory nodes leaves one or meets a new one."""
        changes = self.program.variable()
        if self.state.policy.memory_scope == "exclusive":
            for cpus, met in zip(self._nodes(), nodes, strict=True):
                if cpus & set(one.cpus):
                    self.program.at_least({changes: 1, met: 1, self.moves[one.container_id]: -1}, 0)
                else:
                    self.program.implies(met, changes)
        return changes

    def _remembered(self, one: Assignment, wishes: ResolvedWishes, x: dict[int, int]) -> int:
        """1 when a CPU is taken that is remembered for somebody else, and was not its own."""
        mine, others = (one.request.pod, one.request.name), set()
        for (pod, name), held in self.state.remembered.items():
            if pod != mine[0] or (name != mine[1] and not held.init):
                others |= set(cp.CpuSet.from_mask(held.cpus)) - set(one.cpus | one.withheld)
        takes = self.program.variable()
        for cpu, chosen in x.items():
            if (self.threads[cpu] if wishes.cores == "isolate" else {cpu}) & others:
                self.program.implies(chosen, takes)
        return takes

    def _cores(self, x: dict[int, int], *, whole: bool) -> None:
        """Cores touched, and broken ones: or nothing but whole cores."""
        for core in self.host.cores:
            inside = [cpu for cpu in core.cpus if cpu in x]
            self.goals["cores"].append(total(self._met(len(inside), x, [set(inside)])))
            broken = self.program.variable()
            self.goals["broken_cores"].append({broken: 1})
            for taken, stays in permutations(inside, 2):
                if whole:
                    self.program.implies(x[taken], x[stays])
                else:
                    self._breaks(x[taken], x[stays], stays, broken)

    def _breaks(self, taken: int, stays: int, cpu: int, broken: int) -> None:
        """A core is broken when one thread is taken and another stays that is free, or whose holder moves."""
        terms, least = {broken: 1, taken: -1, stays: 1}, 0
        if cpu in self.holder:
            terms[self.moves[self.holder[cpu].container_id]] = -1
            least = -1
        self.program.at_least(terms, least)
