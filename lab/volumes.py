"""Volumes in the directories and form that kubelet gives them, so that the path tells their kind.

Kubelet keeps ``/var/lib/kubelet/pods/UID/volumes/PLUGIN/NAME`` with the plugin's name escaped
(``kubernetes.io~empty-dir``). It writes configMap, secret and projected volumes through ``..data``,
a symlink to a dated directory that is replaced as a whole
(kubernetes/pkg/volume/util/atomic_writer.go). Every function returns the path to mount.
"""

from collections.abc import Mapping
from pathlib import Path

from lab._run import run

__all__ = ["config_map", "directory", "empty_dir", "memory_dir", "projected", "pvc", "secret"]

KUBELET = Path("/var/lib/kubelet")
# Name of the directory behind "..data": kubelet uses the time of the update and a random number.
SNAPSHOT = "..2026_11_23_00_00_00.000000001"


def directory(pod_uid: str, plugin: str, name: str) -> Path:
    """Make the directory of a volume; ``plugin`` is the name without prefix, such as ``empty-dir``."""
    path = KUBELET / "pods" / pod_uid / "volumes" / f"kubernetes.io~{plugin}" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def empty_dir(pod_uid: str, name: str) -> Path:
    """Make an emptyDir on the node's disk."""
    path = directory(pod_uid, "empty-dir", name)
    path.chmod(0o777)
    return path


def memory_dir(pod_uid: str, name: str) -> Path:
    """Make an emptyDir with medium Memory (a tmpfs)."""
    return _tmpfs(empty_dir(pod_uid, name))


def pvc(pod_uid: str, name: str) -> Path:
    """Make the mount point of a CSI volume, one directory below the volume's, as kubelet does."""
    path = directory(pod_uid, "csi", name) / "mount"
    path.mkdir(exist_ok=True)
    return path


def config_map(pod_uid: str, name: str, files: Mapping[str, bytes]) -> Path:
    """Make a configMap volume with these files by name."""
    return _write_atomically(directory(pod_uid, "configmap", name), files)


def secret(pod_uid: str, name: str, files: Mapping[str, bytes]) -> Path:
    """Make a secret volume, a tmpfs, with these files by name."""
    return _write_atomically(_tmpfs(directory(pod_uid, "secret", name)), files)


def projected(pod_uid: str, name: str, files: Mapping[str, bytes]) -> Path:
    """Make a projected volume, a tmpfs, with these files by name."""
    return _write_atomically(_tmpfs(directory(pod_uid, "projected", name)), files)


def _tmpfs(path: Path) -> Path:
    if not path.is_mount():
        run("mount", "-t", "tmpfs", "tmpfs", path).check()
    return path


def _write_atomically(path: Path, files: Mapping[str, bytes]) -> Path:
    (path / SNAPSHOT).mkdir()
    for name, content in files.items():
        (path / SNAPSHOT / name).write_bytes(content)
        (path / SNAPSHOT / name).chmod(0o755)
        (path / name).symlink_to(f"..data/{name}")
    (path / "..data").symlink_to(SNAPSHOT)
    return path
