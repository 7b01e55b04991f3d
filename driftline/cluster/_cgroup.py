"""Container id from a cgroup path; no I/O.

Every runtime names a container's cgroup after the container's id, inside a hierarchy of kubelet
or of its own (kubernetes/pkg/kubelet/cm/cgroup_manager_linux.go, containerd
pkg/cri/server/helpers.go, cri-o internal/config/cgmgr, libpod/container_internal_linux.go):

=======================  ==========================================================================
systemd driver           ``/kubepods.slice/…/kubepods-burstable-podUID.slice/cri-containerd-ID.scope``
cgroupfs driver          ``/kubepods/burstable/podUID/ID``
driver mismatch          ``/system.slice/kubepods-burstable-podUID.slice:cri-containerd:ID``
``ctr``, nerdctl         ``/NAMESPACE/ID``; the id is any name the user gave
Docker                   ``/docker/ID``, ``/system.slice/docker-ID.scope``
kind, Docker in Docker   one of these below another: the innermost is the container
=======================  ==========================================================================

Cgroups below a container's cgroup (``init.scope``, ``system.slice`` of a systemd inside, crun's
``container``) belong to it. A privileged container can create cgroups below its own that look like
those of another container; ``outer`` is the id of the container that really owns them.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["CTR_NAMESPACES", "CgroupContainer", "parse_cgroup"]

CTR_NAMESPACES = frozenset({"default", "k8s.io", "moby"})
"""containerd namespaces that are known beforehand. In those that are known, any name is a container id."""


@dataclass(frozen=True, slots=True)
class CgroupContainer:
    """Container that a cgroup belongs to, as far as the path tells."""

    id: str
    """Container id; for ``ctr`` and LXC, the name that the user gave."""
    runtime: str = ""
    """``containerd``, ``cri-o``, ``docker``, ``podman`` or ``lxc``; empty if the path does not tell."""
    pod_uid: str = ""
    """Uid of the pod; empty outside Kubernetes."""
    qos: str = ""
    """QoS class ``guaranteed``, ``burstable`` or ``besteffort``; empty outside Kubernetes."""
    inner: str = ""
    """Path below the container's own cgroup, without a leading slash."""
    outer: str = ""
    """Id of the container around this one (Docker in Docker); empty if there is none."""


ID = r"(?P<id>[0-9a-f]{64})"
# Prefixes of scope names, as each runtime writes them; the first match wins.
RUNTIMES = {
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "docker": "docker",
    "libpod": "podman",
}
NAMED = re.compile(rf"(?:.*:)?(?P<prefix>{'|'.join(RUNTIMES)})[-:]{ID}(?:\.scope)?")
# A scope with the prefix of another runtime: the id is certain, the runtime unknown.
SCOPE = re.compile(rf"[a-z0-9-]+-{ID}\.scope")
BARE = re.compile(ID)
# LXC and LXD name the cgroup after the container's name.
LXC = re.compile(r"lxc\.payload\.(?P<id>.+)")
CONMON = re.compile(r".*-conmon-[0-9a-f]{64}(?:\.scope)?")  # podman's and CRI-O's monitor: not in the container
# kubelet writes the uid with underscores in slice names, where "-" separates levels; uids of static pods have neither.
POD = re.compile(
    r"(?:.*kubepods-)?(?:(?P<qos>besteffort|burstable)-)?"
    r"pod(?P<uid>[0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?:\.slice)?(?::.*)?"
)


def parse_cgroup(path: str, *, namespaces: Collection[str] = CTR_NAMESPACES) -> CgroupContainer | None:
    """Return the container of a cgroup path; ``None`` for a cgroup of the node itself.

    ``path`` is a cgroup v1 or v2 path as in ``/proc/PID/cgroup``. ``namespaces`` are the containerd
    namespaces in which any name counts as an id.
    """
    parts = [part for part in path.split("/") if part]
    found: CgroupContainer | None = None
    start = 0
    for position, part in enumerate(parts):
        if CONMON.fullmatch(part):
            break
        match = _match(part, parts[start:position], namespaces)
        if match is None:
            continue
        # The innermost match is the container; an outer one is remembered as its host.
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
        return part, _runtime_of_parent(above, namespaces)
    if lxc := LXC.fullmatch(part):
        return lxc["id"], "lxc"
    if len(above) == 1 and above[0] in namespaces:
        return part, "containerd"
    return None


def _runtime_of_parent(above: list[str], namespaces: Collection[str]) -> str:
    parent = above[-1] if above else ""
    if parent in {"docker", "moby"}:
        return "docker"
    return "containerd" if parent in namespaces else ""


def _pod(parts: list[str]) -> tuple[str, str]:
    for position, part in enumerate(parts):
        if pod := POD.fullmatch(part):
            qos = pod["qos"] or next((p for p in parts[:position] if p in {"besteffort", "burstable"}), "guaranteed")
            return pod["uid"].replace("_", "-"), qos
    return "", ""
