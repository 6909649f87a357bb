"""The host that `run`, `apply`, `ps` and `drift` work on, as the command line names it."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from cpuplace.policy import Policy
from cpuplace_cgroup import CgroupBackend, check_host
from cpuplace_cgroup.files import Files, KernelFiles
from cpuplace_cgroup.managing import ManagedHost
from cpuplace_cgroup.statedir import DEFAULT, VARIABLE, StateDir, default_path
from cpuplace_cgroup.statedir import PATIENCE as PATIENCE
from cpuplace_cli.hosts import load_host
from cpuplace_cli.options import HostOption as HostOption
from cpuplace_cli.situation import read_policy

ROOT: Final = "/sys/fs/cgroup/cpuplace"
FILES: Files = KernelFiles()
"""What a cgroup file system is written with; tests put an imitation here."""

RootOption = Annotated[
    str, Parameter(help="The folder of the cgroup v2 file system below which groups are made and looked for.")
]
StateDirOption = Annotated[
    Path | None,
    Parameter(help=f"Where it is kept who holds what (default: {VARIABLE}, else {DEFAULT})."),
]


def managed_host(
    root: str, state_dir: Path | None, *, host: str | None = None, policy: Path | None = None, write: bool = True
) -> ManagedHost:
    """The host with its groups and its kept state; BadInput when groups cannot be had here, saying what to do.

    `write` False: when they cannot even be looked at.
    """
    check_host(root, files=FILES, write=write)
    said: Policy | None = None if policy is None else read_policy(policy)
    return ManagedHost(
        host=load_host("live" if host is None else host),
        backend=CgroupBackend(root, files=FILES),
        kept=StateDir(default_path() if state_dir is None else state_dir),
        policy=said,
        patience=PATIENCE,
    )
