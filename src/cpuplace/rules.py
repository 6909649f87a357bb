"""The rules R1-R15 as a table: what refusals and explanations name, and what the docs print."""

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule: its number, its name, and what it decides in one paragraph."""

    number: str
    name: str
    text: str


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "R1",
        "pin verbatim",
        "A pinned container gets exactly its list. Refused when the list is empty or unreadable, or names a CPU that "
        "is absent, offline, not usable, or reserved (unless `allow_reserved_pins`). A length other than the CPU "
        'limit is noted, or refused under `pin_size="match"`.',
    ),
    Rule(
        "R2",
        "pin against pin",
        "Pins of one pod may overlap. Between pods shared pins may overlap each other; any overlap with an exclusive "
        'pin is refused and names the holder (`pin_overlap="share"` allows it).',
    ),
    Rule(
        "R3",
        "pin against integer",
        "Integer containers that hold pinned CPUs, or siblings withheld there, move in the same plan. Of all ways the "
        "least by: others that move too, containers whose memory nodes change, containers moved, CPUs given up, sum of "
        "the movers' tuples before `node_leftover`. Hard wishes, forbid lists, memory and the floor bind them, "
        '`move: never` and `reassign="never"` hold them, and every prefix of the steps is safe. Otherwise the pin is '
        "refused, names them and says what is missing; nothing changes.",
    ),
    Rule(
        "R4",
        "integer",
        "N of the free CPUs that the container does not forbid, chosen by the preference. Forbid lists bind integer "
        "and shared containers, never pins; ids the host lacks are ignored in them.",
    ),
    Rule("R5", "shared", "The pool without what the container forbids; refused when that is empty."),
    Rule(
        "R6",
        "floor",
        "No plan makes the pool smaller than `min_shared_cpus` or leaves a running shared container without a CPU. "
        "Reserved CPUs count for the pool unless `strict_reservation`.",
    ),
    Rule(
        "R7",
        "live update",
        "Shared containers are narrowed in the plan that needs it. They are widened at once, or with "
        '`widen="lazy"` together with the next narrowing. Who keeps its CPUs gets no step.',
    ),
    Rule(
        "R8",
        "stop",
        "Releasing is idempotent. CPUs of a stopped container return to the pool and stay remembered for its pod and "
        "name until the pod is forgotten: asking for the same number it gets them back while all are free; others "
        "take them late. A container replaces a running one of the same pod and name. What init containers leave "
        "behind is free for their pod.",
    ),
    Rule(
        "R9",
        "synchronize",
        "The state is rebuilt from what runs: what is legal stays, the rest moves as little as possible, what cannot "
        "be mended is noted. It never refuses, and synchronizing a result with itself changes nothing.",
    ),
    Rule(
        "R10",
        "resize",
        "Growing keeps every CPU held. Shrinking keeps the CPUs of the container's creation (its baseline) longest; "
        "below them CPUs are given back, or it is refused (`resize_below_baseline`). Whole <-> fractional changes the "
        "kind like release and place. Nothing else moves. Pinned and shared containers stay as they are.",
    ),
    Rule(
        "R11",
        "topology change",
        "Never refused. Integer containers leave CPUs that went offline and keep the others; with too few left they "
        "are noted as degraded, and get the rest back when CPUs return. Pinned containers are noted, the pool follows.",
    ),
    Rule(
        "R12",
        "memory",
        "Under `memory_policy=strict` a bound container's memory nodes are those of its CPUs, one without memory "
        "replaced by the nearest that has some; memory-only nodes join when its node list names them. For every set "
        "of nodes the bytes bound inside it stay within its memory minus `reserved_memory`, with 1 % slack. Huge "
        "pages are a budget of the same kind.",
    ),
    Rule("R13", "determinism", "The same topology, state, policy and request give the same plan, byte for byte."),
    Rule(
        "R14",
        "pods",
        '`place_all` places all or none. With `scope="pod"` the integer containers of a pod are one grant, which is '
        "then divided.",
    ),
    Rule(
        "R15",
        "repeats",
        "Placing an id that is there is the empty plan when the request is equal, else refused.",
    ),
)
"""What the planner follows today, in the order of their numbers."""
