"""An image to run, written as an OCI layout by the standard library: busybox, and nothing else."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

PAUSE: Final = "localhost/pause:test"
BUSYBOX: Final = "localhost/busybox:test"
COMMANDS: Final = ("sh", "sleep", "cat", "true")
"""What busybox is called inside, all of them links to it."""


def write(out: Path, busybox: Path) -> None:
    """A tar with both images, which differ in name only; `ctr images import` reads it."""
    layer = rootfs(busybox.read_bytes())
    config = packed(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
    )
    manifest = packed(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("config.v1+json", config),
            "layers": [described("layer.v1.tar", layer)],
        }
    )
    names = [{"io.containerd.image.name": name} for name in (PAUSE, BUSYBOX)]
    index = {
        "schemaVersion": 2,
        "manifests": [{**described("manifest.v1+json", manifest), "annotations": name} for name in names],
    }
    with tarfile.open(out, "w") as tar:
        add(tar, "oci-layout", packed({"imageLayoutVersion": "1.0.0"}))
        add(tar, "index.json", packed(index))
        for blob in (layer, config, manifest):
            add(tar, f"blobs/sha256/{digest(blob).removeprefix('sha256:')}", blob)


def rootfs(busybox: bytes) -> bytes:
    """The one layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            tar.addfile(entry(folder, tarfile.DIRTYPE, mode=0o755))
        add(tar, "bin/busybox", busybox, mode=0o755)
        for link in links():
            tar.addfile(link)
    return out.getvalue()


def links() -> Iterator[tarfile.TarInfo]:
    """The commands."""
    for command in COMMANDS:
        link = entry(f"bin/{command}", tarfile.SYMTYPE)
        link.linkname = "busybox"
        yield link


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, mode: int = 0o644) -> tarfile.TarInfo:
    """One member, without an owner or a time."""
    found = tarfile.TarInfo(name)
    found.type, found.mode = kind, mode
    return found


def add(tar: tarfile.TarFile, name: str, data: bytes, *, mode: int = 0o644) -> None:
    """One file."""
    member = entry(name, mode=mode)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def packed(value: Mapping[str, object]) -> bytes:
    """As JSON."""
    return json.dumps(value).encode()


def digest(blob: bytes) -> str:
    """What a blob is called."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def described(kind: str, blob: bytes) -> dict[str, object]:
    """What others say of a blob."""
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(blob), "size": len(blob)}
