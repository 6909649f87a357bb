"""What can go wrong with the bed itself, as opposed to what is tried on it."""


class Lacking(Exception):  # noqa: N818 - not a mistake of anybody
    """This machine cannot have VMs; the text is one line that says why."""


class Died(Exception):  # noqa: N818
    """A VM, or what serves it, came to no end of its own; worth one more try."""
