import os
import subprocess
from pathlib import Path

import pytest

from driftline.errors import Unreadable
from driftline.sensor.tracking import mounts
from tests.sensor.overlays import mounted, running


def test_mountinfo_devices_agree_with_stat() -> None:
    found = {mount.path: mount for mount in mounts.container_root(os.getpid()).mounts}

    assert found[b"/proc"].device == Path("/proc").stat().st_dev
    assert found[b"/proc"].fs_type == "proc"


def test_an_ended_process_is_unreadable() -> None:
    child = subprocess.Popen("true")
    child.wait()

    with pytest.raises(Unreadable, match=f"process {child.pid}"):
        mounts.container_root(child.pid)
    assert mounts.find_mount(child.pid, 1) is None


@pytest.mark.kernel
def test_a_root_mounted_inside_the_container_has_no_layer_paths(tmp_path: Path) -> None:
    """The container chose its mount options, which could name any directory of the node."""
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
def test_a_root_mounted_by_the_node_has_its_layer_paths(tmp_path: Path) -> None:
    """The node mounts the overlay, and the container's process enters it."""
    with mounted(tmp_path / "with space", {"busybox": Path("/bin/busybox").read_bytes()}, {"old/x": b""}) as overlay:
        script = "mount --rbind . . && cd \"$PWD\" && pivot_root . old && exec /busybox sh -c 'echo; read x'"
        with running("unshare", "-m", "sh", "-ec", script, cwd=overlay.root) as pid:
            found = mounts.container_root(pid)

        assert found.device == overlay.device
        assert found.upperdir == bytes(overlay.upper)
        assert found.lowerdirs[0].endswith(b"layer0")
