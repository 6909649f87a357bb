"""Names: what the path of a group says about it, in the layouts that Kubernetes, systemd and people use.

kubepods by the cgroupfs driver:  kubepods[/burstable|/besteffort]/pod<uid>/<id>
kubepods by the systemd driver:   kubepods.slice[/kubepods-burstable.slice]/kubepods-burstable-pod<uid, - as _>.slice
                                  with cri-containerd-<id>.scope, crio-<id>.scope, ... in it
systemd:                          system.slice/nginx.service, user.slice/.../run-1.scope
else:                             any folder; the ones that we make are named by the container id
"""

import re
from typing import Final, Literal
from urllib.parse import quote, unquote

from attrs import frozen

from cpuplace import BadInput

Qos = Literal["guaranteed", "burstable", "besteffort", ""]

_QOS: Final = re.compile(r"(?:kubepods-)?(burstable|besteffort)(?:\.slice)?")
_POD: Final = re.compile(r"(?:kubepods-(?:burstable-|besteffort-)?)?pod(.+?)(\.slice)?")
_SCOPE: Final = re.compile(r"(cri-containerd|crio|docker|libpod|cri-o)-(.+)\.scope")
_UNIT: Final = re.compile(r".+\.(?:slice|scope|service)")
_MAX_NAME: Final = 255


@frozen(slots=True, kw_only=True)
class Name:
    """What a path says, "" where nothing; `leaf` False when it only holds others (a slice, a pod, a QoS class)."""

    container_id: str
    qos: Qos = ""
    pod: str = ""
    runtime: str = ""
    unit: str = ""
    leaf: bool = True


def read_name(path: str, *, above: str = "") -> Name:
    """What the relative path of a group says about it; `above` is where that starts in the whole hierarchy.

    >>> read_name("kubepods/burstable/pod1-2/abc").qos
    'burstable'
    >>> read_name("kubepods.slice/kubepods-pod1_2.slice/crio-abc.scope").pod
    '1-2'
    """
    whole = f"{above}/{path}" if above else path
    parts = whole.split("/")
    start = next((at for at, part in enumerate(parts) if part in ("kubepods", "kubepods.slice")), None)
    if start is not None:
        return _of_kubepods(path, parts[start + 1 :], unit_of(whole))
    scope = _SCOPE.fullmatch(parts[-1])
    if scope:
        return Name(container_id=scope[2], runtime=scope[1], unit=unit_of(whole))
    return Name(container_id=unquote(path), unit=unit_of(whole), leaf=not path.endswith(".slice"))


def _of_kubepods(path: str, below: list[str], unit: str) -> Name:
    """`below`: what follows kubepods: a QoS class or none, then the pod, then the container."""
    level = _QOS.fullmatch(below[0]) if below else None
    qos: Qos = "guaranteed" if level is None else "burstable" if level[1] == "burstable" else "besteffort"
    pod, *rest = below[level is not None :] or [""]
    found = _POD.fullmatch(pod)
    if found is None:
        return Name(container_id=path, qos=qos, unit=unit, leaf=False)
    uid = found[1].replace("_", "-") if found[2] else found[1]
    if not rest:
        return Name(container_id=path, qos=qos, pod=uid, unit=unit, leaf=False)
    scope = _SCOPE.fullmatch(rest[0])
    if scope is None:
        return Name(container_id=rest[0], qos=qos, pod=uid, unit=unit)
    return Name(container_id=scope[2], qos=qos, pod=uid, runtime=scope[1], unit=unit)


def unit_of(path: str) -> str:
    """The systemd unit that this group is; "" when it is none, or lies inside one that was delegated.

    >>> unit_of("system.slice/nginx.service"), unit_of("system.slice/docker.service/x"), unit_of("kubepods/pod1")
    ('nginx.service', '', '')
    """
    *above, last = path.split("/")
    ours = _UNIT.fullmatch(last) and all(part.endswith(".slice") for part in above)
    return last if ours else ""


def folder_name(container_id: str) -> str:
    """The name of a folder for this id, from which the id can be read again; BadInput when none can have it.

    >>> folder_name("default/web-0/main"), folder_name("cgroup.procs")
    ('default%2Fweb-0%2Fmain', 'cgroup%2Eprocs')
    """
    name = quote(container_id, safe="-_.~@:+=, ")
    dotted = name.startswith(".") or re.match(r"[a-z_]+\.", name) or _UNIT.fullmatch(name)
    if dotted:  # else it may be a file of the kernel's, or look like a unit
        name = name.replace(".", "%2E")
    if name == "kubepods":
        name = "%6Bubepods"
    if len(name) > _MAX_NAME:
        problem = f"too long to name a group ({len(name)} bytes)"
        raise BadInput(problem, source=container_id[:40], hint=f"at most {_MAX_NAME}")
    return name
