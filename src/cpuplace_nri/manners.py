"""Manners: how the plugin behaves beside the policy, as it is in force; a reload changes it in place."""

from typing import Literal, Self

from attrs import define

from cpuplace_nri.config import Config

_MILLI = 1000


@define(slots=True, kw_only=True)
class Manners:
    """`fail_closed`: reject whose CPUs are not ours; `quota_off`: no CFS quota on CPUs of one's own; `widen_delay`:
    seconds that widening may wait for a reply to ride on; `check`: whether cgroups are compared, and mended."""

    fail_closed: bool = False
    quota_off: bool = False
    widen_delay: float = 1.0
    check: Literal["off", "report", "repair"] = "repair"

    @classmethod
    def of(cls, config: Config) -> Self:
        """As a configuration has it.

        >>> Manners.of(Config(exclusive_quota="off")).quota_off
        True
        """
        made = cls()
        made.take(config)
        return made

    def take(self, config: Config) -> None:
        """From now on as this configuration has it."""
        self.fail_closed = config.fail_closed
        self.quota_off = config.exclusive_quota == "off"
        self.widen_delay = config.widen_delay / _MILLI if config.policy.widen == "lazy" else 0.0
        self.check = config.check
