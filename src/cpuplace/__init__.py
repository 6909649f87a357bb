"""cpuplace decides which CPUs and which memory a container, process or thread runs on: pure functions over values."""

from cpuplace.errors import BadInput as BadInput
