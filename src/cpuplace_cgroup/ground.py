"""Ground: where in a hierarchy plans are carried out, and which folder is whose."""

from collections.abc import Container, Mapping

from attrs import frozen

from cpuplace_cgroup.files import Files
from cpuplace_cgroup.names import folder_name


@frozen(slots=True, kw_only=True)
class Ground:
    """Where it happens: the root (at or below `mount`), where containers are (`found`) or shall be (`layout`).

    `parents` are the relative paths of folders between the root and containers whose own cpuset may be changed too.
    """

    files: Files
    root: str
    mount: str
    found: Mapping[str, str]
    layout: Mapping[str, str]
    parents: Container[str]

    def place_of(self, container_id: str) -> str:
        """Where the group of a container is, or would be made."""
        path = self.found.get(container_id) or self.layout.get(container_id) or folder_name(container_id)
        return f"{self.root}/{path}"

    def between(self, place: str) -> list[str]:
        """The folders between the root and a place, both left out, from the top."""
        *names, _ = place[len(self.root) + 1 :].split("/")
        return [f"{self.root}/{'/'.join(names[: n + 1])}" for n in range(len(names))]

    def above(self, place: str) -> list[str]:
        """All folders from the mount to the parent of a place."""
        names = place[len(self.mount) + 1 :].split("/")
        return [self.mount, *(f"{self.mount}/{'/'.join(names[:n])}" for n in range(1, len(names)))]
