"""Pods and containers as a runtime tells of them."""

from cpuplace_nri.proto import nri_pb2 as nri

GIB = 1 << 30
QOS = {"guaranteed": "/kubepods", "burstable": "/kubepods/burstable", "besteffort": "/kubepods/besteffort"}


def pod(
    uid: str = "u1",
    *,
    name: str = "",
    sandbox: str = "",
    namespace: str = "default",
    qos: str = "guaranteed",
    annotations: dict[str, str] | None = None,
) -> nri.PodSandbox:
    """A pod; its sandbox is named like its uid unless said."""
    made = nri.PodSandbox(id=sandbox or f"s-{uid}", uid=uid, name=name or f"pod-{uid}", namespace=namespace)
    made.annotations.update(annotations or {})
    made.linux.cgroup_parent = f"{QOS[qos]}/pod{uid}"
    return made


def container(
    container_id: str,
    of: nri.PodSandbox,
    *,
    name: str = "main",
    cpu: int | None = None,
    memory: int = 0,
    cpus: str = "",
    mems: str = "",
    annotations: dict[str, str] | None = None,
    state: int = nri.ContainerState.CONTAINER_RUNNING,
) -> nri.Container:
    """A container with a CPU limit in millicores; None = none, as of a pod that requests nothing."""
    made = nri.Container(id=container_id, pod_sandbox_id=of.id, name=name, state=nri.ContainerState.ValueType(state))
    made.annotations.update(annotations or {})
    made.linux.cgroups_path = f"{of.linux.cgroup_parent}/{container_id}"
    made.linux.resources.CopyFrom(resources(cpu=cpu, memory=memory, cpus=cpus, mems=mems))
    return made


def resources(*, cpu: int | None = None, memory: int = 0, cpus: str = "", mems: str = "") -> nri.LinuxResources:
    """Numbers as the kubelet writes them; memory is always there, 0 = not said."""
    made = nri.LinuxResources()
    made.cpu.shares.value = 2 if cpu is None else max(2, cpu * 1024 // 1000)
    if cpu is not None:
        made.cpu.quota.value, made.cpu.period.value = cpu * 100, 100_000
    made.memory.limit.value = memory
    made.cpu.cpus, made.cpu.mems = cpus, mems
    return made
