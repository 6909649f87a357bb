"""ContainerRequest: what one container asks for, already read and classified (section 2 of the rules).

`kinds.py` makes these from what Kubernetes or a runtime says; authors of tools build them directly.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.given import check_types
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.wishes import NO_WISHES, Wishes


class Kind(StrEnum):
    """The kinds K0-K4 of section 2 of the rules."""

    UNMANAGED = "unmanaged"
    PINNED = "pinned"
    PINNED_SHARED = "pinned-shared"
    INTEGER = "integer"
    SHARED = "shared"


_TAKES: Final[dict[str, type]] = {"count": int, "pin": CpuSet, "forbid": CpuSet}
_PLAIN: Final = tuple(_TAKES.values())


@frozen(slots=True, kw_only=True)
class ContainerRequest:
    """What one container asks for. Use `integer`, `pinned`, `shared` or `unmanaged` to make one.

    `count` CPUs for an integer container, else 0. `pin` only for pinned kinds (and what an unmanaged one was
    given by others). `limit` is the whole CPU limit, when there is one (`Policy.pin_size` compares it).
    `memory_bytes` and `huge_pages` (page size -> bytes) are what a strict memory policy budgets.
    `notes` are remarks from reading the request that belong into the plan.
    """

    container_id: str
    kind: Kind
    pod: str
    name: str
    namespace: str = "default"
    count: int = 0
    pin: CpuSet = NO_CPUS
    forbid: CpuSet = NO_CPUS
    wishes: Wishes = NO_WISHES
    limit: int | None = None
    memory_bytes: int = 0
    huge_pages: Mapping[int, int] = field(factory=dict, hash=False)
    init: bool = False
    notes: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse types and numbers that no container can have."""
        if not self.container_id:
            raise BadInput("a container needs an id", source="request")
        if (type(self.count), type(self.pin), type(self.forbid)) != _PLAIN:  # at once: this is the hot path
            check_types(self, _TAKES, source=f"request {self.container_id}")
        if (self.kind is Kind.INTEGER) != (self.count > 0) or self.count < 0:
            raise BadInput(
                f"{self.kind} with {self.count} CPUs: an integer container asks for at least 1, others for 0",
                source=f"request {self.container_id}",
            )
        if self.memory_bytes < 0:
            raise BadInput("negative memory", source=f"request {self.container_id}")

    @staticmethod
    def integer(
        container_id: str,
        count: int,
        *,
        pod: str | None = None,
        name: str | None = None,
        namespace: str = "default",
        forbid: CpuSet = NO_CPUS,
        wishes: Wishes = NO_WISHES,
        memory_bytes: int = 0,
        huge_pages: Mapping[int, int] | None = None,
        init: bool = False,
    ) -> "ContainerRequest":
        """A container that is given `count` exclusive CPUs (K3); pod and name default to its id.

        >>> ContainerRequest.integer("c1", 4).count
        4
        """
        return ContainerRequest(
            container_id=container_id,
            kind=Kind.INTEGER,
            pod=container_id if pod is None else pod,
            name=container_id if name is None else name,
            namespace=namespace,
            count=count,
            forbid=forbid,
            wishes=wishes,
            limit=count,
            memory_bytes=memory_bytes,
            huge_pages=huge_pages or {},
            init=init,
        )

    @staticmethod
    def pinned(
        container_id: str,
        pin: CpuSet,
        *,
        exclusive: bool,
        pod: str | None = None,
        name: str | None = None,
        namespace: str = "default",
        limit: int | None = None,
        memory_bytes: int = 0,
        huge_pages: Mapping[int, int] | None = None,
        init: bool = False,
    ) -> "ContainerRequest":
        """A container that runs on exactly these CPUs: K1 when `exclusive` (its pod owns them), else K2."""
        return ContainerRequest(
            container_id=container_id,
            kind=Kind.PINNED if exclusive else Kind.PINNED_SHARED,
            pod=container_id if pod is None else pod,
            name=container_id if name is None else name,
            namespace=namespace,
            pin=pin,
            limit=limit,
            memory_bytes=memory_bytes,
            huge_pages=huge_pages or {},
            init=init,
        )

    @staticmethod
    def shared(
        container_id: str,
        *,
        pod: str | None = None,
        name: str | None = None,
        namespace: str = "default",
        forbid: CpuSet = NO_CPUS,
        init: bool = False,
    ) -> "ContainerRequest":
        """A container that runs on the pool with all other shared ones (K4)."""
        return ContainerRequest(
            container_id=container_id,
            kind=Kind.SHARED,
            pod=container_id if pod is None else pod,
            name=container_id if name is None else name,
            namespace=namespace,
            forbid=forbid,
            init=init,
        )

    @staticmethod
    def unmanaged(
        container_id: str,
        *,
        cpus: CpuSet = NO_CPUS,
        pod: str | None = None,
        name: str | None = None,
        namespace: str = "default",
    ) -> "ContainerRequest":
        """A container that is never touched (K0); CPUs set by others count as a shared pin."""
        return ContainerRequest(
            container_id=container_id,
            kind=Kind.UNMANAGED,
            pod=container_id if pod is None else pod,
            name=container_id if name is None else name,
            namespace=namespace,
            pin=cpus,
        )
