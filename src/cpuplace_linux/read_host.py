"""A host's `Topology` from where its sysfs is: the live kernel, a folder, a tar file."""

import os
from pathlib import Path

from cpuplace import BadInput
from cpuplace.formats import sysfs
from cpuplace.formats.tree import MappingTree, Tree
from cpuplace.topology import Topology
from cpuplace_linux.folder import FolderTree


def read_host(path: str | os.PathLike[str] = "/", *, name: str = "") -> Topology:
    """What the host at `path` is: "/" is the live one; else a folder that holds sys/ (or is one), or a tar file of it.

    About half a millisecond a CPU or device when live. Raises BadInput, with the path and the file in it, for
    anything that is no such thing.

    >>> read_host().online.min >= 0
    True
    """
    try:
        return sysfs.read(open_tree(path), name=name)
    except BadInput as bad:
        where = bad.source if bad.source.startswith(os.fspath(path)) else f"{os.fspath(path)}: {bad.source}"
        raise BadInput(bad.problem, source=where, position=bad.position, hint=bad.hint) from None


def open_tree(path: str | os.PathLike[str]) -> Tree:
    """The tree to read at this path; raises BadInput when nothing readable is there."""
    place = Path(path)
    try:
        if place.is_dir():
            return FolderTree(place)
        if place.is_file():
            from cpuplace_linux.tarball import read_tar

            return MappingTree(read_tar(place))
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", source=str(place)) from None
    raise BadInput("no such folder or file", source=str(place), hint="/, a folder that holds sys/, or a tar.gz of one")
