import os
import subprocess
from pathlib import Path

import pytest

from driftline.errors import Unreadable
from driftline.events import VolumeMount
from driftline.sensor import mounts
from driftline.verdict import Mount
from tests.sensor.overlays import mounted, running

LINE = rb"36 35 98:0 /mnt1\040a /mnt\0122 rw,noatime master:1 propagate_from:2 - ext3 /dev/ro\134ot rw,errors=continue"


def test_a_line_of_mountinfo_with_optional_fields_and_escapes() -> None:
    assert mounts.parse_mountinfo(LINE + b"\n") == (
        Mount(
            id=36,
            device=os.makedev(98, 0),
            root=b"/mnt1 a",
            path=b"/mnt\n2",
            fs_type="ext3",
            source=b"/dev/ro\\ot",
            options="rw,errors=continue",
        ),
    )


def test_our_own_mounts_have_the_devices_that_stat_gives() -> None:
    found = {mount.path: mount for mount in mounts.container_root(os.getpid()).mounts}

    assert found[b"/proc"].device == Path("/proc").stat().st_dev
    assert found[b"/proc"].fs_type == "proc"


def test_a_process_that_is_gone_is_unreadable() -> None:
    child = subprocess.Popen("true")
    child.wait()

    with pytest.raises(Unreadable, match=f"process {child.pid}"):
        mounts.container_root(child.pid)
    assert mounts.find_mount(child.pid, 1) is None


@pytest.mark.parametrize(
    ("options", "upper", "lowers"),
    [
        ("rw,lowerdir=/a:/b,upperdir=/u/1/fs,workdir=/w", b"/u/1/fs", (b"/a", b"/b")),
        ("rw,lowerdir+=/a,lowerdir+=/b,upperdir=/u/1/fs", b"/u/1/fs", (b"/a", b"/b")),
        ("lowerdir=2/fs:1/fs,upperdir=/s/3/fs", b"/s/3/fs", (b"/s/2/fs", b"/s/1/fs")),
        (r"lowerdir=/a\134:b:/c\040d,upperdir=/u\0541", b"/u,1", (b"/a:b", b"/c d")),
        ("lowerdir=/a::/data", b"", (b"/a", b"/data")),
        ("rw", b"", ()),
    ],
)
def test_the_layers_of_an_overlays_options(options: str, upper: bytes, lowers: tuple[bytes, ...]) -> None:
    assert mounts._layers(options) == (upper, lowers)


def test_volumes_are_told_by_kubelets_folders() -> None:
    pod = b"/var/lib/kubelet/pods/8f6d0e3a-0000-4000-8000-0123456789ab"
    table = [
        mount(pod + b"/volumes/kubernetes.io~empty-dir/data", b"/data"),
        mount(pod + b"/volumes/kubernetes.io~configmap/settings/..2026/x", b"/etc/x"),
        mount(pod + b"/volumes/kubernetes.io~csi/pv/mount", b"/pv"),
        mount(pod + b"/etc-hosts", b"/etc/hosts"),
        mount(b"/", b"/"),
    ]

    assert [(volume.path, volume.kind) for volume in mounts.guess_volumes(table)] == [
        ("/data", "emptyDir"),
        ("/etc/x", "configMap"),
        ("/pv", "PVC"),
    ]
    assert isinstance(mounts.guess_volumes(table)[0], VolumeMount)


def mount(root: bytes, path: bytes) -> Mount:
    return Mount(device=1, root=root, path=path, fs_type="ext4", source=b"/dev/vda", options="rw")


@pytest.mark.kernel
def test_a_root_mounted_inside_a_container_gives_no_layers(tmp_path: Path) -> None:
    """Its options are the container's words, and would name folders of the node."""
    script = f"""
        cd {tmp_path} && mkdir lower up work root && cp /bin/busybox lower
        mount -t overlay overlay -o lowerdir=lower,upperdir=up,workdir=work root
        mkdir root/old root/proc && cd root && pivot_root . old && exec /busybox sh -c 'echo; read x'
    """
    with running("unshare", "-m", "sh", "-ec", script) as pid:
        found = mounts.container_root(pid)

    assert found.device not in found.host_devices
    assert (found.upperdir, found.lowerdirs) == (b"", ())


@pytest.mark.kernel
def test_a_containers_root_gives_its_layers(tmp_path: Path) -> None:
    """The node mounts it, and the container's process enters it."""
    with mounted(tmp_path / "with space", {"busybox": Path("/bin/busybox").read_bytes()}, {"old/x": b""}) as overlay:
        script = "mount --rbind . . && cd \"$PWD\" && pivot_root . old && exec /busybox sh -c 'echo; read x'"
        with running("unshare", "-m", "sh", "-ec", script, cwd=overlay.root) as pid:
            found = mounts.container_root(pid)

        assert found.device == overlay.device
        assert found.upperdir == bytes(overlay.upper)
        assert found.lowerdirs[0].endswith(b"layer0")
