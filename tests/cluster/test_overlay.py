import os

import pytest

from driftline.cluster import OverlayDirs, overlay_dirs, parse_mountinfo, read_overlay
from driftline.cluster._overlay import parse_options


def shown(options: str, *, kind: str = "overlay") -> OverlayDirs:
    [mount] = parse_mountinfo(f"97 61 0:50 / / rw,relatime - {kind} overlay rw,{options}\n".encode())
    return overlay_dirs(mount)


def test_layers_are_listed_topmost_first() -> None:
    options = ["index=off", "workdir=/s/9/work", "upperdir=/s/9/fs", "lowerdir=/s/2/fs:/s/1/fs"]

    assert parse_options(options) == OverlayDirs("/s/9/fs", ("/s/2/fs", "/s/1/fs"))


def test_lowerdir_plus_options_of_the_new_mount_api() -> None:
    options = ["lowerdir+=/s/2/fs", "lowerdir+=/s/1/fs", "upperdir=/s/9/fs"]

    assert parse_options(options) == OverlayDirs("/s/9/fs", ("/s/2/fs", "/s/1/fs"))


def test_view_without_writable_layer() -> None:
    assert parse_options(["lowerdir=/a:/b"]) == OverlayDirs(lowerdirs=("/a", "/b"))


def test_data_only_layers_count_as_layers() -> None:
    assert parse_options(["lowerdir=/a::/data"]).lowerdirs == ("/a", "/data")


@pytest.mark.parametrize(
    ("options", "upper", "lowers"),
    [
        pytest.param(
            "lowerdir=47/fs:46/fs,upperdir=/s/48/fs,workdir=/s/48/work",
            "/s/48/fs",
            ("/s/47/fs", "/s/46/fs"),
            id="containerd-shortens-the-names-of-many-layers",
        ),
        pytest.param(
            "lowerdir=l/ABC:l/DEF,upperdir=/o/5f0c/diff,workdir=/o/5f0c/work",
            "/o/5f0c/diff",
            ("/o/l/ABC", "/o/l/DEF"),
            id="podman-and-crio-name-layers-by-short-links",
        ),
        pytest.param(r"lowerdir=/a\134:b:/c\040d,upperdir=/u\0541", "/u,1", ("/a:b", "/c d"), id="escapes"),
        pytest.param("rw", "", (), id="no-layers"),
    ],
)
def test_layers_of_a_mountinfo_line(options: str, upper: str, lowers: tuple[str, ...]) -> None:
    assert shown(options) == OverlayDirs(upper, lowers)


def test_root_that_is_not_an_overlay_has_no_layers() -> None:
    assert shown("lowerdir=/a", kind="ext4") == OverlayDirs()


def test_ended_process_has_no_layers() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)

    assert read_overlay(child) == OverlayDirs()
