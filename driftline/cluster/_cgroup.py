"""From a cgroup's path to the container it belongs to; no I/O.

Every runtime names the cgroup of a container after the container's id, within a frame of
kubelet's or its own (kubernetes/pkg/kubelet/cm/cgroup_manager_linux.go, containerd
pkg/cri/server/helpers.go, cri-o internal/config/cgmgr, libpod/container_internal_linux.go):

=======================  ==========================================================================
systemd driver           ``/kubepods.slice/…/kubepods-burstable-podUID.slice/cri-containerd-ID.scope``
cgroupfs driver          ``/kubepods/burstable/podUID/ID``
driver mismatch          ``/system.slice/kubepods-burstable-podUID.slice:cri-containerd:ID``
``ctr``, nerdctl         ``/NAMESPACE/ID``; the id is any name the user gave
Docker                   ``/docker/ID``, ``/system.slice/docker-ID.scope``
kind, Docker in Docker   one of these below another: the innermost is the container
=======================  ==========================================================================

Whatever lies below a container's cgroup (``init.scope``, ``system.slice`` of a systemd inside,
crun's ``container``) belongs to it. A privileged container can make cgroups below its own that
look like another's; ``outer`` tells whose they are.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["CgroupContainer", "parse_cgroup"]

CTR_NAMESPACES = frozenset({"default", "k8s.io", "moby"})
"""containerd namespaces below which any name is a container's; elsewhere ids must look like ids."""


@dataclass(frozen=True, slots=True)
class CgroupContainer:
    """The container a cgroup belongs to.

    ``pod_uid`` and ``qos`` (``guaranteed``, ``burstable``, ``besteffort``) are empty outside
    Kubernetes, ``runtime`` where the path does not tell it. ``inner`` is the rest of the path
    below the container's own cgroup, ``outer`` the id of the container around it.
    """

    id: str
    runtime: str = ""
    pod_uid: str = ""
    qos: str = ""
    inner: str = ""
    outer: str = ""


ID = r"(?P<id>[0-9a-f]{64})"
# The prefixes are the runtimes' own; what comes first wins.
RUNTIMES = {
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "docker": "docker",
    "libpod": "podman",
}
NAMED = re.compile(rf"(?:.*:)?(?P<prefix>{'|'.join(RUNTIMES)})[-:]{ID}(?:\.scope)?")
SCOPE = re.compile(rf"[a-z0-9-]+-{ID}\.scope")
BARE = re.compile(ID)
LXC = re.compile(r"lxc\.payload\.(?P<id>.+)")
CONMON = re.compile(r".*-conmon-[0-9a-f]{64}(?:\.scope)?")  # the monitor beside a container, outside of it
POD = re.compile(
    r"(?:.*kubepods-)?(?:(?P<qos>besteffort|burstable)-)?"
    r"pod(?P<uid>[0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?:\.slice)?(?::.*)?"
)


def parse_cgroup(path: str, *, namespaces: Collection[str] = CTR_NAMESPACES) -> CgroupContainer | None:
    """Tell which container a cgroup path (v1 or v2, as in /proc/PID/cgroup) belongs to; ``None`` for the node's own."""
    parts = [part for part in path.split("/") if part]
    found: CgroupContainer | None = None
    start = 0
    for position, part in enumerate(parts):
        if CONMON.fullmatch(part):
            break
        match = _match(part, parts[start:position], namespaces)
        if match is None:
            continue
        uid, qos = _pod(parts[start : position + 1])
        outer = found.id if found else ""
        inner = "/".join(parts[position + 1 :])
        found = CgroupContainer(match[0], match[1], pod_uid=uid, qos=qos, inner=inner, outer=outer)
        start = position + 1
    return found


def _match(part: str, above: list[str], namespaces: Collection[str]) -> tuple[str, str] | None:
    if named := NAMED.fullmatch(part):
        return named["id"], RUNTIMES[named["prefix"]]
    if scope := SCOPE.fullmatch(part):
        return scope["id"], ""
    if BARE.fullmatch(part):
        return part, _runtime_of_frame(above, namespaces)
    if lxc := LXC.fullmatch(part):
        return lxc["id"], "lxc"
    if len(above) == 1 and above[0] in namespaces:
        return part, "containerd"
    return None


def _runtime_of_frame(above: list[str], namespaces: Collection[str]) -> str:
    frame = above[-1] if above else ""
    if frame in {"docker", "moby"}:
        return "docker"
    return "containerd" if frame in namespaces else ""


def _pod(parts: list[str]) -> tuple[str, str]:
    for position, part in enumerate(parts):
        if pod := POD.fullmatch(part):
            qos = pod["qos"] or next((p for p in parts[:position] if p in {"besteffort", "burstable"}), "guaranteed")
            return pod["uid"].replace("_", "-"), qos
    return "", ""
