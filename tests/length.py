"""How long the long run is: what `nox -s laws` draws of every law, some one and a half CPU hours together."""

from typing import Final

EXAMPLES: Final = 1_000
"""Of a law whose examples cost what they mostly do, some 20 ms: hosts, states and questions have to be made."""
FILES: Final = {
    "tests/cgroup/test_managing_laws.py": 200,  # half a second each: 50 commands, one after another
    "tests/linux/test_allowance.py": 500,
    # Some milliseconds each: texts, numbers and sets.
    "tests/cgroup/test_names.py": 4_000,
    "tests/cli/test_hosts.py": 4_000,
    "tests/cli/test_partitions.py": 4_000,
    "tests/cli/test_policy.py": 4_000,
    "tests/cli/test_table.py": 4_000,
    "tests/core/formats/test_events.py": 4_000,
    "tests/core/formats/test_kubelet_state.py": 4_000,
    "tests/core/formats/test_proc.py": 4_000,
    "tests/core/test_kinds.py": 4_000,
    "tests/core/test_memory.py": 4_000,
    "tests/k8s/test_quantity.py": 4_000,
    "tests/k8s/test_yamltext.py": 4_000,
    "tests/laws/test_formats_fuzz.py": 4_000,
    "tests/laws/test_idset_laws.py": 4_000,
    "tests/laws/test_wishes.py": 4_000,
}
"""Of the laws in these files, which cost much more or much less."""
SEEDS: Final = 20
"""Of every scene that an independent solver judges."""
STEPS: Final = {"ci": 2_000, "laws": 200_000}
"""Of the stateful machine at least, by profile; counted, not hoped for."""
