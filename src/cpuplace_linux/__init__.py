"""Reads a Linux host: live, from a folder, or from a captured tar file. Nothing here changes the host."""

from cpuplace_linux.capture import capture as capture
from cpuplace_linux.read_host import read_host as read_host
