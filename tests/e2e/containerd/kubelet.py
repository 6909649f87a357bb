"""What the kubelet does to a runtime, as far as CPUs go: pods of a class, containers with their shares and quotas."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import attrs

from . import groups
from .cri import PAUSE, SLOW, Cri, CriError, Json
from .groups import Seen
from .images import BUSYBOX

Qos = Literal["guaranteed", "burstable", "besteffort"]
TOP: Final = f"/cpuplace-e2e-{os.getpid()}"
"""Below which all pods of this process have their groups, apart from those of the machine and of another run."""
PERIOD: Final = 100_000
MEMORY: Final = 32 << 20
SERIAL: Final = itertools.count(1)
"""Makes every pod's folder another one: what runc leaves in a folder would meet the next pod of that name."""


@attrs.frozen(slots=True, kw_only=True)
class Pod:
    """A sandbox that runs."""

    id: str
    name: str
    parent: str
    config: Json = attrs.field(eq=False, repr=False)


@attrs.frozen(slots=True, kw_only=True)
class Container:
    """A container that was created."""

    id: str
    pod: Pod
    name: str

    @property
    def said(self) -> str:
        """As a message to a person names it."""
        return f"{self.pod.name}/{self.name}"


class Kubelet:
    """One that remembers its pods, and leaves nothing behind."""

    def __init__(self, cri: Cri) -> None:
        self.cri = cri
        self.pods: dict[str, Pod] = {}

    def pod(
        self,
        name: str,
        *,
        qos: Qos = "guaranteed",
        annotations: Mapping[str, str] | None = None,
        namespace: str = "default",
    ) -> Pod:
        """A new sandbox; raises CriError when the runtime refuses."""
        unique = f"{name}-{next(SERIAL)}"
        middle = "" if qos == "guaranteed" else f"/{qos}"
        parent = f"{TOP}/kubepods{middle}/pod-{unique}"
        config: Json = {
            "metadata": {"name": name, "uid": f"uid-{unique}", "namespace": namespace, "attempt": 0},
            "annotations": dict(annotations or {}),
            "linux": {
                "cgroup_parent": parent,
                "security_context": {"namespace_options": {"network": "NODE", "pid": "CONTAINER", "ipc": "POD"}},
            },
        }
        made = self.cri.call("RunPodSandbox", {"config": config})
        pod = Pod(id=str(made["pod_sandbox_id"]), name=name, parent=parent, config=config)
        self.pods[pod.id] = pod
        return pod

    def create(
        self,
        pod: Pod,
        name: str = "main",
        *,
        cpus: float | None = None,
        annotations: Mapping[str, str] | None = None,
        command: Sequence[str] = ("/bin/sleep", "1000000"),
        env: Mapping[str, str] | None = None,
        image: str = BUSYBOX,
        attempt: int = 0,
    ) -> Container:
        """A new container, with this limit when one is given; raises CriError when the runtime refuses."""
        config = {
            "metadata": {"name": name, "attempt": attempt},
            "image": {"image": image},
            "command": list(command),
            "envs": [{"key": key, "value": value} for key, value in (env or {}).items()],
            "annotations": dict(annotations or {}),
            "labels": {"io.kubernetes.container.name": name, "io.kubernetes.pod.name": pod.name},
            "linux": {"resources": resources(cpus)},
        }
        asked = {"pod_sandbox_id": pod.id, "config": config, "sandbox_config": pod.config}
        return Container(id=str(self.cri.call("CreateContainer", asked)["container_id"]), pod=pod, name=name)

    def start(self, container: Container) -> Container:
        """It runs now; raises CriError when it cannot."""
        self.cri.call("StartContainer", {"container_id": container.id})
        return container

    def run(self, pod: Pod, name: str = "main", *, cpus: float | None = None, attempt: int = 0) -> Container:
        """A container that runs."""
        return self.start(self.create(pod, name, cpus=cpus, attempt=attempt))

    def alone(
        self,
        name: str,
        *,
        cpus: float | None = None,
        qos: Qos = "guaranteed",
        annotations: Mapping[str, str] | None = None,
        namespace: str = "default",
    ) -> Container:
        """A pod of one container, which runs."""
        return self.run(self.pod(name, qos=qos, annotations=annotations, namespace=namespace), cpus=cpus)

    def limit(self, container: Container, cpus: float) -> None:
        """Another limit, as an in-place resize sets it."""
        self.update(container, resources(cpus))

    def update(self, container: Container, wanted: Json) -> None:
        """Other resources, as the kubelet's managers set them."""
        self.cri.call("UpdateContainerResources", {"container_id": container.id, "linux": wanted})

    def kill(self, container: Container) -> None:
        """Stopped at once; its group is gone, its record is not."""
        self.cri.call("StopContainer", {"container_id": container.id, "timeout": 0})

    def remove(self, container: Container) -> None:
        """Stopped and forgotten."""
        self.kill(container)
        self.cri.call("RemoveContainer", {"container_id": container.id})

    def end(self, pod: Pod) -> None:
        """The pod and all its containers are gone."""
        self.cri.call("StopPodSandbox", {"pod_sandbox_id": pod.id})
        self.cri.call("RemovePodSandbox", {"pod_sandbox_id": pod.id})
        self.pods.pop(pod.id, None)

    def clean(self) -> None:
        """No pod is left, of this one or of one before."""
        for found in listed(self.cri.call("ListPodSandbox", {}), "items"):
            self.cri.call("StopPodSandbox", {"pod_sandbox_id": found["id"]})
            self.cri.call("RemovePodSandbox", {"pod_sandbox_id": found["id"]})
        self.pods.clear()
        groups.remove(TOP)

    def look(self, container: Container) -> Seen:
        """What the kernel says of a running container."""
        return groups.look(container.pod.parent, container.id)

    def spec(self, container: Container) -> Mapping[str, object]:
        """The CPU part of what the runtime starts it with: one that only was created has no group yet."""
        answer = self.cri.call("ContainerStatus", {"container_id": container.id, "verbose": True})
        info = answer["info"]
        assert isinstance(info, dict)
        found = json.loads(info["info"])["runtimeSpec"]["linux"]["resources"].get("cpu", {})
        assert isinstance(found, dict)
        return found

    def environment(self, container: Container) -> list[str]:
        """What its process was started with, once it is itself and no longer what starts it."""
        pid = groups.first(groups.CPUSETS / container.pod.parent.lstrip("/") / container.id)
        image = Path(f"/proc/{pid}/exe")
        eventually(lambda: image.readlink().name == "busybox", image.readlink)
        return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")


def resources(cpus: float | None) -> dict[str, object]:
    """What the kubelet makes of a limit that is also the request; without one the least share."""
    if cpus is None:
        return {"cpu_period": PERIOD, "cpu_shares": 2}
    return {
        "cpu_period": PERIOD,
        "cpu_quota": round(cpus * PERIOD),
        "cpu_shares": round(cpus * 1024),
        "memory_limit_in_bytes": MEMORY,
    }


def listed(answer: Json, name: str) -> Iterator[Mapping[str, object]]:
    """The messages in a repeated field, which is absent when it is empty."""
    found = answer.get(name, [])
    assert isinstance(found, list)
    yield from found


def refusal(call: Callable[[], object]) -> str:
    """The message with which the runtime refuses; raises AssertionError when it does not."""
    try:
        call()
    except CriError as error:
        return error.message
    raise AssertionError("the runtime did not refuse")


def eventually(true: Callable[[], bool], what: Callable[[], object], seconds: float = SLOW) -> None:
    """Wait until something is true; raises AssertionError with what is the case instead."""
    end = time.monotonic() + seconds
    while not holds(true):
        assert time.monotonic() < end, what()
        time.sleep(PAUSE)


def holds(true: Callable[[], bool]) -> bool:
    """Whether it is true; what the kernel says in two places may differ for a moment, which is not true either."""
    try:
        return true()
    except AssertionError:
        return False
