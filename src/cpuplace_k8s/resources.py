"""The `resources` of a container or pod: CPU in millicores, memory and huge pages in bytes."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from attrs import field, frozen

from cpuplace.errors import BadInput
from cpuplace.formats import quantity
from cpuplace_k8s.walking import at, place_of, placed, table_at
from cpuplace_linux.yamltext import Extent, Place, Scalar, Table, whole_number

_HUGE: Final = re.compile(r"hugepages-(.+)")


@frozen(slots=True, kw_only=True)
class Resources:
    """Requests and limits as written; None = not said."""

    cpu_request: int | None = None
    cpu_limit: int | None = None
    memory_request: int | None = None
    memory_limit: int | None = None
    huge_pages: Mapping[int, int] = field(factory=dict)


def read_resources(owner: Table) -> Resources:
    """The numbers under `resources`; raises BadInput for junk, and for a request above its limit."""
    resources = table_at(owner, "resources")
    if resources is None:
        return Resources()
    requests = table_at(resources, "requests") or _EMPTY
    limits = table_at(resources, "limits") or _EMPTY
    for name in ("cpu", "memory"):
        _check_order(requests, limits, name)
    return Resources(
        cpu_request=_amount(requests, "cpu"),
        cpu_limit=_amount(limits, "cpu"),
        memory_request=_amount(requests, "memory"),
        memory_limit=_amount(limits, "memory"),
        huge_pages=_huge_pages(requests, limits),
    )


_EMPTY: Final = Table({}, {}, Place("", 1), Extent(1, 1))


def _amount(amounts: Table, name: str) -> int | None:
    """One amount in the unit of its resource; numbers may be written without quotes."""
    found = at(amounts, name)
    if found is None:
        return None
    if not isinstance(found, Scalar) or found.kind == "bool":
        raise found.place.bad(f"{name} must be a quantity", "write 500m, 2 or 8Gi")
    if found.kind == "int":
        whole_number(found)  # 010 is eight for YAML and ten for a quantity: neither is guessed
    read: Callable[[str], int] = quantity.millicores if name == "cpu" else quantity.whole_bytes
    try:
        return read(found.text)
    except BadInput as bad:
        raise placed(found.place, bad) from None


def _check_order(requests: Table, limits: Table, name: str) -> None:
    request, limit = _amount(requests, name), _amount(limits, name)
    if request is not None and limit is not None and request > limit:
        raise place_of(requests, name).bad(f"the {name} request is above the limit")


def _huge_pages(requests: Table, limits: Table) -> dict[int, int]:
    """Bytes of each page size; Kubernetes takes equal requests and limits only."""
    pages: dict[int, int] = {}
    for amounts in (limits, requests):
        for name in amounts.entries:
            size, amount = _page_size(amounts, name), _amount(amounts, name)
            if size is not None and amount is not None and pages.setdefault(size, amount) != amount:
                raise place_of(amounts, name).bad(f"the {name} request is not the limit")
    return pages


def _page_size(amounts: Table, name: str) -> int | None:
    match = _HUGE.fullmatch(name)
    if match is None:
        return None
    try:
        size = quantity.whole_bytes(match[1])
    except BadInput as bad:
        raise placed(place_of(amounts, name), bad) from None
    if not size:
        raise place_of(amounts, name).bad("a page size of 0")
    return size
