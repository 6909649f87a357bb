"""Renews `tests/nri/corpus`: what real runtimes and the plugin say to each other in a life of all kinds of containers.

`python -m tests.e2e.bed here -- python -m tests.e2e.containerd.record`
"""

import tempfile
from pathlib import Path
from typing import Final

from . import serving
from .daemon import Containerd
from .kubelet import Kubelet, refusal
from .recorder import Recorder, save
from .serving import Agents

CORPUS: Final = Path(__file__).resolve().parents[2] / "nri" / "corpus"
POLICY: Final = {"usable": "0-1"}
BEFORE: Final = 4
"""Containers whose list takes two frames."""
MANY: Final = 60
"""Updates in one reply, which is cut into two frames then."""


def main() -> None:
    """One file for each runtime that there is."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name in serving.NAMES:
        with (
            tempfile.TemporaryDirectory() as folder,
            serving.containerd(name) as served,
            serving.kubelet(served) as kubelet,
            serving.agents(served, Path(folder)) as start,
        ):
            record(served, kubelet, start)


def record(served: Containerd, kubelet: Kubelet, start: Agents) -> None:
    """One session, from the registration to the end of the runtime, as a file of the corpus."""
    before = kubelet.pod("before", qos="burstable")
    for serial in range(BEFORE):
        kubelet.run(before, f"b{serial}", cpus=0.5)
    with Recorder(served.base / "between.sock", served.nri) as between:
        start(policy=POLICY, socket=between.path)
        live(kubelet)
        served.stop()
        save(CORPUS / f"containerd-{served.version}.jsonl.gz", between.pieces)
    served.start()  # somebody has to end the pods


def live(kubelet: Kubelet) -> None:
    """Everything that a plugin hears of."""
    many = kubelet.pod("many", qos="besteffort")
    for serial in range(MANY):
        kubelet.create(many, f"c{serial}")
    pod = kubelet.pod("train")
    integer = kubelet.run(pod, cpus=1)
    refusal(lambda: kubelet.create(pod, "more", cpus=1))
    kubelet.update(integer, {"cpuset_cpus": "0-1"})
    kubelet.limit(integer, 0.5)
    kubelet.remove(integer)
    kubelet.end(pod)
    kubelet.alone("db", cpus=1, annotations={"cpuplace.dev/cores": "1"})


if __name__ == "__main__":
    main()
