"""Kind of a volume, from the directory in which kubelet keeps it.

``/var/lib/kubelet/pods/UID/volumes/PLUGIN/NAME`` names the volume plugin
(kubernetes/pkg/kubelet/kubelet_getters.go). A ``subPath`` is mounted from
``…/pods/UID/volume-subpaths/NAME/CONTAINER/N``, which does not name it: the plugin is then found
by the volume's name in the ``volumes`` directory of the pod.
"""

import re
from pathlib import Path

from driftline.events import VolumeKind

__all__ = ["volume_kind"]

POD_DIRECTORY = re.compile(r"(?P<pod>.*/pods/[0-9a-f-]{32,36})/(?P<rest>.*)")
KINDS = {
    "empty-dir": VolumeKind.EMPTY_DIR,
    "configmap": VolumeKind.CONFIG_MAP,
    "secret": VolumeKind.SECRET,
    "projected": VolumeKind.PROJECTED,
    "downward-api": VolumeKind.OTHER,
    "git-repo": VolumeKind.OTHER,
}


def volume_kind(source: str) -> VolumeKind:
    """Return the kind of a mount from its source, a path on the node.

    A source outside kubelet's pod directories is a ``hostPath``. ``VolumeKind.OTHER`` is a mount
    that kubelet adds itself, or a plugin without a kind of its own.
    """
    inside = POD_DIRECTORY.fullmatch(source)
    if inside is None:
        return VolumeKind.HOST_PATH if source.startswith("/") else VolumeKind.OTHER
    folder, *names = inside["rest"].split("/")
    if folder == "volumes" and names:
        return _of_plugin(names[0])
    if folder == "volume-subpaths" and names:
        return _of_subpath(Path(inside["pod"]), names[0])
    return VolumeKind.OTHER  # added by kubelet: /etc/hosts, the termination log


# kubelet escapes "kubernetes.io/empty-dir" as "kubernetes.io~empty-dir". All plugins that are not in
# KINDS (csi, nfs, iscsi, aws-ebs …) provide storage for a PersistentVolumeClaim.
def _of_plugin(escaped: str) -> VolumeKind:
    return KINDS.get(escaped.rpartition("~")[2], VolumeKind.PVC)


def _of_subpath(pod: Path, volume: str) -> VolumeKind:
    found = [plugin for plugin in pod.glob("volumes/*") if (plugin / volume).is_dir()]
    return _of_plugin(found[0].name) if len(found) == 1 else VolumeKind.OTHER
