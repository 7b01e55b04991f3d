"""``driftline server``: the control plane, until stopped."""

from __future__ import annotations

from cyclopts import App

from driftline.cli._shared import server_flags
from driftline.server import run

app = App(name="server", help="Run the control plane: API, alerts, policies, hunts.")


@app.default
def server(flags: server_flags.Flags | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests under way may end.

    Settings come from flags, else DRIFTLINE_SERVER_NAME variables, else the file, else defaults;
    ``driftline config show`` shows them with where each is from.
    """
    run.serve(server_flags.load(flags).settings)
