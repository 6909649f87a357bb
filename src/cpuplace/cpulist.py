"""Id lists as text: the kernel's list and mask forms, and two named dialects, to and from int masks.

Everything here works on plain int masks (bit i = id i) and opens nothing; `CpuSet` and `NodeSet` wrap it.

Kernel list grammar (Documentation/admin-guide/kernel-parameters.rst, "cpu lists"; lib/bitmap.c), read strictly:

    list   = "" | part ("," part)*
    part   = range [":" used "/" group]
    range  = "all" | id ["-" id]
    id     = digits | "N"          # N = the last id, only where the caller says what that is
"""

import re
from collections.abc import Iterable
from functools import lru_cache, reduce
from itertools import compress
from operator import or_
from typing import Final

from cpuplace.errors import BadInput

MAX_ID: Final = 1 << 16
"""The largest id taken: more is a typing error or an attack, and would allocate a huge int."""

_NAMES: Final = tuple(map(str, range(4096)))
_ZERO_ONE: Final = bytes.maketrans(b"01", b"\x00\x01")
_HINT: Final = "write ids and ranges like 0-3,8"


def flags_of(mask: int) -> bytes:
    """One byte (0 or 1) for each id from 0 up to the highest in `mask`; O(highest id), in C."""
    return f"{mask:b}"[::-1].encode().translate(_ZERO_ONE)


def ids_of(mask: int) -> tuple[int, ...]:
    """The ids in `mask`, ascending.

    >>> ids_of(0b1011)
    (0, 1, 3)
    """
    flags = flags_of(mask)
    return tuple(compress(range(len(flags)), flags))


def union_of(masks: Iterable[int]) -> int:
    """The ids that are in any of these masks.

    >>> bin(union_of([0b1, 0b110]))
    '0b111'
    """
    return reduce(or_, masks, 0)


def format_list(mask: int) -> str:
    """The shortest kernel list text without strides; about 30 us for a fragmented 768-CPU set.

    >>> format_list(0b1_0000_1111)
    '0-3,8'
    """
    names = _NAMES if mask.bit_length() <= len(_NAMES) else tuple(map(str, range(mask.bit_length())))
    starts = compress(names, flags_of(mask & ~(mask << 1)))
    ends = compress(names, flags_of(mask & ~(mask >> 1)))
    return ",".join([a if a is b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)])


def format_mask(mask: int, *, width: int | None = None) -> str:
    """32-bit comma groups in hexadecimal, highest first, as in sysfs `cpumap` files.

    `width` is the number of ids to show (nr_cpu_ids); by default as many groups as needed.

    >>> format_mask(1 << 33 | 5)
    '00000002,00000005'
    """
    if width is not None and mask.bit_length() > width:
        raise BadInput(f"the set does not fit in {width} bits", source="cpu mask")
    bits = width or max(mask.bit_length(), 1)
    lead = 32 if width is None else bits % 32 or 32  # bits shown in the first group
    groups = -(-bits // 32)
    digits = f"{mask:0{(groups - 1) * 8 + -(-lead // 4)}x}"
    first = len(digits) - (groups - 1) * 8
    return ",".join([digits[:first], *(digits[i : i + 8] for i in range(first, len(digits), 8))])


_MASK_GROUP: Final = re.compile(r"[0-9a-fA-F]{1,8}")


def parse_mask(text: str, *, source: str = "cpu mask") -> int:
    """The set named by 32-bit comma groups; short masks and an optional 0x in front are taken.

    >>> parse_mask("3,0000000f") == 0b11 << 32 | 0b1111
    True
    """
    body = text.strip()
    offset = len(text) - len(text.lstrip())
    if body[:2] in ("0x", "0X"):
        body, offset = body[2:], offset + 2
    if len(body) > MAX_ID // 3:
        raise BadInput(f"mask reaches beyond id {MAX_ID}", source=source, position=offset)
    mask = 0
    for group in body.split(","):
        if not _MASK_GROUP.fullmatch(group):
            raise BadInput(
                f"expected up to 8 hexadecimal digits, found {group[:20]!r}",
                source=source,
                position=offset,
                hint="write groups like 00000001,ffffffff",
            )
        mask = mask << 32 | int(group, 16)
        offset += len(group) + 1
    if mask.bit_length() > MAX_ID + 1:
        raise BadInput(f"mask reaches beyond id {MAX_ID}", source=source, position=0)
    return mask


def parse_list(text: str, *, source: str = "cpu list", last: int | None = None) -> int:
    """The set named by a kernel list; "" is the empty set; `last` is what N and "all" mean.

    Cost: about 30 us for a fragmented 768-CPU list. Raises BadInput with the position of what is wrong.

    >>> bin(parse_list("0-3,8"))
    '0b100001111'
    >>> bin(parse_list("0-7:1/2"))
    '0b1010101'
    """
    plain = _parse_plain(text)
    return plain if plain is not None else _KernelList(text, source, last).parse()


def _parse_plain(text: str) -> int | None:
    """Plain ids and ranges the fast way; None when anything needs the strict grammar."""
    try:
        return reduce(or_, map(_plain_part, text.rstrip("\n").split(",")))
    except ValueError:
        return None


_PLAIN: Final = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


@lru_cache(maxsize=4096)
def _plain_part(part: str) -> int:
    """The mask of "5" or "3-5", else ValueError; remembered, because one host's lists repeat their parts."""
    match = _PLAIN.fullmatch(part)
    low = int(match[1]) if match else 1
    high = int(match[2] or low) if match else 0
    if not low <= high < len(_NAMES):  # long masks are rare, and not worth remembering
        raise ValueError
    return ((2 << (high - low)) - 1) << low


_PART: Final = re.compile(r"(?:(all)|(\d+|N)(?:-(\d+|N))?)(?::(\d+)/(\d+))?", re.ASCII)


class _KernelList:
    """The strict reader: one pass over the parts, errors with their position."""

    def __init__(self, text: str, source: str, last: int | None) -> None:
        self._text, self._source, self._last = text, source, last

    def parse(self) -> int:
        body = self._text.rstrip(" \t\n")
        offset = len(body) - len(body.lstrip(" \t\n"))
        if not body[offset:]:
            return 0
        mask = 0
        for part in body[offset:].split(","):
            mask |= self._part(part, offset)
            offset += len(part) + 1
        return mask

    def _part(self, part: str, offset: int) -> int:
        if not part:
            raise self._bad("blank part", offset)
        match = _PART.fullmatch(part)
        if match is None:
            near = _PART.match(part)
            at = near.end() if near else 0
            raise self._bad(f"cannot read {part[at : at + 20]!r}", offset + at)
        every, first, final, used, group = match.groups()
        low = 0 if every else self._id(first, offset)
        high = self._id("N", offset) if every else low
        if final is not None:
            high = self._id(final, offset + match.start(3))
        if high < low:
            raise self._bad(f"range {part!r} is reversed", offset)
        span = ((1 << (high - low + 1)) - 1) << low
        if used is None:
            return span
        return self._stride(span, low, used, group, offset + match.start(4))

    def _stride(self, span: int, low: int, used: str, group: str, offset: int) -> int:
        take, period = self._number(used, offset), self._number(group, offset)
        if not 0 < take <= period:
            raise self._bad(f"stride {used}/{group} must take 1 to all of each group", offset)
        mask, step = (1 << take) - 1, period
        while step < span.bit_length():  # doubling: O(log) big-int operations, not one a group
            mask |= mask << step
            step *= 2
        return span & (mask << low)

    def _id(self, token: str, offset: int) -> int:
        if token == "N":
            if self._last is None:
                raise self._bad('"N" and "all" need to know the last id, which is not known here', offset)
            return self._last
        return self._number(token, offset)

    def _number(self, token: str, offset: int) -> int:
        if len(token.lstrip("0")) > 5 or int(token) > MAX_ID:
            raise self._bad(f"id {token[:20]} is above {MAX_ID}", offset)
        return int(token)

    def _bad(self, problem: str, offset: int) -> BadInput:
        return BadInput(problem, source=self._source, position=offset, hint=_HINT)


def parse_nova(text: str, *, source: str = "cpu list") -> int:
    """Nova's `cpu_shared_set` form: `^` takes ids or ranges away, spaces around parts are allowed.

    >>> bin(parse_nova("0-3, ^1"))
    '0b1101'
    """
    mask = without = offset = 0
    for part in text.split(",") if text.strip() else []:
        token = part.strip(" \t\n")
        start = offset + len(part) - len(part.lstrip(" \t\n"))
        away = token.startswith("^")
        bits = _placed(token[1:] if away else token, source, start + away)
        mask, without = (mask, without | bits) if away else (mask | bits, without)
        offset += len(part) + 1
    return mask & ~without


def parse_numactl(text: str, *, source: str, allowed: int | None, same: int | None) -> int:
    """numactl's form: `all`, `same`, `!` for the rest of `allowed`, `+` for positions in `allowed`.

    >>> bin(parse_numactl("+0-1", source="nodes", allowed=0b110100, same=None))
    '0b10100'
    """
    body = text.strip(" \t\n")
    if body == "same":
        return _known(same, "same", source)
    if body == "all":
        return _known(allowed, "all", source)
    if body.startswith("!"):
        return _known(allowed, "!", source) & ~_placed(body[1:], source, 1)
    if not body.startswith("+"):
        return _placed(body, source, 0) if body else 0
    names = ids_of(_known(allowed, "+", source))
    wanted = ids_of(_placed(body[1:], source, 1))
    if wanted and wanted[-1] >= len(names):
        raise BadInput(f"+{wanted[-1]} is beyond the {len(names)} allowed ids", source=source, position=0)
    return sum(1 << names[i] for i in wanted)


def _placed(token: str, source: str, offset: int) -> int:
    """Parse one piece of a larger text; positions are counted in the larger text."""
    try:
        if not token.strip():
            raise BadInput("blank part", source=source, position=0, hint=_HINT)
        return parse_list(token, source=source)
    except BadInput as bad:
        at = bad.position + offset if isinstance(bad.position, int) else offset
        raise BadInput(bad.problem, source=source, position=at, hint=bad.hint) from None


def _known(mask: int | None, word: str, source: str) -> int:
    if mask is None:
        raise BadInput(f'"{word}" has no meaning here', source=source, position=0, hint=_HINT)
    return mask
