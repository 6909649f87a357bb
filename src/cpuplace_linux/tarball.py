"""A captured tar file as a mapping of its small files, and back; nothing is written to disk, sizes are bounded.

Imported when there is one: the libraries of archives take longer to load than a small host takes to read.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from cpuplace import BadInput
from cpuplace.formats.sysfs import Link, wanted
from cpuplace_linux.folder import MAX_FILE

MAX_TAR: Final = 256 << 20
"""Bytes of the largest unpacked archive: a whole sysfs of a 768-CPU host takes about 100 MiB."""

_CPU_FOLDER: Final = "devices/system/cpu/"


def read_tar(path: Path) -> dict[str, bytes | Link]:
    """Path from sys/ or proc/ -> content or `Link`, for what `wanted` names. Takes gzip and plain tar.

    Raises BadInput for anything else: no tar, a broken one, names that leave it, hard links, huge files.
    """
    source = str(path)
    try:
        with tarfile.open(fileobj=io.BytesIO(_unpacked(path)), mode="r:") as tar:
            members = {_name(member, source): member for member in tar}
            top = _top(members, source)
            return {
                inside: _content(tar, member, f"{source}: {name}")
                for name, member in members.items()
                if wanted(inside := _inside(name, top))
            }
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"not a readable tar file: {error}", source=source, hint="make one with cpuplace capture"
        ) from None


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        data = gzip.GzipFile(fileobj=file).read(MAX_TAR + 1) if packed else file.read(MAX_TAR + 1)
    if len(data) > MAX_TAR:
        raise BadInput(f"the archive unpacks to more than {MAX_TAR} bytes", source=str(path))
    return data


def _name(member: tarfile.TarInfo, source: str) -> str:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or ".." in parts:
        raise BadInput(f"the member {member.name[:80]!r} leads out of the archive", source=source)
    return "/".join(parts) + "/" * member.isdir()


def _top(names: Iterable[str], source: str) -> tuple[str, str]:
    """What to take off the front of every name, and what to put there instead."""
    heads = [name.partition(_CPU_FOLDER)[0] for name in names if _CPU_FOLDER in name]
    if not heads:
        raise BadInput("no sysfs tree in this archive", source=source, hint=f"it has no sys/{_CPU_FOLDER}")
    head = min(heads, key=len)
    return (head[:-4], "") if head == "sys/" or head.endswith("/sys/") else (head, "sys/")


def _inside(name: str, top: tuple[str, str]) -> str:
    return top[1] + name.removeprefix(top[0])


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> bytes | Link:
    if member.issym():
        return Link(member.linkname)
    if member.isdir():
        return b""
    if member.size > MAX_FILE:
        raise BadInput(f"the file is larger than {MAX_FILE} bytes", source=source)
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        raise BadInput("neither a file, a folder nor a symbolic link", source=source)
    return file.read()


def packed(files: Mapping[str, str | Link]) -> bytes:
    """A tar.gz of these files whose bytes depend on nothing else: sorted, no times, no owners."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, content in sorted(files.items()):
            member, data = _member(path, content)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _member(path: str, content: str | Link) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path.rstrip("/"))
    if isinstance(content, Link):
        member.type, member.linkname = tarfile.SYMTYPE, content
        return member, b""
    if path.endswith("/"):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        return member, b""
    data = content.encode("utf-8", "replace")
    member.size = len(data)
    return member, data
