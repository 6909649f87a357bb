"""How each CPU looks on a map: a glyph, a colour and a word for its owner or its state.

Every look has its own glyph, so that a map reads the same without colour; colours are the eight of Okabe and Ito,
made to be told apart by colour-blind eyes.
"""

from collections.abc import Iterator, Mapping
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final, Literal

from attrs import frozen

from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.topology import Topology
from cpuplace_cli.printable import printable as printable

State = Literal["owner", "others", "several", "withheld", "unusable", "reserved", "isolated", "pool", "offline"]

OWNER_COLOURS: Final = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
"""Backgrounds of owners, used in turn (Okabe and Ito, "Color Universal Design", 2008)."""

LETTERS: Final = ascii_uppercase + ascii_lowercase + digits
"""Glyphs of owners, in turn; owners beyond them share one."""

_STATES: Final[tuple[tuple[State, str, str], ...]] = (
    ("others", "+", "further owners"),
    ("several", "*", "several owners"),
    ("withheld", "-", "withheld (idle siblings)"),
    ("unusable", "~", "not ours to use"),
    ("reserved", "=", "reserved"),
    ("isolated", "!", "set aside (isolated)"),
    ("pool", ".", "shared pool"),
    ("offline", "/", "offline"),
)


@frozen(slots=True, kw_only=True)
class Marks:
    """What is special about some CPUs, besides their owner."""

    reserved: CpuSet = NO_CPUS
    isolated: CpuSet = NO_CPUS
    withheld: CpuSet = NO_CPUS
    unusable: CpuSet = NO_CPUS


@frozen(slots=True, kw_only=True)
class Look:
    """One way a CPU can look; `colour` is a background for owners and empty for states."""

    state: State
    glyph: str
    label: str
    cpus: CpuSet
    colour: str = ""


def looks(host: Topology, owners: Mapping[str, CpuSet], marks: Marks) -> tuple[Look, ...]:
    """The looks of a host, owners first in the given order, then states; no CPU is in two, none is left out.

    An owner's look holds the CPUs it has alone; CPUs of several owners have a look of their own.

    >>> from cpuplace import catalogue
    >>> vm = catalogue.host("vm-2cpu")
    >>> [(look.glyph, look.label, str(look.cpus)) for look in looks(vm, {"db": CpuSet([0])}, Marks())]
    [('A', 'db', '0'), ('.', 'shared pool', '1')]
    """
    left = CpuSet(cpu.id for cpu in host.cpus)
    found: list[Look] = []
    for look in _candidates(host, owners, marks):
        mine = look.cpus & left
        if mine or look.state == "owner":
            found.append(Look(state=look.state, glyph=look.glyph, label=look.label, cpus=mine, colour=look.colour))
            left -= mine
    order = [state for state, _, _ in _STATES]
    return tuple(sorted(found, key=lambda look: -1 if look.state == "owner" else order.index(look.state)))


def _candidates(host: Topology, owners: Mapping[str, CpuSet], marks: Marks) -> Iterator[Look]:
    """Every look with all CPUs it could claim, the strongest claim first."""
    several = _several(owners)
    lettered = dict(list(owners.items())[: len(LETTERS)])
    further = NO_CPUS
    for cpus in list(owners.values())[len(LETTERS) :]:
        further |= cpus
    claims: dict[State, CpuSet] = {
        "offline": host.offline,
        "several": several,
        "others": further,
        "withheld": marks.withheld,
        "unusable": marks.unusable,
        "reserved": marks.reserved,
        "isolated": marks.isolated,
        "pool": host.online,
    }
    words = {state: (glyph, label) for state, glyph, label in _STATES}
    words["others"] = ("+", f"{len(owners) - len(lettered)} further owners")
    yield _look("offline", words, claims)
    yield _look("several", words, claims)
    for at, (label, cpus) in enumerate(lettered.items()):
        colour = OWNER_COLOURS[at % len(OWNER_COLOURS)]
        yield Look(state="owner", glyph=LETTERS[at], label=label, cpus=cpus, colour=colour)
    weaker: tuple[State, ...] = ("others", "withheld", "unusable", "reserved", "isolated", "pool")
    for state in weaker:
        yield _look(state, words, claims)


def _look(state: State, words: Mapping[State, tuple[str, str]], claims: Mapping[State, CpuSet]) -> Look:
    glyph, label = words[state]
    return Look(state=state, glyph=glyph, label=label, cpus=claims[state])


def _several(owners: Mapping[str, CpuSet]) -> CpuSet:
    once = twice = NO_CPUS
    for cpus in owners.values():
        twice |= once & cpus
        once |= cpus
    return twice


def ink(background: str) -> str:
    """Black or white, whichever contrasts more with a `#rrggbb` background (WCAG 2 relative luminance).

    >>> ink("#F0E442"), ink("#0072B2")
    ('#000000', '#ffffff')
    """
    parts = [int(background[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"
