"""Join tokens of a server process, created by the command on the server's machine."""

from __future__ import annotations

import subprocess
import sys

from tests.server.serving import Served


def join_token(served: Served, cluster: str) -> str:
    """Make a token for one sensor of a cluster."""
    command = (sys.executable, "-m", "driftline.cli", "fleet", "token", cluster, "--data", str(served.data))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
