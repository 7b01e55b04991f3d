from pathlib import Path

import pytest

from driftline.cluster._volumes import volume_kind
from driftline.events import VolumeKind

POD = "/var/lib/kubelet/pods/0a4f3c52-7d1e-4a68-9c39-1f0e8b6d2a71"
STATIC = "/var/lib/kubelet/pods/d4e5f60718293a4b5c6d7e8f90a1b2c3"

SOURCES = {
    f"{POD}/volumes/kubernetes.io~empty-dir/cache": VolumeKind.EMPTY_DIR,
    f"{POD}/volumes/kubernetes.io~configmap/settings": VolumeKind.CONFIG_MAP,
    f"{POD}/volumes/kubernetes.io~secret/token": VolumeKind.SECRET,
    f"{POD}/volumes/kubernetes.io~projected/kube-api-access-x2x9q": VolumeKind.PROJECTED,
    f"{POD}/volumes/kubernetes.io~csi/pvc-1d2e/mount": VolumeKind.PVC,
    f"{POD}/volumes/kubernetes.io~nfs/share": VolumeKind.PVC,
    f"{POD}/volumes/kubernetes.io~downward-api/labels": VolumeKind.OTHER,
    f"{POD}/etc-hosts": VolumeKind.OTHER,
    f"{POD}/containers/web/5f2b1c3d": VolumeKind.OTHER,
    f"{STATIC}/volumes/kubernetes.io~empty-dir/data": VolumeKind.EMPTY_DIR,
    f"/var/snap/microk8s/common{POD}/volumes/kubernetes.io~secret/token": VolumeKind.SECRET,
    "/srv/data": VolumeKind.HOST_PATH,
    "/": VolumeKind.HOST_PATH,
    "/var/lib/kubelet/pods": VolumeKind.HOST_PATH,
    "tmpfs": VolumeKind.OTHER,
}


@pytest.mark.parametrize(("source", "kind"), SOURCES.items())
def test_volume_kind_of_a_mount_source(source: str, kind: VolumeKind) -> None:
    assert volume_kind(source) is kind


def test_subpath_has_the_kind_of_its_volume(tmp_path: Path) -> None:
    pod = Path(f"{tmp_path}{POD}")
    (pod / "volumes" / "kubernetes.io~configmap" / "settings").mkdir(parents=True)

    assert volume_kind(f"{pod}/volume-subpaths/settings/web/0") is VolumeKind.CONFIG_MAP


def test_subpath_of_an_unknown_volume_is_other(tmp_path: Path) -> None:
    assert volume_kind(f"{tmp_path}{POD}/volume-subpaths/settings/web/0") is VolumeKind.OTHER
