"""``driftline completion``: scripts by which a shell completes commands, options and names."""

from __future__ import annotations

from typing import Literal

from cyclopts import App

from driftline.cli._shared.options import Flag

Shell = Literal["bash", "zsh", "fish"]

app = App(name="completion")


@app.default
def completion(shell: Shell, /, *, install: Flag = False) -> None:
    """Print the script that makes a shell complete driftline's commands, options and names.

    Parameters
    ----------
    shell
        Kind of shell.
    install
        Write the script to the place where the shell looks for it, and print that place.
    """
    from driftline.cli import command_line  # noqa: PLC0415 -- it lists this group

    whole = command_line()
    if install:
        print(whole.install_completion(shell=shell))
    else:
        print(whole.generate_completion(shell=shell))
