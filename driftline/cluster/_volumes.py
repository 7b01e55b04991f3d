"""What kind of volume a mount is, told from where kubelet keeps it.

``/var/lib/kubelet/pods/UID/volumes/PLUGIN/NAME`` names the volume plugin
(kubernetes/pkg/kubelet/kubelet_getters.go). A ``subPath`` is mounted from
``…/pods/UID/volume-subpaths/NAME/CONTAINER/N``, which does not: the plugin is then looked up by
the volume's name beside it.
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
    """Tell the kind of a mount by its source, a path on the node."""
    inside = POD_DIRECTORY.fullmatch(source)
    if inside is None:
        return VolumeKind.HOST_PATH if source.startswith("/") else VolumeKind.OTHER
    folder, *names = inside["rest"].split("/")
    if folder == "volumes" and names:
        return _of_plugin(names[0])
    if folder == "volume-subpaths" and names:
        return _of_subpath(Path(inside["pod"]), names[0])
    return VolumeKind.OTHER  # kubelet's own: /etc/hosts, the termination log


# All other plugins (csi, nfs, iscsi, aws-ebs …) hold what a claim asked for.
def _of_plugin(escaped: str) -> VolumeKind:
    return KINDS.get(escaped.rpartition("~")[2], VolumeKind.PVC)


def _of_subpath(pod: Path, volume: str) -> VolumeKind:
    found = [plugin for plugin in pod.glob("volumes/*") if (plugin / volume).is_dir()]
    return _of_plugin(found[0].name) if len(found) == 1 else VolumeKind.OTHER
