"""What a decision starts from: a host, a policy, and perhaps a saved state, as the command line names them."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace.policy import Policy
from cpuplace.state import HostState
from cpuplace_cli.hosts import load_host
from cpuplace_cli.options import NAMED, OR_STDIN
from cpuplace_cli.streams import read_input

PolicyOption = Annotated[
    Path | None,
    Parameter(name=["--policy", "-p"], help="The operator's choices: a .yaml, .toml or .json file."),
    NAMED,
]
StateOption = Annotated[
    Path | None,
    Parameter(help="Start from this saved state (its host and policy must fit; - is stdin) instead of an idle host."),
    OR_STDIN,
]


def load_situation(host: str | None, policy: Path | None, state: Path | None) -> HostState:
    """The state to decide on; raises BadInput when host, policy and saved state do not fit each other.

    Without `host` it is the one the state was saved for, when the catalogue has it, else this machine.
    """
    said = None if policy is None else read_policy(policy)
    if state is None:
        return _empty(host, said, policy)
    text, source = read_state(state)
    return _saved(text, host, said, source)


def read_state(path: Path) -> tuple[bytes, str]:
    """The text of a saved state, also of the one that `run` and `apply` keep (/run/cpuplace/state), and its source."""
    text, source = read_input(path)
    if not text.startswith(b'{"cpuplace":'):
        return text, source
    from cpuplace_cgroup.statefile import body_of

    return body_of(text, source=source), source


def read_policy(path: Path) -> Policy:
    """The policy in a file; BadInput with file and line when it is none."""
    from cpuplace_linux.policyfile import read_policy

    return read_policy(path)


def _empty(host: str | None, policy: Policy | None, path: Path | None) -> HostState:
    topology = load_host("live" if host is None else host)
    try:
        return HostState.empty(topology, policy)
    except BadInput as bad:  # names the policy's field; say which file
        raise BadInput(bad.problem, source=str(path or bad.source), position=bad.position, hint=bad.hint) from None


def _saved(text: bytes, host: str | None, policy: Policy | None, source: str) -> HostState:
    from cpuplace.formats import state as state_format

    topology = load_host(host_of_state(text, source) if host is None else host)
    state = state_format.parse(text, topology, source=source)
    if policy is not None:
        _check_agreement(state.policy, policy, source)
    return state


def host_of_state(text: bytes, source: str) -> str:
    """What to load when nobody says for which host a state is: the host of its name in the catalogue, or this one."""
    from cpuplace import catalogue
    from cpuplace.formats import state as state_format

    name = state_format.saved_host(text, source=source)
    return name if name in catalogue.NAMES else "live"


def _check_agreement(saved: Policy, said: Policy, source: str) -> None:
    """Refuse a policy other than the one that the state was decided under, naming the first field that differs."""
    from cpuplace.formats import policy as policy_format

    was, now = policy_format.render(saved), policy_format.render(said)
    for name, value in was.items():
        if now[name] != value:
            raise BadInput(
                f"the state was saved under another policy: {name} was {value!r}, --policy says {now[name]!r}",
                source=source,
                position=f"policy.{name}",
                hint="leave --policy out to go on with the saved one",
            )


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, never a part; raises BadInput when it cannot."""
    name = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            name = file.name
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except OSError as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        raise BadInput(f"cannot be written: {error.strerror or error}", source=str(path)) from None


def _umask() -> int:
    """The mask of new files; the system tells it only while it is set."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
