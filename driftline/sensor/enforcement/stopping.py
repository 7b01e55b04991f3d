"""Killing a process after its verdict, without hitting another process that has reused its pid."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from driftline.sensor.bpf.records import ProcessKey
from driftline.sensor.tracking.processes import read_process

__all__ = ["stop"]


def stop(process: ProcessKey, *, host_mnt_ns: int) -> str:
    """Send SIGKILL to a process.

    Returns the reason why it was not killed; empty if the signal was sent. A process in the node's own mount
    namespace (``host_mnt_ns``, an inode number) is not killed: it may be the container runtime, which is in the
    container's cgroup before it enters the container's namespaces.
    """
    # The pidfd (pidfd_open(2), Linux 5.3) pins the process: if the key matches now, the signal cannot reach another.
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
