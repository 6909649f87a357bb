"""The rules R1-R15 and the sections they belong to, as tables: what refusals and explanations name, and the docs print.

"Section 5 of the rules", in docstrings and refusals, is the line `section 5` of `SECTIONS`.
"""

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule: its number, its name, and what it decides in one paragraph."""

    number: str
    name: str
    text: str


class Section(NamedTuple):
    """One group of rules that have no number of their own: what it decides, and the page in docs that tells it."""

    number: str
    name: str
    text: str
    page: str


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
        "Placing an id that is there is the empty plan when the request is equal, else refused. Resizing an id that "
        "is not there is refused.",
    ),
)
"""What the planner follows today, in the order of their numbers."""

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        "section 1",
        "words",
        "What usable, reserved, exclusive, withheld and free CPUs are, and what the pool is.",
        "how-it-decides.md#where-the-cpus-of-a-host-are",
    ),
    Section(
        "section 2",
        "kinds and annotations",
        "Which kind a container is, from its numbers and annotations. An annotation of ours that cannot be read, or "
        "names what the pod lacks, is refused (`BadAnnotation`).",
        "manifests.md",
    ),
    Section("section 3", "rules", "The rules R1 to R15.", "how-it-decides.md#rules"),
    Section(
        "section 4",
        "conflict and order",
        "Who makes way for a pin, and where to (`Impossible` only when proved, else `SearchBudgetSpent`); in which "
        "order the steps of a plan are carried out, so that every prefix is safe.",
        "how-it-decides.md#making-way-for-a-pin",
    ),
    Section(
        "section 5",
        "choosing",
        "Which CPUs an integer container gets: the least tuple wins. A soft wish changes the tuple, a hard one bounds "
        "the CPUs looked at; one that cannot be had is refused (`WishUnmet`).",
        "how-it-decides.md#which-n-cpus",
    ),
    Section(
        "section 6",
        "partitions",
        "Where the partitions of an engine run, with one CPU a role and queues of devices: the rules P1 to P6.",
        "partitions.md#rules",
    ),
    Section(
        "section 7",
        "promises",
        "What is true of every state, whatever was decided: the promises I1 to I9, which `violations` checks.",
        "reference/cpuplace.invariants.md",
    ),
    Section(
        "section 8",
        "answers",
        "A decision gives a plan or a refusal, both values: a refusal has its rule, its numbers and a sentence.",
        "how-it-decides.md#when-the-answer-is-no",
    ),
    Section("section 9", "policy", "The operator's choices, one field each.", "how-it-decides.md#policy"),
)
"""What a refusal cites where no rule has a number for it, and docstrings for all that belongs together."""
