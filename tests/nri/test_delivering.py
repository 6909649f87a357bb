"""Errands by a second connection: what runs is asked for, and counts only as a whole."""

from collections.abc import Iterable

from cpuplace_nri.config import Config, nri_policy
from cpuplace_nri.delivering import fetch
from cpuplace_nri.identity import Identity
from cpuplace_nri.proto import nri_pb2 as nri
from nri.fake_runtime import FakeRuntime, a_container, a_pod
from nri.gowire import GoneError
from nri.peers import Peer
from nri.placing import Placing
from nri.test_plugin import asynchronous


class InParts(FakeRuntime):
    """Tells what runs in two parts; `breaks_off`: the second one is never told."""

    breaks_off = False

    async def _synchronize(self, peer: Peer) -> Iterable[nri.ContainerUpdate]:
        first = nri.SynchronizeRequest(pods=self.pods.values(), containers=self.kernel.specs.values(), more=True)
        answer = nri.SynchronizeResponse.FromString(await self.call(peer, "Synchronize", first))
        assert answer.more and not answer.update
        if self.breaks_off:
            raise GoneError("broken off")
        last = await self.call(peer, "Synchronize", nri.SynchronizeRequest())
        return nri.SynchronizeResponse.FromString(last).update


@asynchronous
async def test_what_was_told_before_it_broke_off_is_worth_nothing() -> None:
    async with InParts("0.8") as rt:
        at = Placing(rt, Config(policy=nri_policy()))
        await rt.run(a_pod("p", qos="guaranteed"), a_container("db", "p", cpu=2, limited=True))

        async def asked() -> bool:
            return await fetch(rt.connect(), at.plugin, Identity(), on_error=at.errors.append)

        assert await asked() and list(at.node.state.assignments) == ["db"]
        rt.breaks_off = True
        assert not await asked()
        await rt.remove_pod("p")
        rt.breaks_off = False
        assert await asked() and list(at.node.state.assignments) == []
        await at.close()
        assert at.errors == []
