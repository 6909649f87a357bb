"""Pods and containers as a kubelet asks for them."""

from typing import Literal

from cpuplace_nri.proto import nri_pb2 as nri


def a_pod(
    key: str,
    *,
    namespace: str = "default",
    annotations: dict[str, str] | None = None,
    qos: Literal["guaranteed", "burstable", "besteffort"] = "burstable",
) -> nri.PodSandbox:
    """A pod as the kubelet makes it; its name and uid are its id."""
    level = "" if qos == "guaranteed" else f"/{qos}"
    linux = nri.LinuxPodSandbox(cgroup_parent=f"/kubepods{level}/pod{key}")
    return nri.PodSandbox(id=key, name=key, uid=key, namespace=namespace, annotations=annotations or {}, linux=linux)


def a_container(
    key: str,
    pod: str,
    *,
    cpu: float | None = None,
    limited: bool = False,
    memory: int = 0,
    cpus: str = "",
    name: str = "",
) -> nri.Container:
    """A container as the kubelet asks for it: `cpu` CPUs requested, as its limit too when `limited`."""
    resources = nri.LinuxResources()
    resources.cpu.shares.value = 2 if cpu is None else max(2, int(cpu * 1024))
    resources.cpu.period.value = 100_000
    if limited and cpu is not None:
        resources.cpu.quota.value = int(cpu * 100_000)
    if memory:
        resources.memory.limit.value = memory
    resources.cpu.cpus = cpus
    linux = nri.LinuxContainer(resources=resources, cgroups_path=f"/pod{pod}/{key}")
    return nri.Container(id=key, pod_sandbox_id=pod, name=name or key, state=nri.CONTAINER_CREATED, linux=linux)
