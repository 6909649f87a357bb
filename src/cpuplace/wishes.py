"""Wishes: what a container, or the operator for all of them, prefers or insists on (section 5 of the rules).

`Wishes` is what somebody wrote: every field None when nothing was said. `ResolvedWishes` is what holds for one
container after the operator's and its own wishes are joined: a pod may narrow the operator's choice, never widen
it; of two soft ones the container's wins.
"""

import re
from typing import TYPE_CHECKING, Final, Literal

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.given import check_types
from cpuplace.idset import NodeSet

if TYPE_CHECKING:  # policies are read before a host is, by a plugin that has no time to lose
    from cpuplace.hardware import CoreKind

CoresWish = Literal["prefer-full", "any", "require-full", "isolate"]
L3Wish = Literal["prefer", "ignore", "require-one"]
PackageWish = Literal["prefer", "require-one"]
KindWish = Literal["performance", "efficiency", "performance!", "efficiency!"]
IsolatedWish = Literal["avoid", "prefer", "require"]
MoveWish = Literal["allow", "never"]

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "cores": ("prefer-full", "any", "require-full", "isolate"),
    "l3": ("prefer", "ignore", "require-one"),
    "package": ("prefer", "require-one"),
    "core_kind": ("performance", "efficiency", "performance!", "efficiency!"),
    "isolated": ("avoid", "prefer", "require"),
    "move": ("allow", "never"),
}
"""The values each wish takes; `numa` and `devices` have a grammar of their own."""

NUMA_WORDS: Final = ("prefer", "require-one", "require-fewest", "spread")
_SPREAD: Final = re.compile(r"spread(?::([1-9][0-9]{0,4}))?", re.ASCII)


_TAKES: Final[dict[str, type]] = {"devices": tuple}


@frozen(slots=True, kw_only=True)
class Wishes:
    """What was asked for; None = nothing said. Raises BadInput for a value that no wish takes.

    `numa`: prefer, require-one, require-fewest, spread, spread:k, or a node list such as "0,2-3".
    `devices`: names or PCI addresses; one that ends in "!" is required.

    >>> Wishes(numa="spread:2", devices=("nvme0!",)).numa
    'spread:2'
    """

    numa: str | None = None
    cores: CoresWish | None = None
    l3: L3Wish | None = None
    package: PackageWish | None = None
    devices: tuple[str, ...] = ()
    core_kind: KindWish | None = None
    isolated: IsolatedWish | None = None
    move: MoveWish | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a value that no wish takes, here, so that nothing later needs to ask."""
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise BadInput(
                    f"{value!r} is not a value of this wish",
                    source=f"wish {name}",
                    hint="one of " + ", ".join(choices),
                )
        if self.numa is not None:
            parse_numa(self.numa)
        check_types(self, _TAKES, source="wish")
        for name in self.devices:
            bare = name.removesuffix("!")
            if not bare or "!" in bare or "," in bare or bare != bare.strip():
                raise BadInput(f"{name!r} is not a device name", source="wish devices")


NO_WISHES: Final = Wishes()


@frozen(slots=True)
class NumaWish:
    """A numa wish, read: at most one of the fields says something.

    `spread` 0 = over as many nodes as make sense, k = over k nodes, None = not asked for.
    """

    limit: Literal["one", "fewest"] | None = None
    nodes: NodeSet | None = None
    spread: int | None = None


def parse_numa(text: str) -> NumaWish:
    """The meaning of a numa wish; raises BadInput with what would be accepted.

    >>> parse_numa("0,2-3")
    NumaWish(limit=None, nodes=NodeSet('0,2-3'), spread=None)
    """
    if text == "prefer":
        return NumaWish()
    if text in ("require-one", "require-fewest"):
        return NumaWish(limit="one" if text == "require-one" else "fewest")
    spread = _SPREAD.fullmatch(text)
    if spread:
        return NumaWish(spread=int(spread[1] or 0))
    hint = "one of " + ", ".join(NUMA_WORDS) + ", spread:2, or a node list like 0,2-3"
    try:
        nodes = NodeSet.parse(text, source="wish numa")
    except BadInput as bad:
        raise BadInput(bad.problem, source="wish numa", position=bad.position, hint=hint) from None
    if not nodes:
        raise BadInput("an empty node list", source="wish numa", hint=hint)
    return NumaWish(nodes=nodes)


@frozen(slots=True, kw_only=True)
class ResolvedWishes:
    """What holds for one container: hard fields bound the candidates, soft ones change the tuple.

    Hard: `limit`, `nodes`, `cores` require-full / isolate, `l3` require-one, `one_package`, `devices_hard`,
    `kind_hard`, `isolated` avoid / require. Soft: `spread`, `cores` any, `l3` ignore, `devices_soft`,
    `kind_soft`, `isolated` prefer. `unmeetable` says why two hard ones exclude each other, else "".
    """

    limit: Literal["one", "fewest"] | None = None
    nodes: NodeSet | None = None
    spread: int | None = None
    cores: CoresWish = "prefer-full"
    l3: L3Wish = "prefer"
    one_package: bool = False
    devices_soft: tuple[str, ...] = ()
    devices_hard: tuple[str, ...] = ()
    kind_soft: "CoreKind | None" = None
    kind_hard: "CoreKind | None" = None
    isolated: IsolatedWish = "avoid"
    move: MoveWish = "allow"
    unmeetable: str = field(default="")


PLAIN_WISHES: Final = ResolvedWishes()
"""Nothing asked for by anybody: the default tuple, the fast way."""
