"""Real containers without a cluster, for the demo, the tests and the benchmarks.

A lab is a private containerd with its CRI plugin, images built from this machine's files, and pods
started as kubelet starts them::

    with lab.start() as it:
        pod = it.pod("web-1", labels={"app": "web"})
        web = pod.container("busybox")
        web.sh("cp /bin/busybox /tmp/x && /tmp/x true")

Needs root. See docs/how-to/lab.md.
"""

from lab import volumes
from lab._lab import Lab, start
from lab._pods import HostMount, LabContainer, PlainContainer, Pod
from lab._run import ExecResult, LabError

__all__ = [
    "ExecResult",
    "HostMount",
    "Lab",
    "LabContainer",
    "LabError",
    "PlainContainer",
    "Pod",
    "start",
    "volumes",
]
