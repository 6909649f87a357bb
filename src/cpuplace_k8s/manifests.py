"""Manifests (YAML or JSON texts, several documents each) to the pods they make, in file order, replicas 0..n-1."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from attrs import evolve, frozen

from cpuplace.annotations import is_ours
from cpuplace.facts import PodFacts
from cpuplace_k8s.pods import read_annotations, read_template
from cpuplace_k8s.selection import Selection
from cpuplace_k8s.walking import label_at, needed_table, place_of, subdomain_at, tables_at, text_at
from cpuplace_k8s.workloads import Workload, group_of, has_template, owner_spec, workload_of
from cpuplace_linux.yamltext import Place, Scalar, Table, Tree, read_documents

MAX_PODS: Final = 10_000
"""More pods than this in one reading are refused: no host runs them, and a typing error would take for ever."""


@frozen(slots=True, kw_only=True)
class Manifests:
    """The pods in order, remarks about what was skipped, and the cluster nodes that pods name (`spec.nodeName`)."""

    pods: tuple[PodFacts, ...]
    notes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


def read_manifests(texts: Iterable[tuple[str, str]], *, node: str | None = None) -> Manifests:
    """The pods of all (source, text) pairs; raises BadInput with source and line. O(text + pods).

    Pods, Deployments, StatefulSets, DaemonSets (one pod), ReplicaSets, ReplicationControllers, Jobs, CronJobs and
    Lists of them are read; other kinds are skipped with a note. A pod's uid is `namespace/name`, a workload's pods
    are `name-0`, `name-1`, ...; where workloads of two kinds share a name, the later one's are `name-kind-0`, ...

    Pods that have ended are skipped with a note. So are, where a cluster node is named, all pods that are not on it.

    >>> text = "{kind: Pod, metadata: {name: a}, spec: {containers: [{name: main}]}}"
    >>> read_manifests([("a.yaml", text)]).pods[0].uid
    'default/a'
    """
    reader = _Reader(Selection(node))
    for source, text in texts:
        for document in read_documents(text, source=source):
            reader.take(document)
        reader.close(source)
    return Manifests(pods=tuple(reader.pods), notes=tuple(reader.notes), nodes=reader.selection.nodes)


class _Reader:
    """Takes documents one by one; remembers which names were given, so that none is given twice."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.pods: list[PodFacts] = []
        self.notes: list[str] = []
        self._skipped: Counter[str] = Counter()
        self._kinds: dict[tuple[str, str], list[str]] = {}
        self._places: dict[str, Place] = {}
        self._generated: Counter[str] = Counter()

    def take(self, document: Tree, kind: str | None = None) -> None:
        """Take one object; `kind` is what a typed list says of its items."""
        if isinstance(document, Scalar) and document.kind == "null":
            return
        if not isinstance(document, Table):
            raise document.place.bad("expected a Kubernetes object", "one with apiVersion, kind, metadata and spec")
        kind = text_at(document, "kind") or kind
        if kind is None:
            raise document.place.bad("an object without a kind")
        self._take_kind(document, kind, text_at(document, "apiVersion"))

    def _take_kind(self, document: Table, kind: str, api_version: str | None) -> None:
        workload = workload_of(api_version, kind)
        if workload is not None:
            self._take_workload(document, kind, workload)
        elif kind == "Pod" and not group_of(api_version or ""):
            self._take_pod(document)
        elif kind.endswith("List") and "items" in document.entries:
            for item in tables_at(document, "items"):
                self.take(item, kind.removesuffix("List") or None)
        else:
            self._skip(document, kind)

    def _take_pod(self, document: Table) -> None:
        if not self.selection.takes(document):
            return
        metadata = needed_table(document, "metadata")
        namespace, name = _namespace(metadata), subdomain_at(metadata, "name")
        if name is None:
            prefix = _needed(subdomain_at(metadata, "generateName", ending="-."), metadata)
            name = f"{prefix}-{self._generated[prefix]}"
            self._generated[prefix] += 1
        self._add(read_template(document, namespace=namespace, name=name), document.place)

    def _take_workload(self, document: Table, kind: str, workload: Workload) -> None:
        metadata = needed_table(document, "metadata")
        namespace, name = _namespace(metadata), _needed(subdomain_at(metadata, "name"), metadata)
        spec = owner_spec(document, workload)
        copies = workload.copies(spec)
        if copies + len(self.pods) > MAX_PODS:
            raise place_of(spec, workload.said_by).bad(f"more than {MAX_PODS:,} pods")
        base = self._base(namespace, name, kind, metadata)
        template = needed_table(spec, "template")
        facts = read_template(template, namespace=namespace, name=base)
        self._note_misplaced(document, kind, name)
        for number in range(copies):
            if self.selection.takes(template):
                self._add(_numbered(facts, number), document.place)

    def _base(self, namespace: str, name: str, kind: str, metadata: Table) -> str:
        """What the workload's pods are named after: its name, with its kind where another kind has taken the name."""
        kinds = self._kinds.setdefault((namespace, name), [])
        if kind in kinds:
            raise place_of(metadata, "name").bad(f"a second {kind} {namespace}/{name}")
        kinds.append(kind)
        return name if len(kinds) == 1 else f"{name}-{kind.lower()}"

    def _add(self, facts: PodFacts, place: Place) -> None:
        first = self._places.setdefault(facts.uid, place)
        if first is not place:
            raise place.bad(f"a second pod {facts.uid}; the first is in {first.source}, line {first.line}")
        if len(self.pods) >= MAX_PODS:
            raise place.bad(f"more than {MAX_PODS:,} pods")
        self.pods.append(facts)

    def _skip(self, document: Table, kind: str) -> None:
        if not has_template(document):
            self._skipped[kind] += 1
            return
        place = document.place
        self.notes.append(
            f"{place.source}, line {place.line}: skipped {kind}: it has a pod template, "
            "but how many pods such an object makes is not known here"
        )

    def _note_misplaced(self, document: Table, kind: str, name: str) -> None:
        """Annotations count on pods; on the workload itself they are a common slip."""
        for key in read_annotations(document):
            if is_ours(key):
                self.notes.append(f"{kind} {name}: {key} has no effect here, put it under spec.template.metadata")

    def close(self, source: str) -> None:
        """Note what was skipped in this text."""
        if self._skipped:
            kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(self._skipped.items()))
            self.notes.append(f"{source}: skipped {kinds}: no pods are read from these kinds")
            self._skipped.clear()
        self.notes += [f"{source}: {note}" for note in self.selection.close()]


def _numbered(facts: PodFacts, number: int) -> PodFacts:
    name = f"{facts.name}-{number}"
    uid = f"{facts.namespace}/{name}"
    containers = tuple(evolve(one, container_id=f"{uid}/{one.name}") for one in facts.containers)
    return evolve(facts, uid=uid, name=name, containers=containers)


def _namespace(metadata: Table) -> str:
    return label_at(metadata, "namespace") or "default"


def _needed(name: str | None, metadata: Table) -> str:
    if name is None:
        raise metadata.place.bad("an object without a name")
    return name
