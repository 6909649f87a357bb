"""The captured machines beside the checkout: where they are, their truth, and one skip when they are absent."""

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

from cpuplace.formats.sysfs import Link
from cpuplace.topology import Topology
from cpuplace_linux.read_host import read_host

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "topologies"
NAMES = sorted(path.name.removesuffix(".tar.gz") for path in FOLDER.glob("*.tar.gz")) if FOLDER.is_dir() else []
ABSENT = "" if NAMES else f"no captured machines at {FOLDER}: nothing to compare with"


def tarball(name: str) -> Path:
    """The tar file of the machine whose name begins so."""
    (found,) = FOLDER.glob(f"{name}*.tar.gz")
    return found


@cache
def host(name: str) -> Topology:
    return read_host(tarball(name))


@cache
def truth(name: str) -> dict[str, Any]:
    path = tarball(name)
    facts = json.loads(path.with_name(path.name.replace(".tar.gz", ".json")).read_text())
    return dict(facts["truth"])


@cache
def raw(name: str) -> dict[str, bytes | Link]:
    """Every file and link of the machine, wanted or not."""
    files: dict[str, bytes | Link] = {}
    with tarfile.open(tarball(name)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                files[member.name] = content.read()
            elif member.issym():
                files[member.name] = Link(member.linkname)
    return files
