"""One event after another, answers carried out as a runtime does: whatever happens, nobody but its owner runs on an
exclusive CPU, at no moment, and a plugin that starts anew finds all as it was."""

import itertools
from collections.abc import Collection, Iterable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import cpuplace as cp
from cpuplace_nri.answer import Answer, Changes
from cpuplace_nri.node import Node
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.translate import PLACED, adjustment, asked_cpus, seen_of, updates, with_numbers
from nri.messages import container, pod, resources

HOST = cp.Topology.uniform(packages=2, cores_per_l3=3, threads_per_core=2)
ANNOTATIONS: list[dict[str, str]] = [
    {},
    {},
    {"cpuplace.dev/cores": "2-3"},
    {"cpuplace.dev/cores": "1,7"},
    {"weka.io/cores-ids": "0"},
    {"cpuplace.dev/forbid": "0-1"},
    {"cpuplace.dev/numa": "require-one"},
    {"cpuplace.dev/manage": "false"},
    {"cpuplace.dev/cores": "nonsense"},
    {"cores.cpuplace.dev/side": "4-5"},
]
POLICIES = [
    cp.Policy(),
    cp.Policy.weka(),
    cp.Policy(reserved=cp.CpuSet([0])),
    cp.Policy(integer_scope="container"),
    cp.Policy(unmanaged_namespaces=frozenset({"default"})),
]
EVERYWHERE = HOST.online


class Nodes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pods: dict[str, nri.PodSandbox] = {}
        self.told: dict[str, nri.Container] = {}  # the runtime's books
        self.host = HOST
        self.numbers = itertools.count()

    @initialize(policy=st.sampled_from(POLICIES))
    def begin(self, policy: cp.Policy) -> None:
        self.policy = policy
        self.node = Node(HOST, policy)

    # --- the runtime -----------------------------------------------------------------------------

    def runs_on(self, key: str) -> cp.CpuSet:
        text = self.told[key].linux.resources.cpu.cpus
        return cp.CpuSet.parse(text) if text else self.host.online

    def write(self, key: str, cpus: str, mems: str) -> None:
        assert cpus, "an empty list means no change"
        self.told[key].linux.resources.cpu.cpus = cpus
        if mems:
            self.told[key].linux.resources.cpu.mems = mems

    def carry_out(self, changes: Changes, *, one_each: bool = True, arriving: Iterable[str] = ()) -> None:
        """`arriving`: who has no CPUs of its own yet, and gets them on the way."""
        waiting = set(arriving)
        messages = updates(changes)
        if one_each:
            ids = [one.container_id for one in messages]
            assert len(ids) == len(set(ids)), "a second update of one container fails the request"
        for one in messages:
            if one.container_id in self.told:
                self.write(one.container_id, one.linux.resources.cpu.cpus, one.linux.resources.cpu.mems)
                self.nobody_intrudes(waiting := waiting - {one.container_id})

    def nobody_intrudes(self, arriving: Collection[str] = ()) -> None:
        state = self.node.state
        there = [key for key in self.told if key in state and key not in arriving]
        for key in there:
            if state[key].exclusive and not state[key].degraded:
                for other in there:
                    if other != key and state[other].kind is not cp.Kind.UNMANAGED:
                        self.apart(key, other)

    def kinds(self) -> set[tuple[str, cp.Kind, str]]:
        """What everybody is, and how well it has what it is to have."""
        return {(key, one.kind, one.degraded) for key, one in self.node.state.assignments.items()}

    def apart(self, key: str, other: str) -> None:
        state = self.node.state
        if state[other].degraded or state[other].request.pod == state[key].request.pod:
            return
        if state.policy.pin_overlap == "share" and state[other].kind is not cp.Kind.SHARED:
            return
        both = self.runs_on(key) & self.runs_on(other)
        assert not both or state.low_pool, (key, other, both)

    def take(self, answer: Answer) -> None:
        """An answer that nobody waits for: each change is a call of its own."""
        before = self.kinds()
        self.commit(answer)
        self.carry_out(answer.changes, one_each=False, arriving={key for key, *_ in self.kinds() - before})
        self.nobody_intrudes()

    def commit(self, answer: Answer) -> None:
        self.node.commit(answer)

    # --- events ----------------------------------------------------------------------------------

    @rule(
        annotations=st.sampled_from(ANNOTATIONS),
        qos=st.sampled_from(["guaranteed", "guaranteed", "burstable", "besteffort"]),
        cpu=st.sampled_from([None, 500, 1000, 2000, 3000, 2500]),
        cpus=st.sampled_from(["", "", "", "", "4-5"]),
        fails=st.sampled_from([False, False, False, True]),
        again=st.booleans(),
    )
    def create(
        self, annotations: dict[str, str], qos: str, cpu: int | None, cpus: str, fails: bool, again: bool
    ) -> None:
        number = next(self.numbers)
        if again and self.pods:
            sandbox = sorted(self.pods.values(), key=lambda one: one.id)[number % len(self.pods)]
        else:
            sandbox = pod(f"u{number}", qos=qos, annotations=annotations)
            self.pods[sandbox.id] = sandbox
        name = ("main", "side")[number % 2]
        made = container(f"c{number}", sandbox, name=name, cpu=cpu, cpus=cpus)
        answer = self.node.create(seen_of(sandbox, made, created=True))
        if isinstance(answer, cp.Refusal):
            return
        assert answer.own is not None
        former = [one.id for one in self.told.values() if one.name == name and one.pod_sandbox_id == sandbox.id]
        for key in former:  # its stop is told later, or never
            del self.told[key]
        self.carry_out(answer.changes)
        self.commit(answer)
        if fails:
            self.commit(self.node.stop(made.id))
            return
        adjust = adjustment(answer.own, memory_policy=False, quota_off=True)
        self.told[made.id] = made
        made.annotations.update(adjust.annotations)
        if not answer.own.left_alone:
            self.write(made.id, adjust.linux.resources.cpu.cpus, adjust.linux.resources.cpu.mems)
        self.nobody_intrudes()

    @precondition(lambda self: self.told)
    @rule(data=st.data(), cpu=st.sampled_from([None, 1000, 2000, 3000, 1500]), cpus=st.sampled_from(["", "", "0-11"]))
    def update(self, data: st.DataObject, cpu: int | None, cpus: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.told)))
        known = self.node.known.seen.get(key)
        if known is None:
            return
        asked = resources(cpu=cpu, cpus=cpus)
        answer = self.node.update(with_numbers(known, asked), asked_cpus(asked))
        if isinstance(answer, cp.Refusal):
            return
        before = self.told[key].linux.resources.cpu.cpus
        for name in ("shares", "quota", "period"):
            if getattr(asked.cpu, name).value:
                getattr(self.told[key].linux.resources.cpu, name).value = getattr(asked.cpu, name).value
        if cpus and self.node.state[key].kind is cp.Kind.UNMANAGED:
            self.told[key].linux.resources.cpu.cpus = cpus
        owned = self.node.state[key].exclusive
        self.commit(answer)
        self.carry_out(answer.changes, arriving=() if owned else (key,))
        if self.node.state[key].kind is not cp.Kind.UNMANAGED:
            assert answer.changes[-1][0] == key, "its own change is made last"
            assert self.told[key].linux.resources.cpu.cpus == str(self.node.state[key].cpus) or not before

    @precondition(lambda self: self.told)
    @rule(data=st.data(), silent=st.booleans())
    def stop(self, data: st.DataObject, silent: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.told)))
        del self.told[key]
        answer = self.node.stop(key)
        self.commit(answer)
        self.carry_out(answer.changes)
        again = self.node.stop(key)
        assert not again.changes and again.known.state is self.node.state

    @precondition(lambda self: self.pods)
    @rule(data=st.data())
    def remove_pod(self, data: st.DataObject) -> None:
        sandbox = self.pods.pop(data.draw(st.sampled_from(sorted(self.pods))))
        for key in [one.id for one in self.told.values() if one.pod_sandbox_id == sandbox.id]:
            del self.told[key]
        answer = self.node.remove_sandbox(sandbox.id, sandbox.uid)
        self.commit(answer)
        self.carry_out(answer.changes)
        assert not any(pod == sandbox.uid for pod, _ in self.node.state.remembered)

    @rule()
    def widen(self) -> None:
        answer = self.node.overdue()
        self.commit(answer)
        self.carry_out(answer.changes)
        assert not self.node.waits

    @rule(online=st.sampled_from(["0-11", "0-10", "1-11", "0-4,6-11"]))
    def hotplug(self, online: str) -> None:
        self.host = HOST.with_online(cp.CpuSet.parse(online))
        self.take(self.node.change_topology(self.host))

    @rule(policy=st.sampled_from(POLICIES))
    def reload(self, policy: cp.Policy) -> None:
        plan = self.node.change_policy(policy)
        if isinstance(plan, cp.Refusal):
            assert plan.container_id in self.node.state
            return
        self.policy = policy
        self.take(self.node.carried(plan))

    @rule(unseen=st.booleans())
    def restart(self, unseen: bool) -> None:
        """A new plugin, that knows nothing; perhaps a container came while nobody was there."""
        if unseen and self.pods:
            number = next(self.numbers)
            sandbox = self.pods[min(self.pods)]
            self.told[f"c{number}"] = container(f"c{number}", sandbox, name=f"unseen{number}", cpu=1000)
        before = self.node
        self.node = Node(self.host, self.policy)
        seen = [seen_of(self.pods[one.pod_sandbox_id], one) for one in self.told.values()]
        answer = self.node.synchronize(seen, {one.uid for one in self.pods.values()})
        self.commit(answer)
        for change in answer.changes:
            (one,) = updates([change])
            self.write(one.container_id, one.linux.resources.cpu.cpus, one.linux.resources.cpu.mems)
        self.nobody_intrudes()
        self.nothing_moved_without_need(before, unseen=unseen)

    def nothing_moved_without_need(self, before: Node, *, unseen: bool) -> None:
        if unseen or before.state.low_pool or any(one.degraded for one in before.state.owners.values()):
            return
        for key, one in before.state.owners.items():
            if key in self.told and one.kind is cp.Kind.INTEGER and self.node.state[key].kind is cp.Kind.INTEGER:
                assert self.node.state[key].cpus == one.cpus
                if self.told[key].annotations.get(PLACED) == str(one.baseline):  # who came to have its own CPUs
                    assert len(self.node.state[key].baseline) == len(one.baseline)  # later began with others

    # --- always ----------------------------------------------------------------------------------

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, "node"):
            return
        state = self.node.state
        assert cp.violations(state) == ()
        for key in self.told:
            if key in state and state[key].kind is not cp.Kind.UNMANAGED:
                assert self.runs_on(key) == state[key].cpus, key
        assert state.assignments.keys() == self.told.keys()
        assert self.node.names.keys() == self.told.keys()


TestNodes = Nodes.TestCase
