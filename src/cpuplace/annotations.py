"""Annotations: what a pod's owner says about one container in `cpuplace.dev` keys (section 2 of the rules).

A pod's own key is `cpuplace.dev/<what>`, a container's `<what>.cpuplace.dev/<container>`, which wins. `cores` takes
a CPU list (a pin) or one of the words of the cores wish, told apart by whether the value is such a word. A key's
prefix cannot hold an underscore, so `core_kind` is written `core-kind`. Foreign keys are ignored.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from attrs import frozen

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet
from cpuplace.wishes import CHOICES, NO_WISHES, NUMA_WORDS, Wishes

DOMAIN: Final = "cpuplace.dev"

KEYS: Final[Mapping[str, str]] = {
    "cores": "a CPU list such as 0-3,8 (a pin), or one of " + ", ".join(CHOICES["cores"]),
    "forbid": "a CPU list such as 0-1: CPUs that an integer or shared container must not run on",
    "manage": "true or false; false: never touched",
    "numa": "one of " + ", ".join(NUMA_WORDS) + ", spread:2, or a node list such as 0,2-3",
    "l3": "one of " + ", ".join(CHOICES["l3"]),
    "package": "one of " + ", ".join(CHOICES["package"]),
    "devices": "names or PCI addresses separated by commas; one that ends in ! is required",
    "core-kind": "one of " + ", ".join(CHOICES["core_kind"]),
    "isolated": "one of " + ", ".join(CHOICES["isolated"]),
    "move": "one of " + ", ".join(CHOICES["move"]),
}
"""Every `<what>` with what it takes; docs and refusals print this."""

ALIASES: Final[Mapping[str, str]] = {"weka.io/cores-ids": "cores", "weka.io/forbid-core-ids": "forbid"}
"""Pod keys of another plugin that mean the same; they take a CPU list only."""

_WISH_FIELDS: Final = {what: what.replace("-", "_") for what in KEYS if what not in ("forbid", "manage", "cores")}
_T = TypeVar("_T")


class Entry(NamedTuple):
    """One annotation as written."""

    key: str
    value: str


@frozen(slots=True)
class Sheet:
    """A pod's annotations in our keys, by `<what>`: the pod's own, and those of each container."""

    pod: Mapping[str, Sequence[Entry]]
    own: Mapping[str, Mapping[str, Sequence[Entry]]]

    def entries(self, container: str, what: str) -> Sequence[Entry]:
        """What holds for this container: its own entries, else the pod's; several when aliases are given too."""
        return self.own.get(container, {}).get(what) or self.pod.get(what, ())

    def is_silent(self, container: str) -> bool:
        """Whether nothing holds for this container, as for most."""
        return not self.pod and container not in self.own


@frozen(slots=True, kw_only=True)
class Said:
    """What annotations say about one container; `pin` None = no pin (an empty one is refused later, R1)."""

    pin: CpuSet | None = None
    forbid: CpuSet = NO_CPUS
    wishes: Wishes = NO_WISHES
    notes: tuple[str, ...] = ()


NOTHING_SAID: Final = Said()


def sort_annotations(annotations: Mapping[str, str], containers: Iterable[str] | None) -> Sheet:
    """The keys that are ours, sorted by whom they concern; raises BadInput (source: the key) for an unknown one.

    `containers` None = they are not all known, so that any name may be right.

    >>> sort_annotations({"numa.cpuplace.dev/db": "0", "example.com/x": "y"}, ["db"]).entries("db", "numa")
    [Entry(key='numa.cpuplace.dev/db', value='0')]
    """
    names = None if containers is None else tuple(containers)
    pod: dict[str, list[Entry]] = {}
    own: dict[str, dict[str, list[Entry]]] = {}
    for key in sorted(annotations):
        prefix, _, name = key.rpartition("/")
        entry = Entry(key, annotations[key])
        if key in ALIASES:
            pod.setdefault(ALIASES[key], []).append(entry)
        elif prefix == DOMAIN:
            pod.setdefault(_what(name, key), []).append(entry)
        elif prefix.endswith("." + DOMAIN):
            what = _what(prefix.removesuffix("." + DOMAIN), key)
            own.setdefault(_container(name, key, names), {}).setdefault(what, []).append(entry)
    return Sheet(pod, own)


def managed(sheet: Sheet, container: str) -> bool:
    """False when the container asks to be left alone; raises BadInput for any other word than true or false."""
    return _agreed(sheet.entries(container, "manage"), _truth, default=True)


def has_pin(sheet: Sheet, container: str) -> bool:
    """Whether a CPU list holds for this container, readable or not."""
    return any(map(_is_list, sheet.entries(container, "cores")))


def read_said(sheet: Sheet, container: str, *, ignore_bad_forbid: bool = False) -> Said:
    """What the annotations say about this container; raises BadInput (source: the key) for an unreadable value.

    `ignore_bad_forbid`: a forbid list that cannot be read is ignored with a note (`Policy.bad_forbid`).

    >>> sheet = sort_annotations({"cpuplace.dev/cores": "0-3", "cores.cpuplace.dev/log": "any"}, ["db", "log"])
    >>> read_said(sheet, "db").pin, read_said(sheet, "log").wishes.cores
    (CpuSet('0-3'), 'any')
    """
    if sheet.is_silent(container):
        return NOTHING_SAID
    pin, words = _cores(sheet.entries(container, "cores"))
    forbid, notes = _forbid(sheet.entries(container, "forbid"), ignore_bad_forbid)
    wished: dict[str, Any] = {"cores": words[0]} if words else {}
    for what, field in _WISH_FIELDS.items():
        entries = sheet.entries(container, what)
        if entries:
            wished[field] = getattr(_agreed(entries, _wish, default=NO_WISHES), field)
    return Said(pin=pin, forbid=forbid, wishes=Wishes(**wished) if wished else NO_WISHES, notes=notes)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` was probably meant to be, or "".

    >>> nearest("forbit", ["cores", "forbid"])
    'forbid'
    """
    from difflib import get_close_matches  # only when something is wrong

    return next(iter(get_close_matches(word, list(known), n=1)), "")


def is_ours(key: str) -> bool:
    """Whether a key is one of ours, aliases included, however it may read.

    >>> is_ours("numa.cpuplace.dev/db"), is_ours("example.com/numa")
    (True, False)
    """
    return key in ALIASES or key.startswith(DOMAIN + "/") or f".{DOMAIN}/" in key


def what_of(key: str) -> str:
    """The `<what>` of one of our keys, in the spelling of KEYS; of another key something that is not in KEYS.

    >>> what_of("core-kind.cpuplace.dev/main"), what_of("weka.io/cores-ids")
    ('core-kind', 'cores')
    """
    prefix, _, name = key.rpartition("/")
    what = name if prefix == DOMAIN else prefix.removesuffix("." + DOMAIN)
    return ALIASES.get(key, what.replace("_", "-"))


def _what(word: str, key: str) -> str:
    what = word.replace("_", "-")
    if what not in KEYS:
        near = nearest(what, KEYS)
        raise BadInput(
            "no such key" + (f", did you mean {near}" if near else ""),
            source=key,
            hint="one of " + ", ".join(KEYS),
        )
    return what


def _container(name: str, key: str, names: Sequence[str] | None) -> str:
    if names is not None and name not in names:
        near = nearest(name, names)
        raise BadInput(
            f"the pod has no container {name!r}" + (f", did you mean {near}" if near else ""),
            source=key,
            hint="it has " + ", ".join(names),
        )
    return name


def _agreed(entries: Sequence[Entry], read: Callable[[Entry], _T], *, default: _T) -> _T:
    """The one value of several spellings of the same key; raises BadInput when they differ."""
    values = [read(entry) for entry in entries]
    for entry, value in zip(entries[1:], values[1:], strict=True):
        if value != values[0]:
            first = entries[0]
            raise BadInput(f"says something else than {first.key} = {first.value!r}", source=entry.key, hint="keep one")
    return values[0] if values else default


def _cores(entries: Sequence[Entry]) -> tuple[CpuSet | None, list[str]]:
    """The pin, and the words of the cores wish: an alias holds a pin even beside a word."""
    words = [entry.value for entry in entries if not _is_list(entry)]
    return _agreed(list(filter(_is_list, entries)), _cpu_list, default=None), words


def _is_list(entry: Entry) -> bool:
    return entry.value not in CHOICES["cores"] or entry.key in ALIASES


def _forbid(entries: Sequence[Entry], ignore: bool) -> tuple[CpuSet, tuple[str, ...]]:
    readable, notes = [], []
    for entry in entries:
        try:
            _cpu_list(entry)
        except BadInput as bad:
            if not ignore:
                raise
            notes.append(f"ignored a forbid list that cannot be read: {bad}")
        else:
            readable.append(entry)
    return _agreed(readable, _cpu_list, default=NO_CPUS), tuple(notes)


def _cpu_list(entry: Entry) -> CpuSet:
    accepted = "a CPU list such as 0-3,8" if entry.key in ALIASES else KEYS[what_of(entry.key)]
    try:
        return CpuSet.parse(entry.value, source=entry.key)
    except BadInput as bad:
        raise BadInput(bad.problem, source=entry.key, position=bad.position, hint=accepted) from None


def _wish(entry: Entry) -> Wishes:
    """This one wish alone, so that what is wrong with it is said of its key."""
    what = what_of(entry.key)
    value: Any = entry.value
    if what == "devices":
        value = tuple(name.strip() for name in entry.value.split(","))
    try:
        return Wishes(**{_WISH_FIELDS[what]: value})
    except BadInput as bad:
        raise BadInput(bad.problem, source=entry.key, position=bad.position, hint=KEYS[what]) from None


def _truth(entry: Entry) -> bool:
    if entry.value not in ("true", "false"):
        raise BadInput("not a truth value", source=entry.key, hint=KEYS["manage"])
    return entry.value == "true"
