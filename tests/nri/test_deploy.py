"""What deploy/ holds is well-formed, says the same everywhere, and is what the code takes."""

import configparser
import re
import runpy
import shlex
import socket
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

import cpuplace as cp
import cpuplace_nri
from cpuplace_k8s.manifests import read_manifests
from cpuplace_nri import config as config_module
from cpuplace_nri import configfile, notifying
from cpuplace_nri.checkconfig import check
from cpuplace_nri.config import Config, address
from cpuplace_nri.configtext import parse_config, schema

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def documents() -> dict[str, Any]:
    """Every manifest by its kind."""
    found = [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text())]
    kinds = [one["kind"] for one in found]
    assert len(kinds) == len(set(kinds))
    return dict(zip(kinds, found, strict=True))


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = documents()["DaemonSet"]["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    [only] = pod()["containers"]
    assert isinstance(only, dict)
    return only


def handed() -> str:
    text = documents()["ConfigMap"]["data"]["nri.yaml"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_kubernetes_knows_every_field(version: str) -> None:
    for one in documents().values():
        kubernetes_validate.validate(one, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(documents()["DaemonSet"] | {"spce": {}}, version, strict=True)


def test_there_is_a_daemonset_a_configmap_and_no_right_to_anything() -> None:
    found = documents()
    assert set(found) == {"DaemonSet", "ConfigMap"}
    assert {one["metadata"]["namespace"] for one in found.values()} == {"kube-system"}
    assert pod()["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod()
    selector = found["DaemonSet"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= found["DaemonSet"]["spec"]["template"]["metadata"]["labels"].items()


def test_the_configuration_in_the_configmap_is_one() -> None:
    jsonschema.validate(yaml.safe_load(handed()), schema())
    assert parse_config(handed(), "yaml").name == "cpuplace"


def test_the_commented_fields_are_fields_too() -> None:
    said = re.sub(r"# (reserved: .*)", r"\1", handed())
    assert len(parse_config(said, "yaml").policy.reserved) == 2


def test_the_probes_ask_where_the_plugin_listens() -> None:
    where = address(parse_config(handed(), "yaml").listen)
    for name, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        probe = container()[name]["httpGet"]
        assert ((probe["host"], probe["port"]), probe["path"]) == (where, path)
    assert pod()["hostNetwork"] is True  # else 127.0.0.1 is the kubelet's


def test_every_place_that_the_plugin_needs_is_mounted() -> None:
    config = parse_config(handed(), "yaml")
    mounts = {one["mountPath"]: one for one in container()["volumeMounts"]}
    volumes = {one["name"]: one for one in pod()["volumes"]}
    assert {one["name"] for one in mounts.values()} == set(volumes)
    assert "configMap" in volumes[mounts["/etc/cpuplace"]["name"]]
    for needed in (str(Path(config.socket).parent), config.lock, "/sys/fs/cgroup"):
        assert volumes[mounts[needed]["name"]]["hostPath"]["path"] == needed
        assert not mounts[needed].get("readOnly")
    assert str(Path(config.admin_socket).parent) == config.lock
    assert container()["args"] == ["--config", configfile.DEFAULT_PATH]


def test_the_plugin_leaves_its_own_pod_alone_and_can_do_no_more_than_it_must() -> None:
    template = documents()["DaemonSet"]["spec"]["template"]
    assert template["metadata"]["annotations"]["cpuplace.dev/manage"] == "false"
    security = container()["securityContext"]
    assert security["allowPrivilegeEscalation"] is False and security["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in security
    text = (DEPLOY / "kubernetes" / "daemonset.yaml").read_text()
    [read] = read_manifests([("daemonset.yaml", text)]).pods
    [asked] = cp.read_pod(read, cp.Policy())
    assert isinstance(asked, cp.ContainerRequest) and asked.kind is cp.Kind.UNMANAGED


def test_selinux_lets_it_reach_the_runtimes_socket_and_the_cgroups() -> None:
    assert container()["securityContext"]["seLinuxOptions"] == {"type": "spc_t"}


def test_two_plugins_of_a_node_never_meet() -> None:
    strategy = documents()["DaemonSet"]["spec"]["updateStrategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 0, "maxUnavailable": 1}


def test_the_image_starts_a_module_that_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    found = re.search(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
    assert found is not None
    assert yaml.safe_load(found[1]) == ["python", "-m", "cpuplace_nri"]
    assert (Path(next(iter(cpuplace_nri.__path__))) / "__main__.py").exists()
    assert "'.[nri,cli]'" in text
    image, _, tag = container()["image"].partition(":")
    assert f"-t {image}:{tag} " in text


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / "host" / "cpuplace-nri.service").read_text())
    return parser


def test_the_unit_comes_between_the_runtime_and_the_kubelet() -> None:
    order = unit()["Unit"]
    assert {"containerd.service", "crio.service"} <= set(order["After"].split())
    assert {"kubelet.service", "k3s.service", "k3s-agent.service"} <= set(order["Before"].split())
    assert unit()["Service"]["Type"] == "notify"


def test_the_unit_starts_the_bundle_where_the_page_puts_it() -> None:
    program, *words = shlex.split(unit()["Service"]["ExecStart"])
    page = (DEPLOY / "host" / "README.md").read_text()
    assert words == []  # so that the file at configfile.DEFAULT_PATH counts where it is, and none is missed
    assert f"mv /opt/cpuplace/cpuplace-nri {Path(program).parent}" in page
    assert f"ln -s {program} /opt/nri/plugins/{Path(program).name}" in page
    assert (DEPLOY / "bundle" / Path(program).name).exists()
    assert f"home={Path(program).parent}" in (DEPLOY / "bundle" / Path(program).name).read_text()
    assert f"/run/{unit()['Service']['RuntimeDirectory']}" == config_module.RUN


def test_the_page_copies_the_unit_out_of_the_bundle() -> None:
    folder = Path(shlex.split(unit()["Service"]["ExecStart"])[0]).parent
    page = (DEPLOY / "host" / "README.md").read_text()
    held = runpy.run_path(str(DEPLOY / "bundle" / "build.py"))["FILES"]
    assert DEPLOY / "host" / "cpuplace-nri.service" in held
    assert f"cp {folder}/cpuplace-nri.service /etc/systemd/system/" in page


def test_the_kubelets_arguments_on_the_page_are_the_lines_of_check_config() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", (DEPLOY / "host" / "README.md").read_text(), re.DOTALL)
    host = cp.Topology.uniform(cores_per_l3=8)
    lines = yaml.safe_load("\n".join(check(Config(policy=cp.Policy(min_shared_cpus=2)), host, None).lines))
    assert lines == {"cpuManagerPolicy": "none", "systemReserved": {"cpu": "2"}}
    assert yaml.safe_load(block)["kubelet-arg"] == ["cpu-manager-policy=none", "system-reserved=cpu=2"]


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    name = f"@cpuplace-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        assert notifying.tell_ready({"NOTIFY_SOCKET": name})
        assert systemd.recv(100) == b"READY=1"
    assert not notifying.tell_ready({"NOTIFY_SOCKET": str(tmp_path / "gone")})
