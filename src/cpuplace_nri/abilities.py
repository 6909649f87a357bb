"""What a runtime can do, by the version of NRI in it: wire facts that need no connection to be asked."""

import re
from typing import Final, Self

from attrs import frozen

from cpuplace import BadInput
from cpuplace_nri.proto.nri_pb2 import ConfigureRequest, Event

Version = tuple[int, int, int]

_OLDEST: Final[Version] = (0, 6, 1)  # what is assumed of a runtime that says nothing of use
_NEWEST: Final = 999
# The runtime's version from which on it has that NRI. From 0.12 on a runtime says its NRI version itself, so nothing
# newer is guessed.
_RUNTIMES: Final[dict[str, tuple[tuple[Version, Version], ...]]] = {
    "containerd": (
        ((1, 7, 26), (0, 8, 0)),
        ((2, 2, 0), (0, 10, 0)),
        ((2, 2, 1), (0, 11, 0)),
        ((2, 3, 0), (0, 12, 0)),
    ),
    "cri-o": (
        ((1, 32, 0), (0, 9, 0)),
        ((1, 34, 0), (0, 10, 0)),
        ((1, 35, 0), (0, 11, 0)),
    ),
}
_NUMBERS: Final = re.compile(r"v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(.*)")
_EARLY: Final = re.compile(r"[-~.]?(?:alpha|beta|rc|dev|pre|0\.)", re.IGNORECASE)


@frozen(slots=True)
class Abilities:
    """What may be asked of a runtime with this version of NRI.

    >>> Abilities.of("", "containerd", "1.7.24~ds1").nri
    (0, 6, 1)
    >>> Abilities.of("v0.12.2", "containerd", "v2.4.0").unsolicited
    True
    """

    nri: Version

    @classmethod
    def of(cls, nri_version: str, runtime_name: str, runtime_version: str) -> Self:
        """By what the runtime says in Configure; where that means nothing, the least that any runtime can."""
        said = _parsed(nri_version)
        if said is None:
            said = _by_runtime(runtime_name, _parsed(runtime_version))
        return cls(max(said, _OLDEST))

    @classmethod
    def of_request(cls, request: ConfigureRequest) -> Self:
        """By the Configure request itself."""
        return cls.of(request.NRI_version, request.runtime_name, request.runtime_version)

    @property
    def chunks(self) -> bool:
        """A long Synchronize comes in parts; before, in one message of any length."""
        return self.nri >= (0, 7, 0)

    @property
    def validation(self) -> bool:
        """Plugins are asked whether what all of them want is good."""
        return self.nri >= (0, 10, 0)

    @property
    def own_calls(self) -> bool:
        """Events without an answer come as calls of their own; before, all of them as StateChange."""
        return self.nri >= (0, 12, 0)

    @property
    def memory_policy(self) -> bool:
        """A container can be created with a memory policy; before, the field is dropped in silence."""
        return self.nri >= (0, 12, 0)

    @property
    def unsolicited(self) -> bool:
        """UpdateContainers is safe; before, it can block the runtime until that is restarted (nri#301)."""
        return self.nri >= (0, 12, 1)

    @property
    def events(self) -> frozenset[int]:
        """The events that exist; a mask with any other makes the runtime close the connection without a word."""
        newest = Event.VALIDATE_CONTAINER_ADJUSTMENT if self.validation else Event.REMOVE_CONTAINER
        return frozenset(range(Event.RUN_POD_SANDBOX, newest + 1))

    def mask(self, *wanted: int) -> int:
        """The mask for Configure: the wanted events that exist.

        BadInput when none of them does: a mask of 0 would mean all events.

        >>> hex(Abilities((0, 8, 0)).mask(Event.CREATE_CONTAINER, Event.VALIDATE_CONTAINER_ADJUSTMENT))
        '0x8'
        """
        mask = sum(1 << (event - 1) for event in self.events & set(wanted))
        if not mask:
            raise BadInput("asks for no event that exists", source="event mask", hint="want CREATE_CONTAINER at least")
        return mask


def _by_runtime(name: str, version: Version | None) -> Version:
    has = _OLDEST
    for since, nri in _RUNTIMES.get(name.lower(), ()):
        if version is not None and version >= since:
            has = nri
    return has


def _parsed(text: str) -> Version | None:
    """Three numbers, those before for a version that is not out yet: what it will have may still be missing."""
    found = _NUMBERS.fullmatch(text.strip())
    if found is None:
        return None
    major, minor, patch = int(found[1]), int(found[2]), int(found[3] or 0)
    if not _EARLY.match(found[4]):
        return major, minor, patch
    return (major, minor, patch - 1) if patch else (major, max(0, minor - 1), _NEWEST)
