"""Carries plans out on cgroup v2, each step verified, and sees what has drifted. Needs Linux and mostly root.

Exclusive means against what we manage: see `allowed_cpus_lines` and partitions for everybody else.
"""

from cpuplace_cgroup.backend import CgroupBackend as CgroupBackend
from cpuplace_cgroup.drift import Drift as Drift
from cpuplace_cgroup.drift import drift as drift
from cpuplace_cgroup.drift import intruders as intruders
from cpuplace_cgroup.drift import watch as watch
from cpuplace_cgroup.failure import CgroupFailed as CgroupFailed
from cpuplace_cgroup.failure import Failure as Failure
from cpuplace_cgroup.group import Group as Group
from cpuplace_cgroup.group import Observation as Observation
from cpuplace_cgroup.group import observed as observed
from cpuplace_cgroup.host_check import check_host as check_host
from cpuplace_cgroup.outcome import Outcome as Outcome
from cpuplace_cgroup.systemd import allowed_cpus_lines as allowed_cpus_lines
from cpuplace_cgroup.writes import Write as Write
