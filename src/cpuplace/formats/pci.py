"""What a PCI function is, from its class code and vendor (PCI Code and ID Assignment Specification)."""

from typing import Final

_KINDS: Final = (
    ("0207", "ib"),
    ("02", "nic"),
    ("0108", "nvme"),
    ("03", "gpu"),
    ("12", "gpu"),
)
"""Start of a class code -> kind; first match wins. 02 network, 0207 InfiniBand, 0108 non-volatile memory,
03 display, 12 processing accelerator."""

_CONSOLES: Final = frozenset({"1a03", "102b", "1234", "1013", "15ad", "1b36"})
"""Vendors whose displays only draw a console: ASPEED, Matrox, QEMU, Cirrus, VMware, Red Hat."""


def kind_of(code: str, vendor: str) -> str | None:
    """The `Device.kind` for a class code and vendor in hexadecimal without 0x; None when we list no such devices.

    >>> kind_of("020700", "15b3"), kind_of("030000", "1a03"), kind_of("0c0330", "8086")
    ('ib', 'other', None)
    """
    kind = next((kind for start, kind in _KINDS if code.startswith(start)), None)
    return "other" if kind == "gpu" and vendor in _CONSOLES else kind
