"""The NRI plugin: containerd and CRI-O ask it, for every container, which CPUs and memory nodes it runs on."""
