import os

from driftline.cluster import OverlayDirs, read_overlay
from driftline.cluster._overlay import parse_mountinfo, parse_options


def mountinfo(options: str, *, kind: str = "overlay", point: str = "/") -> list[bytes]:
    return [f"97 61 0:50 / {point} rw,relatime - {kind} overlay rw,{options}".encode()]


def test_layers_are_listed_topmost_first() -> None:
    options = ["index=off", "workdir=/s/9/work", "upperdir=/s/9/fs", "lowerdir=/s/2/fs:/s/1/fs"]

    assert parse_options(options) == OverlayDirs("/s/9/fs", ("/s/2/fs", "/s/1/fs"))


def test_one_option_a_layer_as_the_new_mount_api_shows() -> None:
    options = ["lowerdir+=/s/2/fs", "lowerdir+=/s/1/fs", "upperdir=/s/9/fs"]

    assert parse_options(options) == OverlayDirs("/s/9/fs", ("/s/2/fs", "/s/1/fs"))


def test_view_without_writable_layer() -> None:
    assert parse_options(["lowerdir=/a:/b"]) == OverlayDirs(lowerdirs=("/a", "/b"))


def test_data_only_layers_count_as_layers() -> None:
    assert parse_options(["lowerdir=/a::/data"]).lowerdirs == ("/a", "/data")


def test_containerd_shortens_the_names_of_many_layers() -> None:
    lines = mountinfo("lowerdir=47/fs:46/fs,upperdir=/var/lib/c/snapshots/48/fs,workdir=/var/lib/c/snapshots/48/work")

    assert parse_mountinfo(lines) == OverlayDirs(
        "/var/lib/c/snapshots/48/fs", ("/var/lib/c/snapshots/47/fs", "/var/lib/c/snapshots/46/fs")
    )


def test_podman_and_crio_name_layers_by_short_links() -> None:
    storage = "/var/lib/containers/storage/overlay"
    lines = mountinfo(f"lowerdir=l/ABC:l/DEF,upperdir={storage}/5f0c/diff,workdir={storage}/5f0c/work")

    assert parse_mountinfo(lines).lowerdirs == (f"{storage}/l/ABC", f"{storage}/l/DEF")


def test_names_with_spaces_and_colons_are_unescaped() -> None:
    lines = mountinfo(r"lowerdir=/a\040b\134:c:/d,upperdir=/u")

    assert parse_mountinfo(lines).lowerdirs == ("/a b:c", "/d")


def test_root_of_another_kind_has_no_layers() -> None:
    assert parse_mountinfo(mountinfo("lowerdir=/a", kind="ext4")) == OverlayDirs()


def test_overlay_elsewhere_is_not_the_root() -> None:
    assert parse_mountinfo(mountinfo("lowerdir=/a", point="/mnt")) == OverlayDirs()


def test_process_that_is_gone_has_no_layers() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)

    assert read_overlay(child) == OverlayDirs()
