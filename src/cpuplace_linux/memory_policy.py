"""The memory policy of the calling thread: set_mempolicy(2) by its number, since no C library has a name for it."""

import ctypes
import errno
import platform
from typing import Final, Literal

from cpuplace import BadInput
from cpuplace.idset import NO_NODES, NodeSet
from cpuplace_linux.hostfiles import KernelRefused

MemoryMode = Literal["default", "preferred", "bind", "interleave"]

_MODES: Final[dict[MemoryMode, int]] = {"default": 0, "preferred": 1, "bind": 2, "interleave": 3}
_NUMBERS: Final = {
    "x86_64": (238, 239),
    "aarch64": (237, 236),
    "riscv64": (237, 236),
    "ppc64le": (261, 260),
    "s390x": (270, 269),
}
"""Machine -> numbers of set_mempolicy and get_mempolicy (arch/*/syscall*.tbl of the kernel)."""
_BITS: Final = 1024  # nodes a mask has room for: the kernel's largest MAX_NUMNODES
_WORD: Final = 8 * ctypes.sizeof(ctypes.c_ulong)


def set_memory_policy(mode: MemoryMode, nodes: NodeSet = NO_NODES) -> None:
    """Where the calling thread takes new pages from, from now on; threads and processes it starts inherit it.

    `bind`: these nodes only; `preferred`: the one node first; `interleave`: in turn; `default`: the node of its CPU.
    Raises KernelRefused (EINVAL: a node without memory or not allowed; ENOSYS, EPERM: a sandbox), BadInput for nodes
    that do not go with the mode.

    >>> set_memory_policy("bind")
    Traceback (most recent call last):
    cpuplace.errors.BadInput: memory policy: bind with nodes none
    """
    if bool(nodes) == (mode == "default") or (mode == "preferred" and len(nodes) != 1):
        raise BadInput(f"{mode} with nodes {nodes or 'none'}", source="memory policy")
    mask = _mask(nodes)
    # One bit more than there is: the kernel reads maxnode - 1 bits.
    _call(0, f"{mode} {nodes}".strip(), _MODES[mode], mask if nodes else None, _BITS + 1 if nodes else 0)


def current_memory_policy() -> tuple[str, NodeSet]:
    """The mode of the calling thread's memory policy, and its nodes, as the kernel says; raises as the above."""
    mode, mask = ctypes.c_int(), _mask(NO_NODES)
    _call(1, "a question", ctypes.byref(mode), mask, _BITS + 1, None, 0)
    names = {number: name for name, number in _MODES.items()}
    bits = sum(word << (place * _WORD) for place, word in enumerate(mask))
    return names.get(mode.value & 0xFF, str(mode.value)), NodeSet.from_mask(bits)


def _mask(nodes: NodeSet) -> "ctypes.Array[ctypes.c_ulong]":
    words = [nodes.mask >> (place * _WORD) & ((1 << _WORD) - 1) for place in range(_BITS // _WORD)]
    return (ctypes.c_ulong * len(words))(*words)


def _call(which: int, wrote: str, *arguments: object) -> None:
    machine = platform.machine()
    if machine not in _NUMBERS:
        hint = f"the number of this call on {machine} is not known here"
        raise KernelRefused(("set_mempolicy", "get_mempolicy")[which], wrote, errno.ENOSYS, hint=hint)
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(ctypes.c_long(_NUMBERS[machine][which]), *arguments):
        raise KernelRefused(("set_mempolicy", "get_mempolicy")[which], wrote, ctypes.get_errno())
