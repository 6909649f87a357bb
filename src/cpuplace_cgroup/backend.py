"""CgroupBackend: observes and writes one subtree of cgroup v2; a checked backend, with no state of its own."""

from collections.abc import Collection, Container, Mapping
from contextlib import suppress

from attrs import field, frozen

from cpuplace import HostState, Plan, synchronize
from cpuplace_cgroup.carrying import Carrying
from cpuplace_cgroup.failure import CgroupFailed, refused
from cpuplace_cgroup.files import Files, KernelFiles
from cpuplace_cgroup.ground import Ground
from cpuplace_cgroup.group import Observation, observed
from cpuplace_cgroup.journal import Journal
from cpuplace_cgroup.names import folder_name
from cpuplace_cgroup.observing import mount_of, observe, where
from cpuplace_cgroup.outcome import Outcome
from cpuplace_cgroup.partitions import PartitionKind, Partitions, WhenInvalid
from cpuplace_cgroup.systemd import Runner, Systemd, run_command, systemd_runs
from cpuplace_cgroup.writes import Write, on_paper


def _clean(root: str) -> str:
    return root.rstrip("/")


@frozen(slots=True)
class CgroupBackend:
    """Observes and writes the groups below `root`, a folder of a cgroup v2 hierarchy; call `check_host` first.

    `partition`: what exclusive containers' groups are made into; `partition_fails`: when the kernel means no, they stay
    members with a note, or the whole plan fails. `layout`: where groups of new containers are made, by relative path;
    by default at the root, named by the id. `parents`: relative paths of folders above containers (pods, say) whose own
    cpuset may be widened and narrowed. `systemd`: write its units through systemctl; None = when it runs.

    >>> backend = CgroupBackend("/sys/fs/cgroup/cpuplace")
    >>> backend.path_of("default/web/main")
    '/sys/fs/cgroup/cpuplace/default%2Fweb%2Fmain'
    """

    root: str = field(converter=_clean)
    partition: PartitionKind | None = field(default=None, kw_only=True)
    partition_fails: WhenInvalid = field(default="member", kw_only=True)
    layout: Mapping[str, str] = field(factory=dict, kw_only=True, hash=False)
    parents: Container[str] = field(default=frozenset(), kw_only=True)
    systemd: bool | None = field(default=None, kw_only=True)
    files: Files = field(factory=KernelFiles, kw_only=True, eq=False)
    run: Runner = field(default=run_command, kw_only=True, eq=False)

    def observe(self) -> Observation:
        """Everything below the root as it is now; seven files are read of each group."""
        return observe(self.files, self.root)

    def carry_out(self, plan: Plan) -> Outcome:
        """Write the plan's steps in order, each verified; when one fails, everything is taken back, last first.

        Never raises for what the kernel says: the outcome tells. `apply` the plan only when it is `ok`. A signal that
        raises (Ctrl-C) takes everything back too; a kill leaves a prefix, which `synchronize` mends.
        """
        ground = self._ground(None if self.partition else [step.container_id for step in plan.steps])
        journal = Journal(self.files, self._systemd(ground.mount))
        partitions = Partitions(ground, journal, self.partition, self.partition_fails)
        return Carrying(ground, journal, partitions).outcome(plan)

    def repair(self, state: HostState) -> tuple[Plan, Outcome]:
        """Mend what differs from `state`: the plan of `synchronize` for what is observed, and how it went.

        Where exclusive groups are partitions, integer containers leave CPUs that another group has.
        """
        requests = {key: one.request for key, one in state.assignments.items()}
        plan = synchronize(state, observed(self.observe(), requests), leave_strangers=bool(self.partition))
        return plan, self.carry_out(plan)

    def writes(self, plan: Plan) -> tuple[Write, ...]:
        """What `carry_out` would write, in order; folders above, controllers and partitions are left out."""
        ground = self._ground()
        places = {step.container_id: ground.place_of(step.container_id) for step in plan.steps}
        ours = frozenset(key for key, place in places.items() if self.files.is_ours(place) or key not in ground.found)
        return on_paper(plan.steps, places, ours)

    def path_of(self, container_id: str) -> str:
        """The folder of a container's group: where it is, or where it would be made."""
        return self._ground([container_id]).place_of(container_id)

    def enter(self, container_id: str, pid: int = 0) -> None:
        """Move a process (0 = this one) into a container's group; raises CgroupFailed."""
        file = f"{self.path_of(container_id)}/cgroup.procs"
        try:
            self.files.write(file, str(pid))
        except OSError as error:
            raise CgroupFailed(refused(error, container_id=container_id, file=file, wrote=str(pid))) from None

    def sweep(self, known: Collection[str]) -> tuple[str, ...]:
        """Remove empty groups that we made and nobody knows: what a killed process left. The ids of those removed."""
        swept = []
        for group in self.observe():
            if group.made and not group.populated and group.container_id not in known:
                with suppress(OSError):  # somebody came in just now
                    self.files.remove(f"{self.root}/{group.path}")
                    swept.append(group.container_id)
        return tuple(swept)

    def _ground(self, containers: Collection[str] | None = None) -> Ground:
        """What is needed for these containers (None = for all that there are)."""
        return Ground(
            files=self.files,
            root=self.root,
            mount=mount_of(self.files, self.root),
            found=self._found(containers),
            layout=self.layout,
            parents=self.parents,
        )

    def _found(self, containers: Collection[str] | None) -> Mapping[str, str]:
        """Where containers are; without a walk over everything when they are all where we would make them."""
        ours = {key: self.layout.get(key) or folder_name(key) for key in containers or ()}
        there = containers is not None and all(self.files.is_folder(f"{self.root}/{path}") for path in ours.values())
        return ours if there else where(self.files, self.root)

    def _systemd(self, mount: str) -> Systemd:
        active = systemd_runs() if self.systemd is None else self.systemd
        return Systemd(self.files, mount, self.run, active=active)
