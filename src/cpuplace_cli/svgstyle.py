"""The style sheet of the SVG map: light by default, dark where the reader prefers it; owners keep their colours."""

from typing import Final

from cpuplace_cli.looks import OWNER_COLOURS, Look, ink

_STYLE: Final = """\
text{font-family:system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-size:12px;fill:#1f2328}
.h{font-size:17px;font-weight:600}
.b{font-weight:600}
.d{fill:#59636e;font-size:11px}
.c{text-anchor:middle}
.k{text-anchor:middle;font-size:9px;font-weight:600}
.n{text-anchor:middle;fill:#59636e}
.bg{fill:#ffffff}
.p{fill:#f6f8fa;stroke:#d1d9e0}
.t{fill:#ffffff;stroke:#afb8c1}
.g{fill:#d8dfe7}
.m{fill:none;stroke:#59636e;stroke-dasharray:4 3}
.v{fill:#ddf4ff;stroke:#54aeff}
.pool{fill:#ffffff;stroke:#afb8c1}
.reserved{fill:#d1d9e0;stroke:#1f2328}
.isolated{fill:#ffffff;stroke:#1f2328;stroke-dasharray:2 2}
.withheld,.unusable{fill:#eaeef2;stroke:#afb8c1;stroke-dasharray:2 2}
.offline{fill:#ffffff;stroke:#cf222e}
.several,.others{fill:#6e7781;stroke:#1f2328}
.several+text,.others+text{fill:#ffffff}
"""
_DARK: Final = """\
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}
.d,.n{fill:#9198a1}
.bg{fill:#0d1117}
.p{fill:#151b23;stroke:#3d444d}
.t{fill:#0d1117;stroke:#656c76}
.g{fill:#2f3742}
.m{stroke:#9198a1}
.v{fill:#0c2d6b;stroke:#388bfd}
.pool{fill:#0d1117;stroke:#656c76}
.reserved{fill:#3d444d;stroke:#f0f6fc}
.isolated{fill:#0d1117;stroke:#f0f6fc}
.withheld,.unusable{fill:#212830;stroke:#656c76}
.offline{fill:#0d1117;stroke:#ff7b72}
}
"""


def sheet() -> str:
    """The whole style sheet."""
    return f"{_STYLE}{_owner_styles()}{_DARK}"


def class_of(look: Look) -> str:
    """The class of a cell: one a colour for owners, one a state for the rest.

    >>> from cpuplace.idset import NO_CPUS
    >>> class_of(Look(state="pool", glyph=".", label="shared pool", cpus=NO_CPUS))
    'pool'
    """
    return f"o{OWNER_COLOURS.index(look.colour)}" if look.colour else look.state


def _owner_styles() -> str:
    """One class a colour, its letters in black or white, whatever the reader's theme."""
    return "".join(
        f".o{at}{{fill:{colour};stroke:#1f2328}}\n.o{at}+text{{fill:{ink(colour)}}}\n"
        for at, colour in enumerate(OWNER_COLOURS)
    )
