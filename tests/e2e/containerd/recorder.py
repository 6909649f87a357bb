"""Stands between a runtime and a plugin and keeps every byte, in the order in which it came and in its pieces."""

import base64
import gzip
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

import attrs

Side = Literal["runtime", "plugin"]
PIECE: Final = 1 << 16


@attrs.frozen(slots=True)
class Piece:
    """What one side said in one go."""

    by: Side
    data: bytes


class Recorder:
    """Serves one plugin at `path`, as the runtime at `target` would."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.pieces: list[Piece] = []
        self._target = target
        self._lock = threading.Lock()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Recorder":
        self._run(self._serve)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        for thread in self._threads:
            thread.join(30)
        self.path.unlink()

    def _serve(self) -> None:
        plugin, _ = self._listening.accept()
        runtime = socket.socket(socket.AF_UNIX)
        runtime.connect(str(self._target))
        self._run(self._pump, "plugin", plugin, runtime)
        self._run(self._pump, "runtime", runtime, plugin)

    def _pump(self, by: Side, source: socket.socket, sink: socket.socket) -> None:
        """Hand on until the source ends, then say so to the sink."""
        while data := source.recv(PIECE):
            with self._lock:
                self.pieces.append(Piece(by, data))
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)

    def _run(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def save(path: Path, pieces: list[Piece]) -> None:
    """One JSON object a piece and line, packed; the same bytes for the same pieces."""
    lines = [json.dumps({"by": one.by, "data": base64.b64encode(one.data).decode()}) for one in pieces]
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))


def load(path: Path) -> Iterator[Piece]:
    """What was saved."""
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        found = json.loads(line)
        yield Piece(found["by"], base64.b64decode(found["data"]))
