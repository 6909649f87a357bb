"""How a test looks at what the kernel changes meanwhile."""

from collections.abc import Callable

import pytest

from cpuplace import CpuSet, NodeSet
from e2e.containerd import groups
from e2e.containerd.groups import Seen

NODES = NodeSet([0])


def seen(asked: str, effective: str, allowed: str) -> Seen:
    """A look at one group."""
    cpus = [CpuSet.parse(text) for text in (asked, effective, allowed)]
    return Seen(cpus[0], NODES, cpus[1], NODES, cpus[2], NODES)


def one_after_the_other(*looks: Seen) -> Callable[[], Seen]:
    """Looks at different moments; the last one is how it stays."""
    left = list(looks)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_look_across_a_change_is_taken_again() -> None:
    torn, told, after = seen("0-1", "0-3", "0-1"), seen("0-3", "0-3", "0-1"), seen("0-3", "0-3", "0-3")
    assert groups.settled(one_after_the_other(torn, after)).agreed == CpuSet.parse("0-3")
    assert groups.settled(one_after_the_other(torn, told, told, told, after)) == after


def test_a_group_whose_processes_never_learn_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "SETTLING", 0.01)
    stays = seen("0-3", "0-3", "0-1")
    assert groups.settled(lambda: stays) == stays
    with pytest.raises(AssertionError, match="0-1"):
        _ = stays.agreed
