"""Kubernetes quantities: `500m`, `2`, `8Gi`, `1e3`, `0.5`, `100k` as exact numbers.

Grammar (Kubernetes API, resource.Quantity): a signed decimal number, then one suffix: n u m (billionths, millionths,
thousandths), k M G T P E (powers of 1000), Ki Mi Gi Ti Pi Ei (powers of 1024), or e3 / E3 (a power of ten).
"""

import re
from fractions import Fraction
from typing import Final

from cpuplace.errors import BadInput

MAX_QUANTITY: Final = (1 << 63) - 1
"""The API's largest amount; more is a typing error or an attack."""

_QUANTITY: Final = re.compile(
    r"([+-]?)([0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?"
)
_POWERS: Final = {
    **{suffix: Fraction(1, 1000**power) for power, suffix in ((3, "n"), (2, "u"), (1, "m"))},
    **{suffix: Fraction(1000**power) for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix + "i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)},
}
_HINT: Final = "write 500m, 2, 0.5, 8Gi or 1e3"


def parse(text: str, *, source: str = "quantity") -> Fraction:
    """The exact amount; raises BadInput for junk, negative amounts and more than 2^63 - 1.

    >>> parse("0.5"), parse("1e3"), parse("8Gi") == 8 * 2**30
    (Fraction(1, 2), Fraction(1000, 1), True)
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise BadInput(f"{text[:40]!r} is not a quantity", source=source, hint=_HINT)
    sign, digits, suffix, exponent = match.groups()
    amount = Fraction(digits) * (_POWERS[suffix] if suffix else Fraction(10) ** int(exponent or 0))
    if sign == "-" and amount:
        raise BadInput(f"{text[:40]!r} is negative", source=source)
    if amount > MAX_QUANTITY:
        raise BadInput(f"{text[:40]!r} is more than {MAX_QUANTITY}", source=source)
    return amount


def millicores(text: str, *, source: str = "cpu quantity") -> int:
    """Thousandths of a CPU, a smaller rest rounded up, as Kubernetes does.

    >>> millicores("1.5"), millicores("100u")
    (1500, 1)
    """
    return _up(parse(text, source=source) * 1000)


def whole_bytes(text: str, *, source: str = "memory quantity") -> int:
    """Bytes, a fraction rounded up, as Kubernetes does.

    >>> whole_bytes("1k"), whole_bytes("1Ki"), whole_bytes("100m")
    (1000, 1024, 1)
    """
    return _up(parse(text, source=source))


def _up(amount: Fraction) -> int:
    return -(-amount.numerator // amount.denominator)
