"""Real cgroup paths of every runtime and driver, each with its container."""

import pytest

from driftline.cluster import CgroupContainer, parse_cgroup

ID = "3f2a9c" + "0b" * 29
INNER = "77e1" + "4d" * 30
UID = "0a4f3c52-7d1e-4a68-9c39-1f0e8b6d2a71"
UID_ = UID.replace("-", "_")
STATIC = "d4e5f60718293a4b5c6d7e8f90a1b2c3"

CONTAINERS = {
    "containerd, systemd, burstable": (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope",
        CgroupContainer(ID, "containerd", pod_uid=UID, qos="burstable"),
    ),
    "containerd, systemd, best effort": (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope",
        CgroupContainer(ID, "containerd", pod_uid=UID, qos="besteffort"),
    ),
    "containerd, systemd, guaranteed": (
        f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope",
        CgroupContainer(ID, "containerd", pod_uid=UID, qos="guaranteed"),
    ),
    "static pod": (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
        CgroupContainer(ID, "containerd", pod_uid=STATIC, qos="burstable"),
    ),
    "cgroupfs, burstable": (
        f"/kubepods/burstable/pod{UID}/{ID}",
        CgroupContainer(ID, pod_uid=UID, qos="burstable"),
    ),
    "cgroupfs, guaranteed": (f"/kubepods/pod{UID}/{ID}", CgroupContainer(ID, pod_uid=UID, qos="guaranteed")),
    "drivers of kubelet and containerd differ": (
        f"/system.slice/kubepods-besteffort-pod{UID_}.slice:cri-containerd:{ID}",
        CgroupContainer(ID, "containerd", pod_uid=UID, qos="besteffort"),
    ),
    "containerd as a systemd unit, drivers differ": (
        f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}",
        CgroupContainer(ID, "containerd", pod_uid=UID, qos="burstable"),
    ),
    "CRI-O, systemd": (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/crio-{ID}.scope",
        CgroupContainer(ID, "cri-o", pod_uid=UID, qos="burstable"),
    ),
    "CRI-O with crun": (
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice/crio-{ID}.scope/container",
        CgroupContainer(ID, "cri-o", pod_uid=UID, qos="burstable", inner="container"),
    ),
    "CRI-O, cgroupfs": (
        f"/kubepods/besteffort/pod{UID}/crio-{ID}",
        CgroupContainer(ID, "cri-o", pod_uid=UID, qos="besteffort"),
    ),
    "cri-dockerd": (
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/docker-{ID}.scope",
        CgroupContainer(ID, "docker", pod_uid=UID, qos="besteffort"),
    ),
    "Docker, cgroupfs": (f"/docker/{ID}", CgroupContainer(ID, "docker")),
    "Docker, systemd": (f"/system.slice/docker-{ID}.scope", CgroupContainer(ID, "docker")),
    "rootless Docker": (
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{ID}.scope",
        CgroupContainer(ID, "docker"),
    ),
    "podman, systemd": (f"/machine.slice/libpod-{ID}.scope", CgroupContainer(ID, "podman")),
    "podman with crun": (
        f"/machine.slice/libpod-{ID}.scope/container",
        CgroupContainer(ID, "podman", inner="container"),
    ),
    "podman, cgroupfs": (f"/libpod_parent/libpod-{ID}", CgroupContainer(ID, "podman")),
    "nerdctl, systemd": (f"/system.slice/nerdctl-{ID}.scope", CgroupContainer(ID, "containerd")),
    "nerdctl, cgroupfs": (f"/default/{ID}", CgroupContainer(ID, "containerd")),
    "ctr with a name": (f"/default/{'my-redis'}", CgroupContainer("my-redis", "containerd")),
    "ctr in the namespace of CRI": ("/k8s.io/debug", CgroupContainer("debug", "containerd")),
    "ECS": (f"/ecs/9781c248-0edd-4cdb-9a93-f63cb662a5d3/{ID}", CgroupContainer(ID)),
    "LXC": ("/lxc.payload.web/system.slice", CgroupContainer("web", "lxc", inner="system.slice")),
    "systemd in a pod": (
        f"/kubepods/burstable/pod{UID}/{ID}/system.slice/nginx.service",
        CgroupContainer(ID, pod_uid=UID, qos="burstable", inner="system.slice/nginx.service"),
    ),
    "init.scope in a container": (f"/docker/{ID}/init.scope", CgroupContainer(ID, "docker", inner="init.scope")),
    "kind, cgroup v1": (
        f"/docker/{ID}/kubelet/kubepods/besteffort/pod{UID}/{INNER}",
        CgroupContainer(INNER, pod_uid=UID, qos="besteffort", outer=ID),
    ),
    "kind, cgroup v2": (
        f"/system.slice/docker-{ID}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
        f"/kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{INNER}.scope",
        CgroupContainer(INNER, "containerd", pod_uid=UID, qos="besteffort", outer=ID),
    ),
    "Docker in Docker in a pod": (
        f"/kubepods/burstable/pod{UID}/{ID}/docker/{INNER}/init.scope",
        CgroupContainer(INNER, "docker", inner="init.scope", outer=ID),
    ),
    "seen from a cgroup namespace": (f"/../../pod{UID}/{ID}", CgroupContainer(ID, pod_uid=UID, qos="guaranteed")),
}

NO_CONTAINERS = {
    "root": "/",
    "nothing": "",
    "service": "/system.slice/containerd.service",
    "session": "/user.slice/user-0.slice/session-1.scope",
    "kubelet's frame": "/kubepods.slice/kubepods-burstable.slice",
    "pod": f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice",
    "pod, cgroupfs": f"/kubepods/burstable/pod{UID}",
    "conmon of CRI-O": f"/kubepods.slice/kubepods-besteffort-pod{UID_}.slice/crio-conmon-{ID}.scope",
    "conmon of CRI-O, cgroupfs": f"/kubepods/besteffort/pod{UID}/crio-conmon-{ID}",
    "conmon of podman": f"/machine.slice/libpod-conmon-{ID}.scope",
    "namespace of containerd": "/default",
    "hexadecimal, too short": "/process_api/a56ddb164ab7dfc939fac51c26182c6a",
    "upper case": f"/docker/{ID.upper()}",
    "name that only begins like one": f"/docker/{ID}00",
}


@pytest.mark.parametrize(("path", "expected"), CONTAINERS.values(), ids=CONTAINERS)
def test_container_of_a_cgroup_path(path: str, expected: CgroupContainer) -> None:
    assert parse_cgroup(path) == expected


@pytest.mark.parametrize("path", NO_CONTAINERS.values(), ids=NO_CONTAINERS)
def test_cgroup_of_the_node_has_no_container(path: str) -> None:
    assert parse_cgroup(path) is None


def test_given_containerd_namespaces_are_recognized() -> None:
    assert parse_cgroup("/night/backup") is None
    assert parse_cgroup("/night/backup", namespaces=["night"]) == CgroupContainer("backup", "containerd")


def test_forged_cgroup_has_its_real_container_as_outer() -> None:
    """A privileged container may name a cgroup of its own after another container."""
    forged = parse_cgroup(f"/kubepods/pod{UID}/{ID}/{INNER}")

    assert forged == CgroupContainer(INNER, outer=ID)
