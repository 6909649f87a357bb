"""CpuSet and NodeSet by example: two kinds that never mix, and every error with its place."""

import pytest

from cpuplace.errors import BadInput
from cpuplace.idset import NO_CPUS, CpuSet, Dialect, NodeSet

CPUS, NODES = CpuSet([1, 2]), NodeSet([1, 2])


def test_kinds_do_not_mix() -> None:
    """Each `type: ignore` is a check: mypy --strict warns where one is not needed."""
    with pytest.raises(TypeError, match="CpuSet and NodeSet cannot be combined"):
        CPUS & NODES  # type: ignore[operator]
    with pytest.raises(TypeError):
        CPUS | NODES  # type: ignore[operator]
    with pytest.raises(TypeError):
        NODES - CPUS  # type: ignore[operator]
    with pytest.raises(TypeError):
        NODES ^ CPUS  # type: ignore[operator]
    with pytest.raises(TypeError):
        assert CPUS <= NODES  # type: ignore[operator]
    with pytest.raises(TypeError):
        assert CPUS < NODES  # type: ignore[operator]
    with pytest.raises(TypeError):
        assert NODES >= CPUS  # type: ignore[operator]
    with pytest.raises(TypeError):
        assert NODES > CPUS  # type: ignore[operator]
    with pytest.raises(TypeError):
        CPUS.isdisjoint(NODES)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        CPUS & {1}  # type: ignore[operator]
    assert CPUS != NODES
    assert CPUS.mask == NODES.mask


def test_the_empty_set() -> None:
    assert CpuSet.parse("") == CpuSet.parse(" \n") == CpuSet() == NO_CPUS
    assert str(NO_CPUS) == ""
    assert not NO_CPUS
    assert NO_CPUS.format_mask() == "00000000"
    for ask in ("min", "max"):
        with pytest.raises(BadInput, match="empty set"):
            getattr(NO_CPUS, ask)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("0", "0"),
        ("0-3,8", "0-3,8"),
        ("8,0-3,2", "0-3,8"),
        ("3,4,5\n", "3-5"),
        ("007", "7"),
        ("0-31:1/8", "0,8,16,24"),
        ("0-9:2/5,20", "0-1,5-6,20"),
        ("5-5", "5"),
        ("4096-4099", "4096-4099"),
        ("65536", "65536"),
        ("0-0", "0"),
    ],
)
def test_kernel_lists(text: str, ids: str) -> None:
    assert str(CpuSet.parse(text)) == ids


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("3-1", 0, "reversed"),
        ("0,9-8", 2, "reversed"),
        ("0,,1", 2, "blank part"),
        (",", 0, "blank part"),
        ("0,", 2, "blank part"),
        ("x", 0, "cannot read 'x'"),
        ("0-", 1, "cannot read '-'"),
        ("-1", 0, "cannot read '-1'"),
        ("0-3-5", 3, "cannot read '-5'"),
        ("1 2", 1, "cannot read ' 2'"),
        ("0, 1", 2, "cannot read ' 1'"),
        ("0x1", 1, "cannot read 'x1'"),
        ("٣", 0, "cannot read"),
        ("65537", 0, "above 65536"),
        ("0-99999999999999999999", 2, "above 65536"),
        ("1,0-3:0/2", 6, "stride"),
        ("0-3:3/2", 4, "stride"),
        ("0-3:1", 3, "cannot read ':1'"),
        ("N", 0, "last id"),
        ("all", 0, "last id"),
        ("0-N", 2, "last id"),
        ("^1", 0, "cannot read '^1'"),
    ],
)
def test_bad_kernel_lists(text: str, position: int, problem: str) -> None:
    with pytest.raises(BadInput, match="cpu list") as caught:
        CpuSet.parse(text)
    assert caught.value.position == position
    assert problem in caught.value.problem


def test_the_source_names_the_text() -> None:
    with pytest.raises(BadInput, match="node list, at 0"):
        NodeSet.parse("x")
    with pytest.raises(BadInput, match="my file, at 0"):
        CpuSet.parse("x", source="my file")


@pytest.mark.parametrize(
    ("text", "ids"),
    [("f", "0-3"), ("00000000,0000000f", "0-3"), ("1,00000000", "32"), ("0x3\n", "0-1"), ("0X3", "0-1"), ("0", "")],
)
def test_masks(text: str, ids: str) -> None:
    assert str(CpuSet.parse_mask(text)) == ids


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("g", 0),
        ("1,,1", 2),
        ("123456789", 0),
        ("0x", 2),
        (" 1,x", 3),
        ("1," * 12000, 0),
        (",".join(["f" * 8] * 2100), 0),
    ],
)
def test_bad_masks(text: str, position: int) -> None:
    with pytest.raises(BadInput) as caught:
        CpuSet.parse_mask(text)
    assert caught.value.position == position


def test_masks_as_wide_as_asked() -> None:
    assert CpuSet([0, 2]).format_mask(width=12) == "005"
    assert CpuSet([35]).format_mask(width=36) == "8,00000000"
    assert NO_CPUS.format_mask(width=64) == "00000000,00000000"
    with pytest.raises(BadInput, match="does not fit in 2 bits"):
        CpuSet([2]).format_mask(width=2)


def test_ids_out_of_range() -> None:
    for one in (-1, 65537):
        with pytest.raises(BadInput, match="not an id from 0 to 65536"):
            CpuSet([one])
    with pytest.raises(BadInput, match="negative"):
        CpuSet.from_mask(-1)


@pytest.mark.parametrize(
    ("text", "dialect", "position", "problem"),
    [
        ("0-3,^", "nova", 5, "blank part"),
        ("0-3, ^x", "nova", 6, "cannot read 'x'"),
        ("0,,1", "nova", 2, "blank part"),
        ("!", "numactl", 1, "blank part"),
        ("+9", "numactl", 0, "beyond the 3 allowed"),
        ("+x", "numactl", 1, "cannot read"),
        ("same", "numactl", 0, "no meaning here"),
        ("0,^1", "numactl", 2, "cannot read"),
    ],
)
def test_bad_texts_in_other_dialects(text: str, dialect: Dialect, position: int, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        CpuSet.parse(text, dialect=dialect, allowed=CpuSet([1, 5, 6]))
    assert (caught.value.position, problem in caught.value.problem) == (position, True)


def test_dialects_are_named_never_guessed() -> None:
    assert CpuSet.parse(" ", dialect="nova") == CpuSet.parse(" ", dialect="numactl") == NO_CPUS
    with pytest.raises(BadInput, match="no meaning here"):
        CpuSet.parse("all", dialect="numactl")
    with pytest.raises(BadInput, match="unknown dialect 'cobol'"):
        CpuSet.parse("0", dialect="cobol")  # type: ignore[arg-type]
