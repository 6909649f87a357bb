"""ManagedHost: this host as one command after another manages it: groups, and the state kept between commands."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from attrs import define, evolve, field, frozen

from cpuplace import (
    AlreadyPlaced,
    Assignment,
    BadInput,
    ContainerRequest,
    CpuplaceError,
    HostState,
    Plan,
    Policy,
    Refusal,
    Refused,
    Topology,
    apply,
    change_topology,
    forget_pod,
    place,
    release,
    synchronize,
)
from cpuplace_cgroup.backend import CgroupBackend
from cpuplace_cgroup.drift import Drift, drift, intruders
from cpuplace_cgroup.group import Group, Observation, observed
from cpuplace_cgroup.observing import effective, mount_of
from cpuplace_cgroup.outcome import Outcome
from cpuplace_cgroup.statedir import PATIENCE, StateDir
from cpuplace_cgroup.statefile import Kept
from cpuplace_cgroup.strangers import acquainted, check_agreement
from cpuplace_cgroup.systemd import allowed_cpus_lines, systemd_runs


class NotCarriedOut(CpuplaceError):  # noqa: N818
    """A plan that the kernel did not take; `.outcome` says why, and what was restored."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


@frozen(slots=True, kw_only=True)
class View:
    """The host as it is now, beside what is kept of it; nothing was changed to see it.

    `runs`: container id -> the process that waits for it, 0 = that one has gone. `news`: what the next command that
    changes something does first. `keep_off`: what keeps systemd's units off exclusive CPUs, where they are not yet.
    """

    state: HostState
    observation: Observation
    runs: dict[str, int]
    news: tuple[str, ...] = ()
    keep_off: tuple[str, ...] = ()

    @property
    def drift(self) -> tuple[Drift, ...]:
        """Where the groups differ from the state."""
        return drift(self.state, self.observation)

    @property
    def intruders(self) -> tuple[Group, ...]:
        """Groups of others that may run on exclusive CPUs."""
        return intruders(self.state, self.observation)


@frozen(slots=True, kw_only=True)
class ManagedHost:
    """One root of groups on one host. `policy` None = the one that was kept, or the default on an idle host.

    `patience`: seconds to wait for another command that is at work.
    """

    host: Topology
    backend: CgroupBackend
    kept: StateDir = field(factory=StateDir)
    policy: Policy | None = None
    patience: float = PATIENCE

    def look(self) -> View:
        """What is there, without a lock and without changing anything; BadInput when the state is torn."""
        observation = self.backend.observe()
        state, runs = self._known(observation), self.kept.runs()
        news = [f"{key}: its cpuplace run has gone, its CPUs are given back" for key in _abandoned(runs, observation)]
        if state.topology != self.host:
            news.append("the host has changed (CPUs on- or offline): the groups follow")
            state = apply(state, change_topology(state, self.host))
        state = acquainted(state, observation)
        return View(
            state=state,
            observation=observation,
            runs=runs,
            news=tuple(news),
            keep_off=_keep_off(self.backend, state),
        )

    @contextmanager
    def alone(self) -> Iterator["Session"]:
        """The state, with the lock held: nobody else decides meanwhile. What was left behind is tidied first.

        Raises Locked when another command does not end, BadInput for a torn state or one of another root,
        NotCarriedOut when the groups cannot follow the host.
        """
        with self.kept.locked(wait=self.patience):
            observation = self.backend.observe()
            session = Session(self, self._known(observation), observation)
            session.tidy()
            yield session

    @contextmanager
    def running(self, ask: Callable[["Session"], ContainerRequest]) -> Iterator["Running"]:
        """What a container holds, as long as the block lasts; then it is given back. `ask` makes its request.

        Raises Refused when it cannot have it, NotCarriedOut when the kernel does not take it. When processes are left
        in its group at the end, it stays with them: whichever command comes after they have ended gives it back.
        """
        with ExitStack() as stack:
            with self.alone() as session:
                request = ask(session)
                plan = session.start(request)
                stack.enter_context(self.kept.running(request.container_id))
                run = Running(notes=[])
                stack.callback(self._give_back, request.container_id, run)
                session.carry_out(plan, strict=True)
                run.held = session.state[request.container_id]
                run.notes += [*session.notes, *plan.notes]
            yield run

    def repair(self) -> tuple[Plan, Outcome, tuple[str, ...]]:
        """Mend what differs: the plan, how it went, and what was noted. A state that cannot be read is made anew."""
        notes = []
        with self.kept.locked(wait=self.patience):
            observation = self.backend.observe()
            try:
                state = self._known(observation)
            except BadInput as bad:
                notes.append(f"the state could not be read and is made anew from what runs: {bad.problem}")
                state = self._new(observation)
            session = Session(self, state, observation)
            session.tidy()
            requests = {key: one.request for key, one in session.state.assignments.items()}
            plan = synchronize(session.state, observed(self.backend.observe(), requests))
            outcome = session.carry_out(plan)
            session.keep()
        return plan, outcome, (*notes, *session.notes)

    def _known(self, observation: Observation) -> HostState:
        """What is kept, else the state of a host on which we have placed nothing yet."""
        kept = self.kept.read()
        if kept is None:
            return self._new(observation)
        if kept.root != self.backend.root:
            raise BadInput(
                f"is about the groups below {kept.root}, not {self.backend.root}",
                source=str(self.kept.file),
                hint="say --root as before, or another --state-dir",
            )
        if self.policy is not None:
            check_agreement(kept.state.policy, self.policy, source=str(self.kept.file))
        return kept.state

    def _new(self, observation: Observation) -> HostState:
        """Nothing but strangers; CPUs that the root may not use are none of ours."""
        policy = self.policy or Policy()
        usable = self.host.online if policy.usable is None else policy.usable
        if observation.cpus and usable - observation.cpus:
            policy = evolve(policy, usable=usable & observation.cpus)
        return acquainted(HostState.empty(self.host, policy), observation)

    def _give_back(self, container_id: str, run: "Running") -> None:
        run.notes.clear()
        with self.kept.locked(wait=self.patience):
            observation = self.backend.observe()
            session = Session(self, self._known(observation), observation)
            session.give_back(container_id)
            run.notes += session.notes


@define(slots=True, kw_only=True)
class Running:
    """What a run holds; `notes`: first what happened when it was placed, after the end what could not be given back."""

    notes: list[str]
    held: Assignment = field(init=False)


class Session:
    """The state while nobody else may change it; `notes` is what was done beside what was asked for."""

    def __init__(self, managed: ManagedHost, state: HostState, observation: Observation) -> None:
        self._managed, self._observation = managed, observation
        self.state = state
        self.notes: list[str] = []

    def carry_out(self, plan: Plan, *, strict: bool = False) -> Outcome:
        """Carry a plan out, and keep what it leads to when all of it was; `strict`: raise NotCarriedOut otherwise."""
        outcome = self._managed.backend.carry_out(plan)
        if outcome.ok:
            self.state = apply(self.state, plan)
            for gone in outcome.vanished:
                self.state = apply(self.state, release(self.state, gone))
            self.keep()
        elif strict:
            raise NotCarriedOut(outcome)
        return outcome

    def keep(self) -> None:
        """Write the state."""
        self._managed.kept.write(Kept(self._managed.backend.root, self.state))

    def start(self, request: ContainerRequest) -> Plan:
        """The plan for a container that is not there yet; raises Refused."""
        answer: Plan | Refusal = place(self.state, request)
        if request.container_id in self.state or request.container_id in self._observation:
            sentence = "something of this name runs already: take another"
            answer = AlreadyPlaced(container_id=request.container_id, rule="R15", sentence=sentence)
        if isinstance(answer, Refusal):
            raise Refused(answer)
        return answer

    def free_name(self, stem: str) -> str:
        """A name that nobody has: the stem, or stem-2, stem-3, ..."""
        name, number = stem, 1
        while name in self.state or name in self._observation:
            number += 1
            name = f"{stem}-{number}"
        return name

    def adopt(self, requests: Iterable[ContainerRequest]) -> None:
        """Take strangers that these requests are about for what they ask for, with the CPUs they have.

        So a state that was lost is found again when the same manifests are applied.
        """
        known = {key: one.request for key, one in self.state.assignments.items()}
        strange = {
            one.container_id: one
            for one in requests
            if one.container_id in self._observation and self._is_strange(one.container_id)
        }
        if strange:
            seen = observed(self._observation, known | strange)
            self.carry_out(synchronize(self.state, seen), strict=True)
            self.notes += [f"{key}: found with {self.state[key].cpus}, taken over" for key in strange]

    def _is_strange(self, container_id: str) -> bool:
        return container_id not in self.state or self.state[container_id].kind == "unmanaged"

    # --- tidying ---------------------------------------------------------------------------------

    def tidy(self) -> None:
        """What others left: a host that changed, commands that were killed, groups that nobody knows."""
        managed, before = self._managed, self.state
        self.state = acquainted(self.state, self._observation)
        if self.state.topology != managed.host:
            plan = change_topology(self.state, managed.host)
            self.carry_out(plan, strict=True)
            self.notes += plan.notes
        for key in _abandoned(managed.kept.runs(), self._observation):
            self.give_back(key)
            self.notes.append(f"{key}: its cpuplace run was killed, its CPUs are given back")
        managed.backend.sweep(self.state.assignments)
        if self.state is not before and managed.kept.file.exists():
            self.keep()

    def give_back(self, container_id: str) -> None:
        """Release what a run held, unless processes are still there."""
        if container_id in self.state:
            plan = forget_pod(self.state, self.state[container_id].request.pod)
            outcome = self.carry_out(plan)
            if not outcome.ok:
                self.notes.append(f"{container_id}: kept, {outcome.failure}")
                return
        self._managed.kept.ended(container_id)


def _keep_off(backend: CgroupBackend, state: HostState) -> tuple[str, ...]:
    """The commands for those of systemd's units that may run on exclusive CPUs now."""
    if not systemd_runs():
        return ()
    taken, mount = state.exclusive | state.withheld, mount_of(backend.files, backend.root)
    lines = [(line, line.split()[3]) for line in allowed_cpus_lines(state)]
    return tuple(line for line, unit in lines if effective(backend.files, f"{mount}/{unit}")[0] & taken)


def _abandoned(runs: dict[str, int], observation: Observation) -> list[str]:
    """Whose command has gone, and whose group is empty or gone too."""
    return [key for key, pid in runs.items() if not pid and not getattr(observation.get(key), "populated", False)]
