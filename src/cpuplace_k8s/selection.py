"""Which pods of a reading take CPUs: those that have not ended, and only those of one node where it is named."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from cpuplace_k8s.walking import table_at, text_at
from cpuplace_linux.yamltext import Table

_ENDED: Final = ("Succeeded", "Failed")


class Selection:
    """Takes pods and pod templates one by one; remembers the nodes that they name, and counts what it leaves out."""

    def __init__(self, node: str | None) -> None:
        self._node = node
        self._nodes: dict[str, None] = {}
        self._left: Counter[str] = Counter()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes named by pods that have not ended, in order of first appearance."""
        return tuple(self._nodes)

    def takes(self, pod: Table) -> bool:
        """Whether this pod counts."""
        why = self._against(pod)
        if why:
            self._left[why] += 1
        return not why

    def _against(self, pod: Table) -> str:
        if _text(pod, "status", "phase") in _ENDED:
            return "have ended: they hold no CPUs"
        node = _text(pod, "spec", "nodeName")
        if node:
            self._nodes.setdefault(node)
        if self._node in (None, node):
            return ""
        return "are on other nodes" if node else "are on no node yet: they may still come to this one"

    def close(self) -> Iterator[str]:
        """What was left out since the last time, in words."""
        for why, count in sorted(self._left.items()):
            yield f"skipped pods that {why} ({count})"
        self._left.clear()


def _text(pod: Table, part: str, key: str) -> str | None:
    table = table_at(pod, part)
    return None if table is None else text_at(table, key)
