"""``driftline server``: the control plane as a foreground process."""

from __future__ import annotations

from cyclopts import App

from driftline.cli._shared import server_flags
from driftline.server import run

app = App(
    name="server",
    help_epilogue="Runs until SIGINT or SIGTERM; requests in progress are completed. Each setting comes from its "
    "flag, else from the variable DRIFTLINE_SERVER_ and its name in capitals, else from the settings "
    "file, else it has its default; `driftline config show` shows the values and their sources.",
)


@app.default
def server(flags: server_flags.Flags | None = None) -> None:
    """Run the server until SIGINT or SIGTERM."""
    run.serve(server_flags.load(flags).settings)
