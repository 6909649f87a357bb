"""Answering: what the admin socket says of a node: status, explain, events, record, dump."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Protocol

from attrs import frozen

from cpuplace import Assignment, BadInput, HostState
from cpuplace.formats import cpuplace_json
from cpuplace.formats import state as state_format
from cpuplace.formats.state_container import request_dict
from cpuplace_nri import recording
from cpuplace_nri.config import Config
from cpuplace_nri.configtext import render
from cpuplace_nri.metrics import fragmentation, largest_free_node
from cpuplace_nri.telling import rule_of
from cpuplace_nri.watching import Noted, Watch

COMMANDS: Final = ("status", "explain", "events", "record", "dump", "ping")
_NO_STATE: Final = "no runtime has told its containers yet: nothing is known"


class Known(Protocol):
    """What is asked of the node."""

    @property
    def state(self) -> HostState:
        """Who holds what."""
        ...

    @property
    def names(self) -> Mapping[str, str]:
        """Container id -> namespace/pod/container."""
        ...

    @property
    def synchronized(self) -> bool:
        """Whether the runtime has told all its containers."""
        ...


@frozen(slots=True, kw_only=True)
class Answering:
    """Answers requests of the admin socket; `runtime` says what is known of the connection."""

    node: Callable[[], Known | None]
    watch: Watch
    config: Callable[[], Config]
    runtime: Callable[[], dict[str, Any]]

    def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any] | AsyncIterator[Mapping[str, Any]]:
        """The answer, or a stream of answers; raises BadInput for what cannot be answered."""
        match request.get("cmd"):
            case "ping":
                return {"runtime": self.runtime()}
            case "status":
                return self._status(self._known())
            case "explain":
                return self._explain(self._known(), request.get("container"))
            case "dump":
                return self._dump(self._known())
            case "events":
                return self._events(self._known())
            case "record":
                return self._record(self._known())
            case other:
                raise BadInput(f"unknown request {str(other)[:40]!r}", source="admin socket", hint=_one_of())

    def _known(self) -> Known:
        node = self.node()
        if node is None or not node.synchronized:
            raise BadInput(_NO_STATE, hint=str(self.runtime().get("missing") or "try again in a moment"))
        return node

    def _status(self, node: Known) -> dict[str, Any]:
        state = node.state
        return {
            "runtime": self.runtime(),
            "containers": [self._container(node, one) for one in state.assignments.values()],
            "pool": str(state.pool),
            "free": str(state.free),
            "fragmentation": round(fragmentation(state), 4),
            "largest_free_node": largest_free_node(state),
            "host": cpuplace_json.to_dict(state.topology),
            "state": state_format.to_dict(state),
        }

    def _container(self, node: Known, one: Assignment) -> dict[str, Any]:
        noted = self.watch.last(one.container_id)
        return {
            "id": one.container_id,
            "container": node.names.get(one.container_id, one.container_id),
            "kind": one.kind.value,
            "cpus": str(one.cpus),
            "mems": None if one.mems is None else str(one.mems),
            "exclusive": one.exclusive,
            "withheld": str(one.withheld),
            "rule": one.rule or (noted.decision.rule if noted else rule_of(one)),
            "reason": noted.decision.reason if noted else "",
            "since": noted.at if noted else "",
            "degraded": one.degraded,
        }

    def _explain(self, node: Known, asked: object) -> dict[str, Any]:
        key = _found(node, asked, self.watch)
        noted = self.watch.last(key)
        if key not in node.state:
            return {"id": key, "running": False, "decision": _plain(noted)}
        one = node.state[key]
        return {
            **self._container(node, one),
            "running": True,
            "request": request_dict(one.request),
            "baseline": str(one.baseline),
            "decision": _plain(noted),
            "host": cpuplace_json.to_dict(node.state.topology),
            "state": state_format.to_dict(node.state),
        }

    def _dump(self, node: Known) -> dict[str, Any]:
        counts = {
            name + "".join(f"{{{label}}}" for label in labels): count
            for (name, labels), count in sorted(self.watch.tally.counts.items())
        }
        return self._status(node) | {
            "config": render(self.config()),
            "counts": counts,
            "last": self._last(),
        }

    def _last(self) -> list[dict[str, Any]]:
        return [noted.to_dict() for noted in self.watch.all_last()]

    async def _events(self, _node: Known) -> AsyncIterator[Mapping[str, Any]]:
        reader = self.watch.reader()
        try:
            yield {"runtime": self.runtime(), "last": self._last()}
            while (noted := await reader.get()) is not None:
                yield noted.to_dict()
            yield {"error": "this reader was too slow, or the plugin ended: decisions are missing from here on"}
        finally:
            self.watch.leave(reader)

    async def _record(self, node: Known) -> AsyncIterator[Mapping[str, Any]]:
        reader = self.watch.reader()
        try:
            for text in recording.head(node.state, at=self.watch.now()).splitlines(keepends=True):
                yield {"line": text}
            while (noted := await reader.get()) is not None:
                line = recording.line(noted.decision, at=noted.at)
                if line is not None:
                    yield {"line": line}
            yield {"error": "this recording was too slow, or the plugin ended: it is complete up to here"}
        finally:
            self.watch.leave(reader)


def _plain(noted: Noted | None) -> dict[str, Any] | None:
    return None if noted is None else noted.to_dict()


def _one_of() -> str:
    return "one of " + ", ".join(COMMANDS)


def _found(node: Known, asked: object, watch: Watch) -> str:
    """The id of the container that is meant by an id, the beginning of one, or namespace/pod/container."""
    if not isinstance(asked, str) or not asked:
        raise BadInput("which container?", source="explain", hint="its id, or namespace/pod/container")
    if asked in node.state or watch.last(asked) is not None:
        return asked
    names = {key: node.names.get(key, key) for key in node.state.assignments}
    found = [key for key, name in names.items() if asked in (name, name.removeprefix("default/"))]
    found = found or [key for key in names if key.startswith(asked)]
    found = found or [key for key, name in names.items() if name.rpartition("/")[0] == asked]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(names[key] for key in found[:5])
        raise BadInput(f"{asked[:80]!r} may be {len(found)} containers", source="explain", hint=some)
    raise BadInput(
        f"no container {asked[:80]!r} is known", source="explain", hint="`cpuplace nri status` lists all of them"
    )
