"""`cpuplace completion SHELL`: the script that completes commands and options."""

from typing import Annotated, Literal

from cyclopts import Parameter

from cpuplace_cli.command import new_command
from cpuplace_cli.output import emit

app = new_command(
    "completion",
    """
cpuplace completion bash > ~/.local/share/bash-completion/completions/cpuplace
cpuplace completion zsh > "${fpath[1]}/_cpuplace"
cpuplace completion fish > ~/.config/fish/completions/cpuplace.fish
""",
)


@app.default
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell to complete in.")], /) -> int:
    """Print the completion script of a shell."""
    from cpuplace_cli.main import build_app

    emit(build_app().generate_completion(shell=shell))
    return 0
