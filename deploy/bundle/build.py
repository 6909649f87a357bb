"""Puts the bundle together: `python deploy/bundle/build.py FOLDER` (`nox -s bundle`); the packages are in FOLDER/lib.

Tries it as a runtime would: with an empty environment and a socket as file 3, until it registers.
"""

import compileall
import os
import shutil
import socket
import sys
import tarfile
import time
from pathlib import Path
from py_compile import PycInvalidationMode

HERE = Path(__file__).resolve().parent
FILES = (HERE / "99-cpuplace", HERE / "start.py", HERE.parent / "host" / "cpuplace-nri.service")
"""What lies beside the packages; a node that has the bundle needs nothing else."""
PATIENCE = 30.0
"""Seconds to wait for the registration: what is tested is that it comes, on any machine."""


def main(folder: Path) -> int:
    """0 when the bundle registers."""
    lib = folder / "lib"
    shutil.rmtree(lib / "bin", ignore_errors=True)
    for file in FILES:
        shutil.copy2(file, folder / file.name)
    (folder / "python").write_text(f"python{sys.version_info.major}.{sys.version_info.minor}\n")
    # Not checked against the sources, whose times an unpacked copy need not keep.
    compileall.compile_dir(lib, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    seconds = registers(folder / "99-cpuplace", folder)
    if seconds is None:
        print(f"{folder} does not register")
        return 1
    archive = folder.with_suffix(".tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name, filter=owned_by_root)
    print(f"{archive}: {archive.stat().st_size >> 10} KiB; registers after {seconds * 1000:.0f} ms here")
    return 0


def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever builds it, root unpacks it; a program that others can write would be theirs."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode &= ~0o022
    return member


def registers(launcher: Path, scratch: Path) -> float | None:
    """Seconds until the plugin registers, started as a runtime starts it; None when it does not."""
    ours, its = socket.socketpair()
    environment = {"NRI_PLUGIN_NAME": "cpuplace", "NRI_PLUGIN_IDX": "99", "NRI_PLUGIN_SOCKET": "3"}
    config = scratch / "trial.yaml"
    config.write_text(f'{{"lock": "{scratch}/trial", "admin_socket": ""}}')
    began = time.monotonic()
    with ours, its:
        words = [str(launcher), "--config", str(config)]
        files = [(os.POSIX_SPAWN_DUP2, its.fileno(), 3)]
        process = os.posix_spawn(launcher, words, environment, file_actions=files)
        its.close()
        ours.settimeout(PATIENCE)
        try:
            heard = b""
            while b"RegisterPlugin" not in heard:
                part = ours.recv(4096)
                if not part:
                    return None
                heard += part
            return time.monotonic() - began
        except TimeoutError:
            return None
        finally:
            ours.close()
            os.waitpid(process, 0)
            config.unlink()
            shutil.rmtree(scratch / "trial", ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main(Path(sys.argv[1]).resolve()))
