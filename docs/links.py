"""Relative links in Markdown lead to a file, and to a heading of it: `python -m docs.links`."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def main() -> int:
    """0 when every link leads somewhere, else 1 with one line a broken link."""
    broken = [problem for page in markdown() for problem in broken_links(page)]
    print("\n".join(broken) or f"{len(markdown())} pages, every relative link leads somewhere")
    return 1 if broken else 0


def markdown() -> list[Path]:
    """Every page of the project, in a stable order."""
    return sorted(
        [
            *ROOT.glob("*.md"),
            *(p for f in ("docs", "benchmarks", "examples", "deploy") for p in (ROOT / f).rglob("*.md")),
        ]
    )


def broken_links(page: Path) -> Iterator[str]:
    """One line for each link of the page that leads nowhere."""
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        if not other.exists() or not other.is_relative_to(ROOT):
            yield f"{page.relative_to(ROOT)}: {target}: no such file"
        elif anchor and anchor not in anchors(other):
            yield f"{page.relative_to(ROOT)}: {target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made the way that Markdown viewers make them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    sys.exit(main())
