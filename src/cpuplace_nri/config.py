"""Config: how the plugin of one node runs, one field each; the file, its schema and the docs come from here."""

from ipaddress import ip_address
from typing import Any, Final, Literal

from attrs import Attribute, evolve, field, fields, frozen

from cpuplace.errors import BadInput
from cpuplace.policy import Policy
from cpuplace_nri.identity import NAME

NRI_SOCKET: Final = "/var/run/nri/nri.sock"
RUN: Final = "/run/cpuplace"
ADMIN_SOCKET: Final = f"{RUN}/nri.sock"
PORT: Final = 9464
"""The port of metrics and health checks in the manifests of deploy/, where nothing else is said."""

_MOST_DELAY: Final = 600_000
_MOST_INDEX: Final = 99


def _doc(text: str, *, choices: tuple[str, ...] = (), live: bool = False, **more: Any) -> Any:
    """An attrs field with its row of the docs; `live` = a reload can change it while the plugin runs."""
    return field(metadata={"doc": text, "choices": choices, "live": live}, **more)


def nri_policy(profile: str = "default", **changes: Any) -> Policy:
    """The policy of a profile: widening is lazy, since each update costs the runtime 10 to 17 ms under its lock.

    >>> nri_policy("weka").pin_overlap, nri_policy().widen
    ('share', 'lazy')
    """
    said = {"widen": "lazy"} | changes
    return Policy.weka(**said) if profile == "weka" else Policy(**said)


@frozen(slots=True, kw_only=True)
class Config:
    """How the plugin runs, and the policy by which it decides.

    >>> Config(name="blue").index
    99
    """

    name: str = _doc("the plugin's name: lower-case letters, digits and -", default="cpuplace")
    index: int = _doc(
        "its place among the plugins of a node, 0 to 99; a later one sees what earlier ones did", default=99
    )
    socket: str = _doc("the runtime's socket; a pre-installed plugin has none", default=NRI_SOCKET)
    profile: Literal["default", "weka"] = _doc(
        "whose policy is meant where `policy` says nothing: kubelet's defaults, or what Weka's plugin does",
        default="default",
        choices=("default", "weka"),
        live=True,
    )
    fail_closed: bool = _doc(
        "a container whose CPUs were not set by this plugin is rejected (NRI 0.10 and newer)", default=False
    )
    exclusive_quota: Literal["keep", "off"] = _doc(
        "the CFS quota of containers that have CPUs of their own: left as it is, or taken away",
        default="keep",
        choices=("keep", "off"),
        live=True,
    )
    widen_delay: int = _doc(
        "milliseconds without a new exclusive container before shared ones get freed CPUs; at most ten times that",
        default=1000,
        live=True,
    )
    check: Literal["off", "report", "repair"] = _doc(
        "after a reply, and now and then, compare the cgroups with what was decided: not, to report, or to mend",
        default="repair",
        choices=("off", "report", "repair"),
        live=True,
    )
    second_connection: bool = _doc(
        "what cannot be written to a cgroup goes by a short second connection where the runtime cannot be called",
        default=False,
    )
    listen: str = _doc(
        f'address:port of /healthz, /readyz and /metrics, such as 127.0.0.1:{PORT}; "" = none', default=""
    )
    admin_socket: str = _doc(
        'the socket that `cpuplace nri status` and its sisters ask, for root only; "" = none', default=ADMIN_SOCKET
    )
    lock: str = _doc(
        "the folder in which a plugin holds the lock of its name, so that a node has only one", default=RUN
    )
    log_level: Literal["debug", "info", "warning", "error"] = _doc(
        "how much is logged; a decision is info, a refusal a warning",
        default="info",
        choices=("debug", "info", "warning", "error"),
        live=True,
    )
    log_format: Literal["keyvalue", "json"] = _doc(
        "a log line: key=value pairs, or one JSON object", default="keyvalue", choices=("keyvalue", "json"), live=True
    )
    policy: Policy = _doc("the operator's choices, as in every policy file", factory=nri_policy, live=True)

    def __attrs_post_init__(self) -> None:
        """Refuse values that no field takes."""
        for name, attribute in FIELDS.items():
            choices = attribute.metadata["choices"]
            if choices and getattr(self, name) not in choices:
                raise _bad(name, f"{getattr(self, name)!r} is not a value of {name}", "one of " + ", ".join(choices))
        if not NAME.fullmatch(self.name):
            raise _bad("name", f"{self.name[:40]!r} cannot name a plugin", "lower-case letters, digits and -")
        if not 0 <= self.index <= _MOST_INDEX:
            raise _bad("index", f"{self.index} is not from 0 to {_MOST_INDEX}", "99 comes last")
        if not 0 <= self.widen_delay <= _MOST_DELAY:
            raise _bad("widen_delay", f"{self.widen_delay} is not from 0 to {_MOST_DELAY} milliseconds", "")
        self._check_paths()
        address(self.listen)

    def _check_paths(self) -> None:
        for name, needed in (("socket", True), ("lock", True), ("admin_socket", False)):
            path = getattr(self, name)
            if (path or needed) and not (path.startswith("/") and "\0" not in path):
                raise _bad(name, f"{path[:80]!r} is not an absolute path", f"such as {FIELDS[name].default}")

    @property
    def index_text(self) -> str:
        """The index as the runtime wants it: two digits."""
        return f"{self.index:02}"

    def with_changes(self, **changes: Any) -> "Config":
        """The same with the fields that are not None changed; raises BadInput for what no field takes."""
        return evolve(self, **{name: value for name, value in changes.items() if value is not None})


FIELDS: Final[dict[str, "Attribute[Any]"]] = {attribute.name: attribute for attribute in fields(Config)}
"""The fields of Config by name, in the order of the class."""


def address(listen: str) -> tuple[str, int] | None:
    """Host and port of an address:port, None for ""; raises BadInput for anything else.

    >>> address("[::1]:9464")
    ('::1', 9464)
    """
    if not listen:
        return None
    host, _, port = listen.rpartition(":")
    hint = f"write 127.0.0.1:{PORT}, or [::1]:{PORT}"
    try:
        found = str(ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        raise _bad("listen", f"{host[:60]!r} is not the address of an interface", hint) from None
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:9]) < 1 << 16:
        raise _bad("listen", f"{port[:20]!r} is not a port", hint)
    return found, int(port)


def _bad(name: str, problem: str, hint: str) -> BadInput:
    return BadInput(problem, source="config", position=name, hint=hint)
