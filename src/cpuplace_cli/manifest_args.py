"""The manifests on the command line, read."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from attrs import evolve
from cyclopts import Parameter

from cpuplace.errors import BadInput
from cpuplace_cli.suggestion import some, suggestion

if TYPE_CHECKING:
    from cpuplace_k8s.manifests import Manifests

ManifestsArgument = Annotated[
    str,
    Parameter(
        allow_leading_hyphen=True,  # "-" is standard input
        help="Kubernetes manifests (YAML or JSON), folders of them, or - for standard input.",
    ),
]

NodeOption = Annotated[
    str | None,
    Parameter(help="Only the pods of this cluster node (spec.nodeName): the manifests are those of a whole cluster."),
]


def read_pods(manifests: Sequence[str], command: str, *, node: str | None = None) -> "Manifests":
    """The pods of the manifests; raises BadInput when none is given, when one of them is a misspelt option, or when no
    pod is on the `node`.
    """
    for word in manifests:
        if word.startswith("-") and word != "-":
            raise BadInput(f"unknown option {word}", hint=f"see cpuplace {command} --help")
    if not manifests:
        raise BadInput(f"{command}: no manifest given", hint=f"cpuplace {command} pod.yaml --host vm-2cpu")
    from cpuplace_k8s.files import read_files

    read = read_files(manifests, node=node)
    if node is None:
        return evolve(read, notes=(*read.notes, *_several(read.nodes)))
    if node not in read.nodes:
        hint = suggestion(node, read.nodes)
        raise BadInput("no pod in these manifests is on this node", source=f"--node {node}", hint=hint)
    return read


def _several(nodes: Sequence[str]) -> Iterator[str]:
    """A note where the pods of several hosts are about to be taken for those of one."""
    if len(nodes) > 1:
        yield (
            f"pods of {len(nodes)} nodes ({some(nodes)}) are taken for pods of one host: "
            "with --node NAME plan and fit read those of one"
        )
