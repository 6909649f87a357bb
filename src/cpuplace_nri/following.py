"""Following: what is done once an answer is on its way: comparing what the kernel has, widening what waited.

Both go past the runtime, straight to the cgroup, while nobody decides: so no answer can be overtaken by an older one,
and no runtime can be blocked by being called. What the runtime has in its own books is stale then, until a reply says
it again.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Final

from attrs import frozen

from cpuplace import Held, Kind
from cpuplace_nri.answer import Answer, Changes
from cpuplace_nri.cgroups import Cgroups
from cpuplace_nri.deciding import Deciding
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.manners import Manners
from cpuplace_nri.node import Node
from cpuplace_nri.proto.nri_pb2 import ContainerUpdate
from cpuplace_nri.service import RuntimeLink
from cpuplace_nri.translate import updates
from cpuplace_nri.voice import Voice

LOOK: Final = 0.5
"""Seconds after an answer until its containers are looked at: the runtime needs some to carry it out."""
SECOND_LOOK: Final = 1.0
"""Seconds until those that differ are looked at once more: only who differs twice has drifted."""
ROUND: Final = 30.0
"""Seconds between two looks at everybody."""
BUSY: Final = 10
"""So many times its delay widening waits at most while containers with CPUs of their own keep coming."""
TRIES: Final = 5
TURN: Final = 0.25
"""Seconds after which a plan that is being written lets others decide: a runtime gives them 2, kernels can be slow."""


@frozen(slots=True, kw_only=True)
class Differs:
    """A container whose cgroup is not as decided; `repairable` False = the CPUs that were asked for cannot be used.

    `now` "" = it has none (yet).
    """

    container_id: str
    should: Held
    now: str
    repairable: bool = True


Courier = Callable[[list[ContainerUpdate]], Awaitable[bool]]
"""Brings updates to a runtime that must not be called, by a second connection; False when it could not."""


class Following:
    """Timers and looks of one plugin. `courier`: where to turn when neither the cgroup can be written nor the runtime
    be called."""

    def __init__(
        self,
        node: Node,
        deciding: Deciding,
        cgroups: Cgroups,
        voice: Voice,
        manners: Manners,
        courier: Courier | None = None,
    ) -> None:
        self._node, self._deciding, self._cgroups, self._voice = node, deciding, cgroups, voice
        self._manners, self._courier = manners, courier
        self._link: RuntimeLink | None = None
        self._fresh: dict[str, float] = {}
        self._doubted: dict[str, None] = {}
        self._limited: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._placed = self._waits_since = -math.inf

    def linked(self, link: RuntimeLink) -> None:
        """Another connection to the runtime."""
        self._link = link
        self._once("round", ROUND, self._look_around)

    def answered(self, answer: Answer) -> None:
        """An answer was given: look whether it was carried out, and widen what waits when nothing else does."""
        about = (*(key for key, _ in answer.changes), *(one.container_id for one in answer.decisions))
        self._fresh |= dict.fromkeys(filter(None, about), _now() + ROUND)
        self._once("look", LOOK, self._look_at_fresh)
        if answer.own is not None and answer.own.exclusive:
            self._placed = _now()
        if self._node.waits and not self._is_planned("widen"):
            self._plan_widening()

    def carry_out(self, answer: Answer) -> None:
        """An answer became true that no reply carries."""
        self._once(f"carry {id(answer)}", 0, lambda: self._carry(answer))

    async def widen(self) -> None:
        """Tell shared containers of the whole pool, all at once, when those who left CPUs have really left them.

        Not while others keep coming: the next of them would make every shared container leave some of it again.
        """
        if (unrest := self._unrest()) > 0:
            self._again("widen", unrest, self.widen)
            return
        state, unsettled = self._node.state, (*self._fresh, *self._doubted)
        if await asyncio.to_thread(lambda: any(map(self._still_on_others, unsettled))):
            self._again("widen", LOOK, self.widen)
            return
        async with self._deciding.turn:
            if self._node.state is not state:  # who gave CPUs back meanwhile may still run on them
                self._again("widen", 0, self.widen)
                return
            answer = await self._deciding.finished(self._node.overdue)
            self._node.commit(answer)
        await self._bring(key for key, _ in answer.changes)
        if self._node.waits:  # more came free meanwhile
            self._plan_widening()

    def _plan_widening(self) -> None:
        self._waits_since = _now()
        self._again("widen", self._manners.widen_delay, self.widen)

    def _unrest(self) -> float:
        """Seconds until nobody with CPUs of its own has come for a delay, or widening has waited long enough."""
        delay = self._manners.widen_delay
        return min(self._placed + delay, self._waits_since + BUSY * delay) - _now()

    async def close(self) -> None:
        """No more looks."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- writing ---------------------------------------------------------------------------------

    async def _carry(self, answer: Answer) -> None:
        """Step by step, as planned; when others decided meanwhile, what each holds now."""
        left, failed = list(answer.changes), list[tuple[str, Held]]()
        while left:
            async with self._deciding.turn:
                if self._node.state is not answer.known.state:
                    break
                failed += await self._write_some(left)
        await self._ask(tuple(failed))
        await self._bring(key for key, _ in left)

    async def _bring(self, ids: Iterable[str]) -> None:
        """Write what these hold, one at a time: a write can take long, and who creates a container does not wait."""
        failed: list[tuple[str, Held]] = []
        for key in dict.fromkeys(ids):
            async with self._deciding.turn:
                if key in self._node.state:
                    failed += await self._write(key, self._node.state[key].held)
        await self._ask(tuple(failed))

    async def _write_some(self, left: list[tuple[str, Held]]) -> Changes:
        """Write the first of these, taking them away, until others should have their turn. Hold it."""
        failed: list[tuple[str, Held]] = []
        until = _now() + TURN
        while left:
            failed += await self._write(*left.pop(0))
            if _now() >= until:
                break
        return tuple(failed)

    async def _write(self, key: str, held: Held) -> Changes:
        """Write past the runtime; what could not be. Hold the turn."""
        wrote = await asyncio.to_thread(self._wrote, key, held)
        self._node.written([key])
        return () if wrote else ((key, held),)

    def _wrote(self, key: str, held: Held) -> bool:
        """True when it was written, or need not be: who has not started yet gets it from the next reply."""
        try:
            self._cgroups.write(self._node.known.seen[key].cgroup, held)
        except FileNotFoundError:
            return True
        except OSError as error:
            self._voice.say("warning", "cannot write a cgroup", container=self._node.known.name(key), error=str(error))
            return False
        return True

    async def _ask(self, changes: Changes) -> None:
        """Have the runtime write what we could not, where it may be called; else the next reply says it.

        Others decide meanwhile, so what was asked for is compared with what holds then, and asked again.
        """
        for _ in range(TRIES):
            if not changes or not await self._sent(changes):
                return
            state = self._node.state
            self._node.told(key for key, held in changes if key in state and state[key].held == held)
            changes = tuple((key, state[key].held) for key, held in changes if key in state and state[key].held != held)

    async def _sent(self, changes: Changes) -> bool:
        link = self._link
        if link is None or link.closed.is_set():
            return False
        try:
            if link.abilities.unsolicited:
                failed = await link.update_containers(updates(changes))
                self._voice.count("updates_failed", by=len(failed))
                return True
            return self._courier is not None and await self._courier(updates(changes))
        except TtrpcError as error:
            self._voice.count("updates_failed")
            self._voice.say("warning", "the runtime refused an update", error=str(error))
            return False

    # --- looking ---------------------------------------------------------------------------------

    async def _look_at_fresh(self) -> None:
        """Who has not started yet stays fresh until a round has come by, and who is answered about meanwhile."""
        fresh = dict(self._fresh)
        missing = {one.container_id for one in await self._look_at(fresh) if not one.now}
        looked = {key: until for key, until in fresh.items() if key not in missing or until <= _now()}
        self._fresh = {key: until for key, until in self._fresh.items() if looked.get(key) != until}
        if self._fresh:
            self._again("look", LOOK, self._look_at_fresh)

    async def _look_around(self) -> None:
        differing = {one.container_id for one in await self._look_at(tuple(self._node.known.seen))}
        self._limited = {key: said for key, said in self._limited.items() if key in differing}
        self._again("round", ROUND, self._look_around)

    async def _look_at(self, ids: Iterable[str]) -> list[Differs]:
        """Who differs is looked at once more."""
        if self._manners.check == "off":
            return []
        differing = await self._differing(ids)
        doubted = [one.container_id for one in differing if one.now and one.container_id not in self._doubted]
        if doubted:
            self._doubted |= dict.fromkeys(doubted)
            self._again(f"doubt {id(doubted)}", SECOND_LOOK, partial(self._look_again, doubted))
        return differing

    async def _look_again(self, doubted: list[str]) -> None:
        """Who still differs has drifted."""
        try:
            drifted = [one for one in await self._differing(doubted) if one.now and self._is_new(one)]
            await self._mend(drifted)
        finally:
            for key in doubted:
                del self._doubted[key]

    async def _differing(self, ids: Iterable[str]) -> list[Differs]:
        """Beside those who decide: a look can take long, and whoever is decided about meanwhile is looked at again."""
        async with self._deciding.turn:
            pass  # what is being written is no difference
        return await asyncio.to_thread(lambda: [one for one in map(self._compare, tuple(ids)) if one is not None])

    def _still_on_others(self, key: str) -> bool:
        """Whether an owner still runs on CPUs that the state gave to the pool: the runtime is not done with it."""
        known = self._node.known
        if key not in known.state or not known.state[key].exclusive:
            return False
        cpuset = self._cgroups.read(known.seen[key].cgroup)
        return cpuset is not None and not cpuset.cpus <= known.state[key].cpus

    def _compare(self, key: str) -> Differs | None:
        known = self._node.known
        if key not in known.state or known.state[key].kind is Kind.UNMANAGED:
            return None
        should, cpuset = known.state[key].held, self._cgroups.read(known.seen[key].cgroup)
        if cpuset is None:
            return Differs(container_id=key, should=should, now="")
        if cpuset.cpus != should.cpus or (should.mems and cpuset.mems != should.mems):
            return Differs(container_id=key, should=should, now=f"{cpuset.cpus} on nodes {cpuset.mems}")
        if cpuset.effective != should.cpus & known.state.topology.online:
            return Differs(container_id=key, should=should, now=f"in effect {cpuset.effective}", repairable=False)
        return None

    def _is_new(self, one: Differs) -> bool:
        """What cannot be mended is said once."""
        if one.repairable:
            return True
        said = self._limited.get(one.container_id) == one.now
        self._limited[one.container_id] = one.now
        return not said

    async def _mend(self, drifted: list[Differs]) -> None:
        for one in drifted:
            self._voice.count("drift")
            what = "drifted" if one.repairable else "its CPUs cannot be used: offline, or outside its parent's"
            name = self._node.known.name(one.container_id)
            self._voice.say("warning", what, container=name, should=str(one.should.cpus), now=one.now)
        if self._manners.check == "repair":
            mended = [one.container_id for one in drifted if one.repairable]
            await self._bring(mended)
            self._voice.count("repairs", by=len(mended))

    # --- timers ----------------------------------------------------------------------------------

    def _once(self, name: str, delay: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it after a delay, unless that is planned already."""
        if not self._is_planned(name):
            self._again(name, delay, what)

    def _is_planned(self, name: str) -> bool:
        return name in self._tasks and not self._tasks[name].done()

    def _again(self, name: str, delay: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def later() -> None:
            await asyncio.sleep(delay)
            await what()

        task = asyncio.get_running_loop().create_task(later())
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.cancelled() and task.exception() is not None:
            self._voice.count("errors", name.split()[0])
            self._voice.say("error", f"{name} failed: {task.exception()!r}")


def _now() -> float:
    return asyncio.get_running_loop().time()
