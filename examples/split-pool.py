"""A pool of processes, each on CPUs of its own: whole cores, near to each other, and none that the cgroup forbids.

Libraries that start threads (OpenMP, BLAS) inherit the CPUs, and are told how many threads fit. With more workers than
CPUs, workers share.

# $ python examples/split-pool.py 2
"""

import os
import sys
import time
from multiprocessing import Queue, get_context

from cpuplace import CpuSet
from cpuplace_linux import allowed_cpus, split


def settle(places: "Queue[CpuSet]") -> None:
    """What a new worker does first: it takes the next place."""
    cpus = places.get()
    os.sched_setaffinity(0, cpus)
    os.environ["OMP_NUM_THREADS"] = str(len(cpus))


def work(number: int) -> tuple[int, str]:
    """The job itself, and where it ran."""
    time.sleep(0.1)
    return number * number, str(CpuSet(os.sched_getaffinity(0)))


def main(workers: int) -> int:
    """Run some work, and say where."""
    context = get_context("spawn")
    places: Queue[CpuSet] = context.Queue()
    for cpus in split(workers, share=True):
        places.put(cpus)
    with context.Pool(workers, settle, (places,)) as pool:
        ran = pool.map(work, range(8 * workers), chunksize=1)
    print(f"{workers} workers divided CPUs {allowed_cpus()}; work ran on", *sorted({where for _, where in ran}))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
