"""Errand: a link whose updates go by a second connection, where the first cannot send them (`second_connection`)."""

from collections.abc import Callable, Iterable
from pathlib import Path

from cpuplace_nri.abilities import Abilities
from cpuplace_nri.answer import Answer
from cpuplace_nri.delivering import deliver
from cpuplace_nri.errors import TtrpcError
from cpuplace_nri.following import Following
from cpuplace_nri.identity import Identity
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.running import connected_socket
from cpuplace_nri.service import RuntimeLink
from cpuplace_nri.ttrpc import Code

_SAFE = (0, 12, 1)


class Errand:
    """A RuntimeLink that can always be asked for updates; `socket` is the runtime's."""

    def __init__(
        self, link: RuntimeLink, socket: Path, identity: Identity, on_error: Callable[[Exception], None]
    ) -> None:
        self._link, self._socket, self._identity, self._on_error = link, socket, identity, on_error
        self.closed = link.closed
        self.abilities = Abilities(_SAFE)  # what matters to who asks: updates at any time

    async def update_containers(self, updates: Iterable[nri.ContainerUpdate]) -> tuple[nri.ContainerUpdate, ...]:
        """By the first connection where that is safe, else by a second one; then what came of it the cgroups say."""
        if self._link.abilities.unsolicited:
            return await self._link.update_containers(updates)
        try:
            sock = await connected_socket(self._socket)
        except OSError as error:
            raise TtrpcError(Code.UNAVAILABLE, f"{self._socket}: {error.strerror or error}") from None
        wanted = tuple(updates)
        told = await deliver(sock, wanted, self._identity, on_error=self._on_error)
        return () if told else wanted


class FollowingByErrand:
    """What is done once an answer is on its way, with links whose updates may go by a second connection."""

    def __init__(self, following: Following, errand: Callable[[RuntimeLink], Errand]) -> None:
        self._following, self._errand = following, errand

    def linked(self, link: RuntimeLink) -> None:
        """Another connection."""
        self._following.linked(self._errand(link))

    def answered(self, answer: Answer) -> None:
        """An answer was given, and is true."""
        self._following.answered(answer)

    def carry_out(self, answer: Answer) -> None:
        """An answer is true that nobody carries out for us."""
        self._following.carry_out(answer)
