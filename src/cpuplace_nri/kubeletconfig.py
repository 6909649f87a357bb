"""What a kubelet's configuration file says about CPUs: what it keeps from the scheduler, and who else sets cpusets.

Source: KubeletConfiguration (kubelet.config.k8s.io/v1beta1); "Reserve Compute Resources for System Daemons".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from cpuplace import BadInput, CpuSet
from cpuplace.formats import quantity
from cpuplace.idset import NO_CPUS
from cpuplace_linux.valuefile import Language, Values, parse_values, read_values

DEFAULT_PATH: Final = "/var/lib/kubelet/config.yaml"
KIND: Final = "KubeletConfiguration"


@frozen(slots=True, kw_only=True)
class KubeletConfig:
    """Its words about CPUs, its own defaults where it says nothing; `kube` and `system` in thousandths of a CPU."""

    reserved_cpus: CpuSet = NO_CPUS
    kube: int = 0
    system: int = 0
    cpu_manager: str = "none"
    memory_manager: str = "None"
    source: str = "kubelet"

    @property
    def withheld(self) -> int:
        """What the scheduler cannot give away, in thousandths of a CPU; reservedSystemCPUs replaces the two amounts.

        >>> KubeletConfig(kube=500, system=500).withheld
        1000
        """
        return len(self.reserved_cpus) * 1000 if self.reserved_cpus else self.kube + self.system


def read_kubelet(path: str | Path) -> KubeletConfig:
    """What this file says; raises BadInput with file and line."""
    return _read(read_values(path))


def parse_kubelet(text: str, language: Language = "yaml", *, source: str = "kubelet") -> KubeletConfig:
    """What this text says; raises BadInput with the line. Fields that are not about CPUs are not looked at.

    >>> parse_kubelet("kind: KubeletConfiguration\\nsystemReserved: {cpu: 1500m}").withheld
    1500
    """
    return _read(parse_values(text, language, source=source))


def _read(values: Values) -> KubeletConfig:
    plain = values.plain
    if not isinstance(plain, Mapping) or plain.get("kind") != KIND:
        raise values.bad(f"not a {KIND}", hint="the file that the kubelet's --config names")
    return KubeletConfig(
        reserved_cpus=_cpus(plain, values),
        kube=_amount(plain, "kubeReserved", values),
        system=_amount(plain, "systemReserved", values),
        cpu_manager=_word(plain, "cpuManagerPolicy", "none", values),
        memory_manager=_word(plain, "memoryManagerPolicy", "None", values),
        source=values.source,
    )


def _cpus(plain: Mapping[str, Any], values: Values) -> CpuSet:
    field = "reservedSystemCPUs"
    try:
        return CpuSet.parse(str(plain.get(field) if plain.get(field) is not None else ""))
    except BadInput as bad:
        raise values.bad(bad.problem, field, bad.hint) from None


def _amount(plain: Mapping[str, Any], field: str, values: Values) -> int:
    amounts = plain.get(field) or {}
    if not isinstance(amounts, Mapping):
        raise values.bad("expected amounts by resource", field, "cpu: 500m")
    try:
        return quantity.millicores(str(amounts.get("cpu", 0)))
    except BadInput as bad:
        raise values.bad(bad.problem, f"{field}.cpu", bad.hint) from None


def _word(plain: Mapping[str, Any], field: str, default: str, values: Values) -> str:
    word = plain.get(field) or default
    if not isinstance(word, str):
        raise values.bad("expected a word", field)
    return word
