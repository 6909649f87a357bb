"""The page of the catalogue: `python -m docs.hosts` compares docs/hosts.md with the code, `--write` renews it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from cpuplace import catalogue
from cpuplace_cli.drawing import distances, draw, kinds, memory_lines, summary

PAGE = Path(__file__).resolve().parent / "hosts.md"

_INTRO = """\
<!-- Generated from the code by `python -m docs.hosts --write`; do not edit. -->
# The catalogue of hosts

Hosts that `--host NAME` knows, and `catalogue.host(name)` after `from cpuplace import catalogue`, described by
published facts rather than captured: sockets, nodes, caches, threads, the numbering Linux gives them, distances,
memory, core kinds, and a few devices. Each says where its facts come from; *assumed* marks what is only typical.
`cpuplace hosts NAME` prints the same.

```console
$ cpuplace hosts
$ cpuplace topology --host nvidia-grace-hopper
```
"""


def page() -> str:
    """The whole page."""
    return _INTRO + "".join(f"\n{part}\n" for name in catalogue.NAMES for part in section(name))


def section(name: str) -> Iterator[str]:
    """One host: heading, what it is, its facts in lines, its sources."""
    entry, host = catalogue.entry(name), catalogue.host(name)
    yield f"## `{name}`"
    yield f"{entry.title}. {entry.summary}."
    facts = [summary(host).partition(": ")[2], kinds(host), distances(host), *memory_lines(draw(host))]
    yield "\n".join(f"- {fact}" for fact in facts if fact)
    yield "Sources:"
    yield "\n".join(f"- {source}" for source in entry.sources)


def main(arguments: list[str]) -> int:
    """0 when the page equals the code (or was just written), else 1."""
    if "--write" in arguments:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print("docs/hosts.md differs from the code: run `python -m docs.hosts --write` and commit it")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
