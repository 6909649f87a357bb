"""The Linux host: read (live, a folder, a captured tar file), CPUs for workers, threads on CPUs, interrupts moved."""

from importlib import import_module
from typing import TYPE_CHECKING

from cpuplace_linux.capture import capture as capture
from cpuplace_linux.read_host import read_host as read_host

if TYPE_CHECKING:
    from cpuplace_linux.affinity import pin
    from cpuplace_linux.allowance import allowed, allowed_cpus
    from cpuplace_linux.hostfiles import KernelRefused
    from cpuplace_linux.inbox import RoleEnded
    from cpuplace_linux.interrupts import read_interrupts
    from cpuplace_linux.irq_steering import IrqOutcome, apply_irq_plan, undo_irq_record
    from cpuplace_linux.memory_policy import current_memory_policy, set_memory_policy
    from cpuplace_linux.role_activity import RoleActivity
    from cpuplace_linux.role_runner import RoleSeat
    from cpuplace_linux.splitting import split
    from cpuplace_linux.thread_layout import PartitionThreadLayout, PartitionThreadLayoutBuilder

__all__ = [
    "IrqOutcome",
    "KernelRefused",
    "PartitionThreadLayout",
    "PartitionThreadLayoutBuilder",
    "RoleActivity",
    "RoleEnded",
    "RoleSeat",
    "allowed",
    "allowed_cpus",
    "apply_irq_plan",
    "capture",
    "current_memory_policy",
    "pin",
    "read_host",
    "read_interrupts",
    "set_memory_policy",
    "split",
    "undo_irq_record",
]

_LATER = {
    "IrqOutcome": "irq_steering",
    "KernelRefused": "hostfiles",
    "PartitionThreadLayout": "thread_layout",
    "PartitionThreadLayoutBuilder": "thread_layout",
    "RoleActivity": "role_activity",
    "RoleEnded": "inbox",
    "RoleSeat": "role_runner",
    "allowed": "allowance",
    "allowed_cpus": "allowance",
    "apply_irq_plan": "irq_steering",
    "current_memory_policy": "memory_policy",
    "pin": "affinity",
    "read_interrupts": "interrupts",
    "set_memory_policy": "memory_policy",
    "split": "splitting",
    "undo_irq_record": "irq_steering",
}
"""Names whose modules are imported when first asked for: reading a host needs no threads, and ctypes is slow."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'cpuplace_linux' has no attribute {name!r}")
    found: object = getattr(import_module(f"cpuplace_linux.{_LATER[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
