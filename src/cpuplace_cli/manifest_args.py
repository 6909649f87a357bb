"""The manifests on the command line, read."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cpuplace.errors import BadInput

if TYPE_CHECKING:
    from cpuplace_k8s.manifests import Manifests

ManifestsArgument = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,  # "-" is standard input
        help="Kubernetes manifests (YAML or JSON), folders of them, or - for standard input.",
    ),
]


def read_pods(manifests: Sequence[str], command: str) -> "Manifests":
    """The pods of the manifests; raises BadInput when there are none, or when one of them is a misspelt option."""
    for word in manifests:
        if word.startswith("-") and word != "-":
            raise BadInput(f"unknown option {word}", hint=f"see cpuplace {command} --help")
    if not manifests:
        raise BadInput(f"{command}: no manifest given", hint=f"cpuplace {command} pod.yaml --host vm-2cpu")
    from cpuplace_k8s.files import read_files

    return read_files(manifests)
