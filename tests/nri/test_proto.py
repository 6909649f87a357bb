"""The generated messages are there, numbered as runtimes number them, and what serves them knows every one."""

import re
from importlib.resources import files

import pytest

from cpuplace_nri.idle import IdlePlugin
from cpuplace_nri.proto import nri_pb2 as nri
from cpuplace_nri.proto import ttrpc_pb2
from cpuplace_nri.service import PluginService

PLUGIN = nri.DESCRIPTOR.services_by_name["Plugin"]


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_the_package_is_the_one_of_the_wire() -> None:
    assert PLUGIN.full_name == "nri.pkg.api.v1alpha1.Plugin"


def test_a_cpuset_lies_where_runtimes_look_for_it() -> None:
    resources = nri.LinuxResources(cpu=nri.LinuxCPU(cpus="0-3", mems="0"))
    linux = nri.LinuxContainerAdjustment(resources=resources)
    # field numbers 6 (linux), 2 (resources), 2 (cpu), 6 (cpus), 7 (mems), all of wire type 2
    cpu = b"\x32\x030-3" + b"\x3a\x010"
    for field in (b"\x12", b"\x12", b"\x32"):
        cpu = field + bytes([len(cpu)]) + cpu
    assert nri.ContainerAdjustment(linux=linux).SerializeToString() == cpu


def test_a_value_of_zero_is_told_from_no_value() -> None:
    assert nri.LinuxCPU(shares=nri.OptionalUInt64()).SerializeToString() != nri.LinuxCPU().SerializeToString()


def test_a_call_is_numbered_as_in_ttrpc() -> None:
    call = ttrpc_pb2.Request(service="s", method="m", payload=b"p", timeout_nano=1)
    assert call.SerializeToString() == b"\x0a\x01s\x12\x01m\x1a\x01p\x20\x01"


@pytest.mark.parametrize("method", [method.name for method in PLUGIN.methods])
def test_a_service_answers_every_rpc(method: str) -> None:
    assert callable(getattr(PluginService, snake(method)))
    assert callable(getattr(IdlePlugin(0), snake(method)))


def test_nothing_is_served_that_is_no_rpc() -> None:
    served = {name for name, value in vars(PluginService).items() if callable(value) and not name.startswith("_")}
    assert served - {"linked"} == {snake(method.name) for method in PLUGIN.methods}


def test_an_idle_plugin_is_a_plugin() -> None:
    plugin: PluginService = IdlePlugin(0)
    assert plugin is not None


def test_the_protos_travel_with_the_package() -> None:
    there = {entry.name for entry in files("cpuplace_nri.proto").iterdir()}
    assert there >= {"nri.proto", "ttrpc.proto", "nri_pb2.py", "nri_pb2.pyi", "ttrpc_pb2.py", "ttrpc_pb2.pyi"}
