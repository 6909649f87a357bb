"""A file that asks for partitions (YAML or JSON): how many, with which roles, memory, CPUs and devices."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Final, TypeVar

from attrs import evolve, field, frozen

from cpuplace.errors import BadInput
from cpuplace.formats import quantity
from cpuplace.idset import CpuSet, NodeSet
from cpuplace.memory import sized
from cpuplace.partitions import DEFAULT_PAGE_BYTES
from cpuplace.partitions_host import node_specs
from cpuplace.partitions_pinning import PartitionId
from cpuplace.partitions_spec import DEFAULT_ROLES, DeviceSpec, NumaNodeSpec, PartitionRole
from cpuplace.topology import Topology
from cpuplace_linux.yamltext import Place, Row, Scalar, Table, Tree, read_documents, whole_number

T = TypeVar("T")

MAX_BYTES: Final = 1 << 20
"""A larger file is refused."""
MAX_PARTITIONS: Final = 10_000

_KEYS: Final = ("partitions", "roles", "memory", "page", "oversubscribe", "usable", "devices")
_ROLES: Final = {role.name: role for role in DEFAULT_ROLES}
_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%")


@frozen(slots=True, kw_only=True)
class Ask:
    """What such a file asks for.

    `memory` is the budget of a node: bytes for each node or for some by id, a share of what the node has, or None for
    all of it. `queues` overrides how many queues a device has, `managed` says where the kernel runs them. `places` says
    where each field stands.
    """

    ids: tuple[PartitionId, ...]
    roles: tuple[PartitionRole, ...] = DEFAULT_ROLES
    memory: int | Fraction | Mapping[int, int] | None = field(default=None, hash=False)
    page_bytes: int = DEFAULT_PAGE_BYTES
    oversubscribe: bool = False
    usable: CpuSet | None = None
    queues: Mapping[str, int] = field(factory=dict, hash=False)
    managed: Mapping[str, Mapping[int, CpuSet]] = field(factory=dict, hash=False)
    places: Mapping[str, Place] = field(factory=dict, eq=False, repr=False)

    def nodes(self, host: Topology) -> tuple[NumaNodeSpec, ...]:
        """The nodes of the host as asked for; raises BadInput when it lacks what is named, or has less memory."""
        self._check(host)
        specs = node_specs(host, usable=self.usable, managed=self.managed)
        adapted = tuple(self._adapted(spec) for spec in specs)
        self._check_budgets(host, adapted)
        return adapted

    def _check_budgets(self, host: Topology, specs: tuple[NumaNodeSpec, ...]) -> None:
        """No node gives more than it has, where that is known."""
        for spec in specs:
            has = host.node(spec.id).memory_bytes
            if has is not None and spec.memory_bytes > has:
                problem = f"node {spec.id} has {sized(has)}, not {sized(spec.memory_bytes)}"
                raise self.places["memory"].bad(problem, "a share like 90% goes for all nodes, or amounts by node id")

    def _check(self, host: Topology) -> None:
        absent = (self.usable or CpuSet()) - host.online
        if absent:
            raise self.places["usable"].bad(f"CPUs {absent} are not online on the host")
        names = {device.name for device in host.devices}
        unknown = next((name for name in (*self.queues, *self.managed) if name not in names), None)
        if unknown is not None:
            has = ", ".join(sorted(names)) or "none"
            raise self.places["devices"].bad(f"the host has no device {unknown[:40]!r}", f"it has {has}")
        known = {node.id for node in host.nodes}
        for node in self.memory if isinstance(self.memory, Mapping) else ():
            if node not in known:
                raise self.places["memory"].bad(f"the host has no NUMA node {node}", f"it has {NodeSet(known)}")

    def _adapted(self, spec: NumaNodeSpec) -> NumaNodeSpec:
        return evolve(
            spec,
            memory_bytes=self._budget(spec),
            nvme=tuple(map(self._device, spec.nvme)),
            nic=tuple(map(self._device, spec.nic)),
            other={kind: tuple(map(self._device, some)) for kind, some in spec.other.items()},
        )

    def _budget(self, spec: NumaNodeSpec) -> int:
        if isinstance(self.memory, Mapping):
            return self.memory.get(spec.id, 0)
        if isinstance(self.memory, Fraction):
            return int(spec.memory_bytes * self.memory)
        return spec.memory_bytes if self.memory is None else self.memory

    def _device(self, device: DeviceSpec) -> DeviceSpec:
        return evolve(device, queues=self.queues[device.name]) if device.name in self.queues else device


def read_ask(path: str) -> Ask:
    """What the file asks for (- is standard input); raises BadInput with file and line."""
    return parse_ask(read_text(path), source="standard input" if path == "-" else path)


def read_text(path: str) -> str:
    """The file's text (- is standard input); raises BadInput when it cannot be read or is too large."""
    try:
        with Path(path).open("rb") if path != "-" else sys.stdin.buffer as stream:
            content = stream.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:  # a ValueError: no UTF-8, or NUL in the name
        raise BadInput(f"cannot be read: {getattr(error, 'strerror', None) or error}", source=path) from None
    if len(content) > MAX_BYTES:
        raise BadInput(f"more than {MAX_BYTES} bytes", source=path)
    return text


def parse_ask(text: str, *, source: str = "partitions") -> Ask:
    """What the text asks for; raises BadInput with the line of what cannot be read.

    >>> parse_ask("{partitions: 2, memory: 50%, usable: 2-7}").ids
    ('p0', 'p1')
    """
    documents = read_documents(text, source=source)
    if len(documents) != 1 or not isinstance(documents[0], Table):
        place = documents[0].place if documents else Place(source, 1)
        raise place.bad("one document with names and values is expected", "partitions: 4")
    table = documents[0]
    _known(table, _KEYS)
    devices = _entries(table, "devices")
    return Ask(
        ids=_ids(_needed(table, "partitions")),
        roles=_maybe(table, "roles", _roles, DEFAULT_ROLES),
        memory=_maybe(table, "memory", _memory, None),
        page_bytes=_maybe(table, "page", _page, DEFAULT_PAGE_BYTES),
        oversubscribe=_maybe(table, "oversubscribe", _flag, False),
        usable=_maybe(table, "usable", _cpus, None),
        queues={name: _count(one) for name, value in devices for one in _under(value, "queues")},
        managed={name: _queue_cpus(one) for name, value in devices for one in _under(value, "queue_cpus")},
        places=table.keys,
    )


def _known(table: Table, names: tuple[str, ...]) -> None:
    for key, place in table.keys.items():
        if key not in names:
            raise place.bad(f"unknown field {key[:40]!r}", f"known are {', '.join(names)}")


def _needed(table: Table, key: str) -> Tree:
    if key not in table.entries:
        raise table.place.bad(f"{key} is missing")
    return table.entries[key]


def _maybe(table: Table, key: str, read: Callable[[Tree], T], default: T) -> T:
    """What `read` makes of the value under the key; the default when there is none."""
    found = table.entries.get(key)
    return default if found is None or (isinstance(found, Scalar) and found.kind == "null") else read(found)


def _entries(table: Table, key: str) -> list[tuple[str, Table]]:
    """Names and tables under the key."""
    found = _maybe(table, key, lambda tree: _table(tree, key), None)
    return [(name, _table(value, name)) for name, value in found.entries.items()] if found is not None else []


def _under(table: Table, key: str) -> Iterator[Tree]:
    """What stands under one of the two keys of a device; each device has exactly one of them."""
    _known(table, ("queues", "queue_cpus"))
    if len(table.entries) != 1:
        raise table.place.bad("a device has either queues or queue_cpus")
    if key in table.entries:
        yield table.entries[key]


def _table(tree: Tree, what: str) -> Table:
    if not isinstance(tree, Table):
        raise tree.place.bad(f"{what[:40]} must hold names and values")
    return tree


def _items(tree: Tree, what: str) -> tuple[Tree, ...]:
    if not isinstance(tree, Row):
        raise tree.place.bad(f"{what} must be a list")
    return tree.items


def _scalar(tree: Tree, what: str) -> Scalar:
    if not isinstance(tree, Scalar) or tree.kind in ("bool", "null"):
        raise tree.place.bad(f"expected {what}")
    return tree


def _count(tree: Tree) -> int:
    count = whole_number(_scalar(tree, "a whole number"))
    if not 0 <= count <= 65_536:
        raise tree.place.bad(f"{count} is not a number from 0 to 65536")
    return count


def _flag(tree: Tree) -> bool:
    if not isinstance(tree, Scalar) or tree.kind != "bool" or tree.text.lower() not in ("true", "false"):
        raise tree.place.bad("expected true or false")
    return tree.text.lower() == "true"


def _ids(tree: Tree) -> tuple[PartitionId, ...]:
    """A number stands for p0, p1, ...; a list names them."""
    if isinstance(tree, Scalar):
        count = _count(tree)
        if count > MAX_PARTITIONS:
            raise tree.place.bad(f"more than {MAX_PARTITIONS} partitions")
        return tuple(f"p{number}" for number in range(count))
    names = tuple(_scalar(one, "the id of a partition") for one in _items(tree, "partitions"))
    return tuple(_unique(names))


def _unique(names: tuple[Scalar, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if not name.text or name.text in seen:
            raise name.place.bad(f"{name.text[:40]!r} is {'given twice' if name.text else 'no name'}")
        seen.add(name.text)
        yield name.text


def _roles(tree: Tree) -> tuple[PartitionRole, ...]:
    items = _items(tree, "roles")
    if not items:
        raise tree.place.bad("no roles: a partition would have no CPU")
    roles = {}
    for item in items:
        role = _role(item)
        if role.name in roles:
            raise item.place.bad(f"the role {role.name[:40]!r} is given twice")
        roles[role.name] = role
    return tuple(roles.values())


def _role(tree: Tree) -> PartitionRole:
    """One of the usual roles by its name, or a role of one's own: name, devices, apart."""
    if not isinstance(tree, Table):
        name = _scalar(tree, "a role").text
        if name not in _ROLES:
            raise tree.place.bad(
                f"no usual role is called {name[:40]!r}", f"{', '.join(_ROLES)}, or name: and devices:"
            )
        return _ROLES[name]
    _known(tree, ("name", "devices", "apart"))
    name = _scalar(_needed(tree, "name"), "the name of a role").text
    none: tuple[str, ...] = ()
    devices, apart = _maybe(tree, "devices", _kinds, none), _maybe(tree, "apart", _flag, False)
    return _placed(tree.place, lambda: PartitionRole(name, devices, apart=apart))


def _kinds(tree: Tree) -> tuple[str, ...]:
    return tuple(_scalar(kind, "a kind of device").text for kind in _items(tree, "devices"))


def _memory(tree: Tree) -> int | Fraction | Mapping[int, int]:
    """An amount for each node, a share like 80% of what each has, or amounts by node id."""
    if isinstance(tree, Table):
        return {_number(key, tree.keys[key]): _bytes(value) for key, value in tree.entries.items()}
    share = _PERCENT.fullmatch(_scalar(tree, "an amount of memory").text)
    if share is None:
        return _bytes(tree)
    if Fraction(share[1]) > 100:
        raise tree.place.bad(f"{share[0]} is more than all")
    return Fraction(share[1]) / 100


def _bytes(tree: Tree) -> int:
    scalar = _scalar(tree, "an amount of memory")
    return _placed(tree.place, lambda: quantity.whole_bytes(scalar.text))


def _page(tree: Tree) -> int:
    size = _bytes(tree)
    if not size:
        raise tree.place.bad("a page of 0 bytes")
    return size


def _number(text: str, place: Place) -> int:
    return _count(Scalar(text, "int", place))


def _cpus(tree: Tree) -> CpuSet:
    text = _scalar(tree, "a CPU list like 0-3,8").text
    return _placed(tree.place, lambda: CpuSet.parse(text))


def _queue_cpus(tree: Tree) -> Mapping[int, CpuSet]:
    table = _table(tree, "queue_cpus")
    return {_number(key, table.keys[key]): _cpus(value) for key, value in table.entries.items()}


def _placed(place: Place, read: Callable[[], T]) -> T:
    """What `read` gives; its error said of the place in the file."""
    try:
        return read()
    except BadInput as bad:
        raise place.bad(bad.problem, bad.hint) from None
