"""Whether this host can be written at all: one clear refusal for each thing that stands in the way."""

from cpuplace import BadInput
from cpuplace_cgroup.files import Files, KernelFiles
from cpuplace_cgroup.observing import is_there, mount_of, text_of


def check_host(root: str = "/sys/fs/cgroup", *, files: Files | None = None, write: bool = True) -> None:
    """Nothing when plans can be carried out at or below `root` (which need not exist yet); else raises BadInput.

    `write` False: when one can look there, which anybody may.
    Its hint says what to do: cgroup v1 only or hybrid, no cpuset controller delegated, not permitted, read-only.
    """
    files = files or KernelFiles()
    root = root.rstrip("/")
    mount = mount_of(files, root)
    if not is_there(files, f"{mount}/cgroup.controllers"):
        raise _no_hierarchy(files, root)
    there = root
    while not files.is_folder(there):
        there = there.rpartition("/")[0]
    _check_controller(files, mount, there)
    problem = files.problem(there) if write else ""
    if problem == "read-only":
        raise BadInput(
            "the cgroup file system is mounted read-only",
            source=there,
            hint="remount it read-write; in a container, give it a writable cgroup namespace",
        )
    if problem:
        raise BadInput(
            "not permitted to write here",
            source=there,
            hint="run as root, or have this folder delegated to you (systemd: Delegate=cpuset)",
        )


def _no_hierarchy(files: Files, root: str) -> BadInput:
    """Which of the ways of not being cgroup v2 this is."""
    hint = "boot with systemd.unified_cgroup_hierarchy=1, as current distributions do by themselves"
    for place in _upwards(root):
        if files.is_folder(f"{place}/unified") and is_there(files, f"{place}/unified/cgroup.controllers"):
            return BadInput(
                "this host is hybrid: cgroup v2 is mounted, but cpuset is a cgroup v1 hierarchy",
                source=place,
                hint=hint,
            )
        if files.is_folder(f"{place}/cpuset"):
            return BadInput("this host has cgroup v1 only, cgroup v2 is needed", source=place, hint=hint)
    return BadInput(
        "there is no cgroup v2 file system here",
        source=root,
        hint="mount -t cgroup2 none /sys/fs/cgroup, or name its folder",
    )


def _check_controller(files: Files, mount: str, there: str) -> None:
    if "cpuset" not in text_of(files, f"{mount}/cgroup.controllers").split():
        raise BadInput(
            "this hierarchy has no controller cpuset",
            source=f"{mount}/cgroup.controllers",
            hint="cgroup v1 holds it (unmount that), the kernel was booted with cgroup_disable=cpuset, or this is a "
            "container to which it was not delegated",
        )
    if "cpuset" not in text_of(files, f"{there}/cgroup.controllers").split():
        for place in reversed(_upwards(there)):
            if len(place) >= len(mount) and files.problem(place) and not _hands_on(files, place):
                raise BadInput(
                    "the controller cpuset is not delegated to this folder",
                    source=f"{place}/cgroup.subtree_control",
                    hint="as root: write +cpuset to it (systemd: Delegate=cpuset)",
                )


def _hands_on(files: Files, place: str) -> bool:
    return "cpuset" in text_of(files, f"{place}/cgroup.subtree_control").split()


def _upwards(place: str) -> list[str]:
    """A folder and those above it."""
    places = [place]
    while places[-1].rpartition("/")[0]:
        places.append(places[-1].rpartition("/")[0])
    return places
