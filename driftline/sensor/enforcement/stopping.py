"""Killing a process after its verdict, and nobody else in its place."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from driftline.sensor.bpf.records import ProcessKey
from driftline.sensor.tracking.processes import read_process

__all__ = ["stop"]


def stop(process: ProcessKey, *, host_mnt_ns: int) -> str:
    """Kill a process; gives why not, in words, empty if it was killed.

    A process in the node's own mount namespace is left alone: it may be the runtime.
    """
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return "it had ended"
    try:
        found = read_process(process.pid)
        if found is None or found.key != process:
            return "it had ended"
        if Path(f"/proc/{process.pid}/ns/mnt").stat().st_ino == host_mnt_ns:
            return "it runs in the node's own mount namespace"
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except OSError:
        return "it had ended"
    finally:
        os.close(pidfd)
    return ""
