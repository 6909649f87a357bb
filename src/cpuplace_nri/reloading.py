"""Reloading: two configurations compared, and the new one taken as a whole or not at all."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import frozen

from cpuplace import BadInput, Plan, Policy, Refusal
from cpuplace.formats import policy as policy_format
from cpuplace_nri.config import FIELDS, Config


@frozen(slots=True)
class Change:
    """One field that differs; a field of the policy is called `policy.NAME`. `live` = it can change while running."""

    name: str
    before: Any
    after: Any
    live: bool

    def __str__(self) -> str:
        return f"{self.name}: {_text(self.before)} -> {_text(self.after)}"


def changes(old: Config, new: Config) -> tuple[Change, ...]:
    """The fields that differ, in the order of the class.

    >>> [str(one) for one in changes(Config(), Config(index=7))]
    ['index: 99 -> 7']
    """
    return tuple(_changes(old, new))


def _changes(old: Config, new: Config) -> Iterator[Change]:
    for name, attribute in FIELDS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name == "policy":
            was, now = policy_format.render(before), policy_format.render(after)
            yield from (Change(f"policy.{key}", was[key], now[key], True) for key in was if was[key] != now[key])
        else:
            yield Change(name, before, after, attribute.metadata["live"])


def _text(value: Any) -> str:
    return "-" if value in ("", None) else str(value).lower() if isinstance(value, bool) else str(value)


@frozen(slots=True, kw_only=True)
class Reload:
    """What became of a reload: the configuration in force now, what changed, or why nothing did.

    `plan` is what the new policy makes the node do, for whoever carries it out.
    """

    config: Config
    changed: tuple[Change, ...] = ()
    plan: Plan | None = None
    refused: str = ""

    def __str__(self) -> str:
        if self.refused:
            return f"nothing was changed: {self.refused}"
        return "; ".join(map(str, self.changed)) or "nothing differs"


_AGAIN: Final = "start the plugin again for it"


def reload(old: Config, new: Config, change_policy: Callable[[Policy], Plan | Refusal]) -> Reload:
    """The new configuration in force, or the old one with the reason; `change_policy` is asked last, if at all.

    Refused as a whole when a field needs a restart, when the policy does not fit the host, or when what runs cannot be
    held under it.
    """
    differing = changes(old, new)
    stuck = [one.name for one in differing if not one.live]
    if stuck:
        return Reload(config=old, refused=f"{', '.join(stuck)} cannot change while the plugin runs: {_AGAIN}")
    if old.policy == new.policy:
        return Reload(config=new, changed=differing)
    try:
        answer = change_policy(new.policy)
    except BadInput as bad:
        return Reload(config=old, refused=str(bad))
    if isinstance(answer, Refusal):
        return Reload(config=old, refused=str(answer))
    return Reload(config=new, changed=differing, plan=answer)
