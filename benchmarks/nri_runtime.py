"""The runtime's side of one plugin that is started with a socket, as runtimes start the plugins that they find."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from google.protobuf.message import Message

from cpuplace_nri.mux import PLUGIN, RUNTIME, Mux, framed
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.ttrpc.connection import Answered, ClientConnection, Requested, ServerConnection

M = TypeVar("M", bound=Message)
SERVICE: Final = "nri.pkg.api.v1alpha1.Plugin"
PIECE: Final = 1 << 20
PERIOD: Final = 100_000


class Asker:
    """Starts a plugin and asks it, one question at a time; `registered` is how long it took to say who it is."""

    def __init__(self, words: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair()
        # What is installed has its bytecode beside it; where that is not to be written every start would compile.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["NRI_PLUGIN_SOCKET"] = str(theirs.fileno())
        environment |= {"NRI_PLUGIN_NAME": "cpuplace", "NRI_PLUGIN_IDX": "99"}
        began = time.perf_counter()
        self.process = subprocess.Popen(
            words, env=environment, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        theirs.close()
        self._mux, self._asking, self._asked = Mux(), ClientConnection(), ServerConnection()
        self._answers: list[bytes] = []
        self._registered = False
        while not self._registered:
            self._receive()
        self.registered = time.perf_counter() - began
        self.registered_spent = self.spent
        self.ask("Configure", nri.ConfigureRequest(runtime_name="containerd", runtime_version="2.1.9"))

    def __enter__(self) -> "Asker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> str:
        """Hang up; what the plugin printed."""
        self._socket.close()
        try:
            return (self.process.communicate(timeout=5)[0] or b"").decode()
        except subprocess.TimeoutExpired:  # one that waits for the runtime to come back
            self.process.terminate()
            return (self.process.communicate()[0] or b"").decode()

    def ask(self, method: str, request: Message) -> tuple[bytes, float]:
        """The answer's payload, and the seconds from the first byte of the question to the last of the answer."""
        _, data = self._asking.call(SERVICE, method, request.SerializeToString(), timeout=2)
        message = framed(PLUGIN, data)
        began = time.perf_counter()
        self._socket.sendall(message)
        while not self._answers:
            self._receive()
        return self._answers.pop(), time.perf_counter() - began

    def _receive(self) -> None:
        data = self._socket.recv(PIECE)
        if not data:
            raise EOFError("the plugin hung up")
        for connection, piece in self._mux.receive(data):
            if connection == RUNTIME:
                for request in self._asked.receive(piece):
                    if isinstance(request, Requested):
                        self._socket.sendall(framed(RUNTIME, self._asked.answer(request.stream_id, b"")))
                        self._registered = True
            else:
                for answer in self._asking.receive(piece):
                    if not isinstance(answer, Answered):
                        raise RuntimeError(str(answer))
                    self._answers.append(answer.payload)

    @property
    def spent(self) -> float:
        """Seconds of CPU time that the plugin had so far: other load on the machine hardly changes them."""
        schedstat = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text(encoding="ascii").split()[0]) for one in schedstat) / 1e9

    @property
    def resident(self) -> int:
        """Bytes of memory that the plugin has now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) << 10


def pod(name: str, *, guaranteed: bool) -> nri.PodSandbox:
    """A pod as containerd tells of it."""
    found = nri.PodSandbox(id=f"{name:0<64}", name=name, uid=f"uid-{name}", namespace="default")
    found.linux.cgroup_parent = f"/kubepods{'' if guaranteed else '/burstable'}/pod-{name}"
    return found


def container(pod: nri.PodSandbox, name: str, milli: int, *, cpus: str = "") -> nri.Container:
    """A container as containerd tells of it, with the mounts and variables that each has."""
    found = nri.Container(id=f"{pod.name}{name:0<50}", pod_sandbox_id=pod.id, name=name)
    found.state = nri.ContainerState.CONTAINER_RUNNING
    found.args.extend(["/bin/sleep", "1000000"])
    found.env.extend([f"KUBERNETES_SERVICE_{serial}=10.0.0.{serial}" for serial in range(8)])
    for target in ("/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/sys/fs/cgroup", "/etc/hosts", "/dev/shm"):
        found.mounts.add(destination=target, type="bind", source=target, options=["nosuid", "noexec", "nodev"])
    cpu = found.linux.resources.cpu
    cpu.shares.value, cpu.quota.value, cpu.period.value = milli * 1024 // 1000, milli * PERIOD // 1000, PERIOD
    cpu.cpus = cpus
    found.linux.resources.memory.limit.value = 64 << 20
    found.linux.cgroups_path = f"{pod.linux.cgroup_parent}/{found.id}"
    return found
