"""How a command is made: one App a module, with notes and examples below its options."""

from cyclopts import App


def new_command(name: str, examples: str, *, notes: str = "") -> App:
    """An App to hang a command's function on; `notes` and `examples` end its help.

    Its line at the top of the help, and in `cpuplace --help`, is the one in `main.COMMANDS`.

    >>> new_command("hosts", "cpuplace hosts").help_epilogue
    'Examples:\\n  cpuplace hosts'
    """
    lines = [f"  {line}".rstrip() for line in examples.strip().splitlines()]
    text = "\n".join([*([notes, ""] if notes else []), "Examples:", *lines])
    return App(name=name, help_format="plaintext", help_epilogue=text)
