"""Laws of carrying a plan out: all of it or nothing, in order, whatever happens at whichever write."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cpuplace as cp
from cgroup.fake import Killed
from cgroup.worlds import World, backend, check_true, mended, worlds
from cpuplace_cgroup.names import folder_name

ERRORS = (errno.EBUSY, errno.EINVAL, errno.ENOSPC, errno.EACCES, errno.ERANGE, errno.EROFS, errno.EPERM)


def changes_of(world: World) -> int:
    """How many changes the plan makes when nothing happens."""
    kernel = world.kernel()
    assert backend(kernel).carry_out(world.plan).ok
    return len(kernel.log)


@given(worlds())
def test_a_plan_that_is_carried_out_holds_in_the_kernel(world: World) -> None:
    kernel = world.kernel()
    outcome = backend(kernel).carry_out(world.plan)
    assert outcome.ok, str(outcome)
    assert (outcome.done, outcome.vanished, outcome.not_restored) == (len(world.plan.steps), (), ())
    check_true(kernel, cp.apply(world.state, world.plan))


@given(worlds())
def test_cpus_change_in_the_order_of_the_steps_and_never_otherwise(world: World) -> None:
    kernel = world.kernel()
    assert backend(kernel).carry_out(world.plan).ok
    wanted = []
    for step in world.plan.steps:
        file = f"cpuplace/{folder_name(step.container_id)}"
        was = step.before.cpus if step.before else None
        if step.after is None:
            wanted.append((file, "rmdir"))
        elif step.after.cpus != was:
            wanted.append((f"{file}/cpuset.cpus", str(step.after.cpus)))
    assert [(file, text) for file, text in kernel.log if text == "rmdir" or file.endswith("cpuset.cpus")] == wanted


@given(worlds(), st.data())
def test_whatever_is_refused_at_whichever_write_everything_is_as_before(world: World, data: st.DataObject) -> None:
    changes = changes_of(world)
    if not changes:
        return
    at = data.draw(st.integers(0, changes - 1))
    kernel = world.kernel()
    kernel.faults = {at: data.draw(st.sampled_from(ERRORS))}
    before, control = kernel.texts(), world.state
    outcome = backend(kernel).carry_out(world.plan)
    assert not outcome.ok and outcome.failure is not None
    assert errno.errorcode[kernel.faults[at]] in outcome.failure.said
    assert outcome.failure.step == outcome.done < len(world.plan.steps)
    assert outcome.failure.container_id == world.plan.steps[outcome.done].container_id
    if not outcome.not_restored:  # memory that was unbound cannot be unbound again while processes run
        assert kernel.texts() == before
    assert all("processes run there" in one for one in outcome.not_restored), str(outcome)
    for key, one in control.assignments.items():
        assert backend(kernel).observe()[key].cpus == one.cpus


@given(worlds(), st.data())
def test_killed_at_any_write_and_mended_afterwards(world: World, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, max(changes_of(world) - 1, 0)))
    kernel = world.kernel()
    kernel.kill_at = at
    if changes_of(world):
        with pytest.raises(Killed):
            backend(kernel).carry_out(world.plan)
    kernel.kill_at, kernel.dead = None, False
    remembers = data.draw(st.booleans())
    knows = world.state if remembers else cp.HostState.empty(world.state.topology, world.state.policy)
    asked = dict(world.asked)
    if data.draw(st.booleans()) and "new" not in world.state:  # who died before it told anybody
        asked.pop("new", None)
    after = mended(kernel, knows, asked)
    assert cp.violations(after) == ()
    check_true(kernel, after)
    assert mended(kernel, after, asked).version == after.version or after.policy.widen == "lazy"


@given(worlds(), st.data())
def test_a_container_that_ends_midway_stops_nobody_else(world: World, data: st.DataObject) -> None:
    kernel = world.kernel()
    victims = sorted(world.state.assignments)
    if not victims:
        return
    victim, at = data.draw(st.sampled_from(victims)), data.draw(st.integers(0, changes_of(world)))
    path = f"cpuplace/{folder_name(victim)}"
    kernel.before_change = lambda number: kernel.drop(path) if number == at else None
    outcome = backend(kernel).carry_out(world.plan)
    assert outcome.ok, str(outcome)
    assert set(outcome.vanished) <= {victim}
    after = cp.apply(world.state, world.plan)
    seen = backend(kernel).observe()
    for key, one in after.assignments.items():
        if key != victim:
            assert (seen[key].cpus or seen[key].effective_cpus) == one.cpus  # who came unseen has none of its own


@given(worlds(), st.data())
def test_what_cannot_be_set_back_is_said(world: World, data: st.DataObject) -> None:
    changes = changes_of(world)
    if changes < 2:
        return
    at = data.draw(st.integers(1, changes - 1))
    kernel = world.kernel()
    kernel.faults = {at: errno.EBUSY, at + 1: errno.EBUSY}
    before = kernel.texts()
    outcome = backend(kernel).carry_out(world.plan)
    assert not outcome.ok
    changed = {key for key in before.keys() | kernel.texts().keys() if before.get(key) != kernel.texts().get(key)}
    for place in changed:
        assert any(f"/{place}" in one for one in outcome.not_restored), (place, str(outcome))


@given(worlds())
def test_dry_writes_are_those_that_are_made(world: World) -> None:
    kernel = world.kernel()
    ours = backend(kernel)
    paper = [(one.file.removeprefix("/sys/fs/cgroup/"), one.text or "rmdir") for one in ours.writes(world.plan)]
    paper = [(file.removesuffix("/rmdir"), text) for file, text in paper]
    assert ours.carry_out(world.plan).ok
    done = [one for one in kernel.log if one[1] not in ("mkdir", "+cpuset")]
    assert [one for one in paper if one in done] == done
