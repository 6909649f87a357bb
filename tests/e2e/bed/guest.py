"""The script that is process 1 of the guest: mounts, modules, then one command."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

MOUNTS = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mountpoint -q /dev || mount -t devtmpfs dev /dev
for module in {modules}; do insmod $module; done
mount -t tmpfs -o size=75% tmpfs /run
mkdir /run/upper /run/scratch /run/root /run/below
mount --bind / /run/below
mount -t overlay -o lowerdir=/run/below,upperdir=/run/upper,workdir=/run/scratch overlay /run/root
cd /run/root
mount --bind /dev dev
mkdir -p dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts devpts dev/pts
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 -o nsdelegate cgroup2 sys/fs/cgroup
echo '+cpuset +cpu +memory' > sys/fs/cgroup/cgroup.subtree_control
mount -t tmpfs tmpfs run
mkdir -p run/lock
"""
"""The root of the host lies below an overlay in memory: the guest may write anywhere, and nothing of it stays."""

WRITABLE = """\
[ -d /run/rw ] || {{ mkdir /run/rw; mount -t virtiofs rootfs /run/rw; }}
mkdir -p .{path}
mount --bind /run/rw{path} .{path}
"""

COMMAND = """\
ip link set lo up
hostname vm
stty -F /dev/ttyS1 raw -echo
stty -F /dev/ttyS2 raw -echo
cat > run/command <<'END-OF-COMMAND'
cd {tree} || exit 1
export {environment}
{{ {command}; echo $? > /run/status; }} < /dev/null 2>&1 | cat > /dev/ttyS1
cat /run/status > /dev/ttyS2
END-OF-COMMAND
chroot . /bin/sh /run/command
echo b > /proc/sysrq-trigger
sleep 60
"""


@attrs.frozen(slots=True, kw_only=True)
class Job:
    """What to run in the guest."""

    command: Sequence[str]
    tree: Path
    """The folder it runs in: a checkout of the project."""
    python: Path
    """The interpreter whose folder comes first in PATH."""
    writable: Sequence[Path] = ()
    """Folders of the host that it may write."""
    environment: Mapping[str, str] = attrs.field(factory=dict)


def script(job: Job, modules: Sequence[Path]) -> str:
    """The whole script; the status of the command is its last word on the third serial port."""
    variables = {
        "PATH": f"{job.python.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        # Nothing is kept, so nothing is cached. Plugins without use here only cost time, pytest-benchmark asks git.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:benchmark -p no:xdist -p no:pytest_cov --basetemp=/run/pytest",
        "HYPOTHESIS_PROFILE": "ci",
        **job.environment,
    }
    return "".join(
        (
            "#!/bin/sh\n",
            MOUNTS.format(modules=shlex.join(map(str, modules))),
            *(WRITABLE.format(path=shlex.quote(str(path))) for path in job.writable),
            COMMAND.format(
                tree=shlex.quote(str(job.tree)),
                environment=" ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()),
                command=shlex.join(job.command),
            ),
        )
    )
