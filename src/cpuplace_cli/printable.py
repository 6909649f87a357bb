"""Text that is safe to show: names come from files and clusters, and may hold anything."""


def printable(text: str) -> str:
    """The text with every character that cannot be printed escaped: names come from files and clusters.

    >>> printable("db\\x1b[2J")
    'db\\\\x1b[2J'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
