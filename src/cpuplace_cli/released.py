"""Pods that have ended: which of a state they are, the state without them, and what comes free."""

from collections.abc import Iterable

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.idset import CpuSet
from cpuplace.planner import forget_pod
from cpuplace.state import HostState
from cpuplace_cli.suggestion import suggestion


@frozen(slots=True)
class Released:
    """One pod that has ended, and the CPUs that nobody owns since."""

    pod: str
    cpus: CpuSet

    def __str__(self) -> str:
        """In words."""
        count = len(self.cpus)
        free = f"{count} CPU{'' if count == 1 else 's'} {self.cpus} no longer exclusive" if count else "it had no CPUs"
        return f"{self.pod.removeprefix('default/')}: {free if count else free + ' of its own'}"


def release_pods(state: HostState, pods: Iterable[str]) -> tuple[HostState, tuple[Released, ...]]:
    """The state without anything of these pods, and what each of them leaves; nothing for one that is not there."""
    after, gone = state, []
    for pod in dict.fromkeys(pods):
        before, after = after, forget_pod(after, pod).after
        gone.append(Released(pod, (before.exclusive | before.withheld) - (after.exclusive | after.withheld)))
    return after, tuple(gone)


def pod_of(state: HostState, name: str) -> str:
    """The pod that a name means, `namespace/name` or a name in `default`; BadInput when the state has none such."""
    known = dict.fromkeys(
        [one.request.pod for one in state.assignments.values()] + [pod for pod, _ in state.remembered]
    )
    for pod in (name, f"default/{name}"):
        if pod in known:
            return pod
    shown = [pod.removeprefix("default/") for pod in known]
    raise BadInput("no such pod in the state", source=f"--release {name}", hint=suggestion(name, shown))
