"""What `cpuplace run` was asked for, as a request."""

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.request import ContainerRequest
from cpuplace.wishes import NO_WISHES, Wishes


@frozen(slots=True, kw_only=True)
class Asked:
    """The options that say which CPUs; raises BadInput for those that exclude each other."""

    cpus: int | None = None
    pin: CpuSet | None = None
    shared: bool = False
    wishes: Wishes = NO_WISHES
    forbid: CpuSet = NO_CPUS

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.cpus is None and self.pin is None and not self.shared:
            raise BadInput("not said which CPUs", source="run", hint="--cpus N, --pin LIST or --shared")
        if self.cpus is not None and (self.pin is not None or self.shared):
            raise BadInput("a number of CPUs of its own", source="--cpus", hint="leave out --pin and --shared")
        if self.cpus is not None and self.cpus < 1:
            raise BadInput(f"must be at least 1, not {self.cpus}", source="--cpus")
        if self.cpus is None and self.wishes != NO_WISHES:
            raise BadInput("wishes are about --cpus N", source="run", hint="a pin is taken as it is, the pool too")
        if self.pin is not None and self.forbid:
            raise BadInput("a pin is taken as it is", source="--forbid", hint="leave these CPUs out of --pin")

    def request(self, name: str) -> ContainerRequest:
        """The request of a container of this name, which is its pod's too."""
        if self.cpus is not None:
            return ContainerRequest.integer(name, self.cpus, wishes=self.wishes, forbid=self.forbid)
        if self.pin is not None:
            return ContainerRequest.pinned(name, self.pin, exclusive=not self.shared)
        return ContainerRequest.shared(name, forbid=self.forbid)
