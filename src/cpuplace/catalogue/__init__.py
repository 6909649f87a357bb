"""Known hosts by name, described by their facts: for examples, docs, tests and `--host NAME`.

Every entry says where its facts come from, and "assumed" where a number (memory size, devices) is only typical.
A host is built when it is asked for, and once.
"""

from difflib import get_close_matches
from functools import cache
from typing import Final

from cpuplace.catalogue import amd, arm, intel, other
from cpuplace.catalogue.entry import Entry
from cpuplace.errors import BadInput
from cpuplace.topology import Topology

__all__ = ["NAMES", "Entry", "entry", "host"]

_ENTRIES: Final = {one.name: one for one in sorted((*amd.HOSTS, *arm.HOSTS, *intel.HOSTS, *other.HOSTS))}

NAMES: Final = tuple(_ENTRIES)
"""Every name that `host` takes, sorted."""


def entry(name: str) -> Entry:
    """What the catalogue knows about `name`; raises BadInput with the nearest names for an unknown one.

    >>> entry("vm-2cpu").title
    'KVM guest with 2 CPUs'
    """
    try:
        return _ENTRIES[name]
    except KeyError:
        raise _unknown(name) from None


@cache
def host(name: str) -> Topology:
    """The host called `name`; raises BadInput with the nearest names for an unknown one. Built once.

    >>> len(host("amd-epyc-7742-2s-nps4").nodes)
    8
    """
    return entry(name).build()


def _unknown(name: str) -> BadInput:
    near = get_close_matches(name.lower(), NAMES, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`cpuplace hosts` lists the names"
    return BadInput(f"no host is called {name[:80]!r}", source="catalogue", hint=hint)
