"""CpuSet and NodeSet: immutable sets of ids over one int bit mask.

The two kinds never mix: `CpuSet & NodeSet` is an error for mypy (operators take Self) and a TypeError at
run time, and `==` between kinds is False. The mask is public (`.mask`) because the hot path works on ints.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, Literal, Self, final

from cpuplace import cpulist
from cpuplace.cpulist import MAX_ID
from cpuplace.errors import BadInput

Dialect = Literal["kernel", "nova", "numactl"]


class _IdSet:
    """What both kinds share; never used on its own."""

    __slots__ = ("_mask",)

    _mask: int
    _source: ClassVar[str] = "id list"

    def __init__(self, ids: Iterable[int] = ()) -> None:
        """Take any ids from 0 to 65536; raises BadInput for others."""
        mask = 0
        for one in ids:
            if not 0 <= one <= MAX_ID:
                raise BadInput(f"{one!r} is not an id from 0 to {MAX_ID}", source=self._source)
            mask |= 1 << one
        self._mask = mask

    @classmethod
    def from_mask(cls, mask: int) -> Self:
        """The set whose ids are the set bits of `mask`; O(1).

        >>> CpuSet.from_mask(0b101)
        CpuSet('0,2')
        """
        if mask < 0:
            raise BadInput("a mask cannot be negative", source=cls._source)
        new = cls.__new__(cls)
        new._mask = mask
        return new

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        dialect: Dialect = "kernel",
        last: int | None = None,
        allowed: Self | None = None,
        same: Self | None = None,
        source: str | None = None,
    ) -> Self:
        """The set that a list text names; "" is the empty set. Raises BadInput with the position.

        The kernel's form is the default (`0-3,8`, `0-31:1/2`, and with `last` also `N` and `all`).
        Other dialects are used only when named: "nova" (`^` takes away), "numactl" (`+`, `!`, `all`
        relative to `allowed`, `same`). `source` names the text in errors.

        >>> CpuSet.parse("0-3,8").mask == 0b100001111
        True
        """
        name = source or cls._source
        if dialect == "kernel":
            return cls.from_mask(cpulist.parse_list(text, source=name, last=last))
        if dialect == "nova":
            return cls.from_mask(cpulist.parse_nova(text, source=name))
        if dialect == "numactl":
            within = None if allowed is None else allowed._mask
            again = None if same is None else same._mask
            return cls.from_mask(cpulist.parse_numactl(text, source=name, allowed=within, same=again))
        raise BadInput(f"unknown dialect {dialect!r}", hint="kernel, nova or numactl")

    @classmethod
    def parse_mask(cls, text: str, *, source: str | None = None) -> Self:
        """The set that a hexadecimal mask in 32-bit comma groups names; short masks are taken.

        >>> CpuSet.parse_mask("1,00000003")
        CpuSet('0-1,32')
        """
        return cls.from_mask(cpulist.parse_mask(text, source=source or cls._source))

    @property
    def mask(self) -> int:
        """The int whose bit i is set when id i is in the set."""
        return self._mask

    def format_mask(self, *, width: int | None = None) -> str:
        """The mask as 32-bit comma groups, like sysfs `cpumap`; `width` = how many ids to show."""
        return cpulist.format_mask(self._mask, width=width)

    def __str__(self) -> str:
        """The kernel's list text, e.g. "0-3,8"; "" when empty."""
        return cpulist.format_list(self._mask)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({cpulist.format_list(self._mask)!r})"

    def __iter__(self) -> Iterator[int]:
        return iter(cpulist.ids_of(self._mask))

    def __len__(self) -> int:
        return self._mask.bit_count()

    def __bool__(self) -> bool:
        return self._mask != 0

    def __contains__(self, one: object) -> bool:
        return isinstance(one, int) and one >= 0 and bool(self._mask >> one & 1)

    def __hash__(self) -> int:
        return hash(self._mask)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._mask == other._mask

    def _other(self, other: Self) -> int:
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} and {type(other).__name__} cannot be combined or compared")
        return other._mask

    def __or__(self, other: Self) -> Self:
        return self.from_mask(self._mask | self._other(other))

    def __and__(self, other: Self) -> Self:
        return self.from_mask(self._mask & self._other(other))

    def __sub__(self, other: Self) -> Self:
        return self.from_mask(self._mask & ~self._other(other))

    def __xor__(self, other: Self) -> Self:
        return self.from_mask(self._mask ^ self._other(other))

    def __le__(self, other: Self) -> bool:
        return not self._mask & ~self._other(other)

    def __lt__(self, other: Self) -> bool:
        return self <= other and self._mask != other._mask

    def __ge__(self, other: Self) -> bool:
        return not self._other(other) & ~self._mask

    def __gt__(self, other: Self) -> bool:
        return self >= other and self._mask != other._mask

    def isdisjoint(self, other: Self) -> bool:
        """True when no id is in both."""
        return not self._mask & self._other(other)

    @property
    def min(self) -> int:
        """The lowest id; raises BadInput when the set is empty."""
        return self._end(self._mask & -self._mask)

    @property
    def max(self) -> int:
        """The highest id; raises BadInput when the set is empty."""
        return self._end(self._mask)

    def _end(self, bits: int) -> int:
        if not bits:
            raise BadInput("an empty set has no lowest or highest id", source=self._source)
        return bits.bit_length() - 1

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).from_mask, (self._mask,)


@final
class CpuSet(_IdSet):
    """An immutable set of logical CPU ids.

    >>> CpuSet.parse("0-3") & CpuSet([2, 3, 9])
    CpuSet('2-3')
    """

    __slots__ = ()
    _source: ClassVar[str] = "cpu list"


@final
class NodeSet(_IdSet):
    """An immutable set of NUMA node ids.

    >>> NodeSet([0, 8, 250])
    NodeSet('0,8,250')
    """

    __slots__ = ()
    _source: ClassVar[str] = "node list"


NO_CPUS: Final = CpuSet()
NO_NODES: Final = NodeSet()
