import pytest

from driftline.events import Origin, VolumeKind, VolumeMount
from driftline.verdict import ContainerRoot, FileFacts
from driftline.verdict.facts import HUGETLBFS_MAGIC
from driftline.verdict.origin import locate, mount_of
from tests.verdict import make

EMPTY_DIR = b"/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/data"


@pytest.mark.parametrize(
    ("file", "origin"),
    [
        (make.lower(b"/x"), Origin.IMAGE),
        (make.upper(b"/x"), Origin.WRITABLE_LAYER),
        (make.upper(b"/x", nlink=0), Origin.DELETED),
        (make.on_disk(b"/data/x", EMPTY_DIR + b"/x"), Origin.VOLUME),
        (make.on_disk(b"/data/x", EMPTY_DIR + b"/x", nlink=0), Origin.DELETED),
        (make.on_tmpfs(b"/dev/shm/x"), Origin.TMPFS),
        (make.on_tmpfs(b"/dev/shm/x", nlink=0), Origin.DELETED),
        (make.memfd(b"x"), Origin.MEMORY),
        (make.on_tmpfs(b"/x", device=make.KERNEL_TMPFS, magic=HUGETLBFS_MAGIC, nlink=0), Origin.MEMORY),
        (make.on_disk(b"/x", b"/usr/bin/runc"), Origin.HOST),
        (make.lower(b"/x", device=make.NESTED_DEVICE), Origin.UNKNOWN),
        (make.upper(b"/x", device=make.NESTED_DEVICE), Origin.UNKNOWN),
        (make.on_tmpfs(b"/own/x", device=make.NESTED_DEVICE), Origin.TMPFS),
    ],
)
def test_the_superblock_determines_the_origin(file: FileFacts, origin: Origin) -> None:
    assert locate(file, make.ROOT).origin == origin


def test_a_file_named_like_a_memfd_is_not_in_memory() -> None:
    file = make.on_tmpfs(b"/dev/shm/memfd:runc", fs_type="tmpfs")

    assert locate(file, make.ROOT).origin == Origin.TMPFS


def test_a_file_on_a_volumes_disk_outside_the_volume_has_the_origin_host() -> None:
    """Reached through /proc/1/root, a leaked descriptor, or a second mount of the disk."""
    root = ContainerRoot(device=make.ROOT_DEVICE, mounts=make.ROOT.mounts)

    assert locate(make.on_disk(b"/mnt/x", EMPTY_DIR + b"-not/x"), root).origin == Origin.HOST


def test_the_innermost_volume_is_taken() -> None:
    location = locate(
        make.on_disk(b"/data/deep/x", b"/srv/deep/x"),
        make.ROOT,
        (
            VolumeMount(path="/data", source="/a", kind="emptyDir"),
            VolumeMount(path="/data/deep/", source="/b", kind="hostPath"),
        ),
    )

    assert (location.volume, location.mount) == (VolumeKind.HOST_PATH, b"/data/deep")


def test_a_bind_mount_of_a_volume_keeps_the_origin_volume() -> None:
    """``mount --bind /data /usr/bin`` in the container changes no superblock."""
    location = locate(make.on_disk(b"/usr/bin/x", EMPTY_DIR + b"/x"), make.ROOT)

    assert (location.origin, location.mount, location.in_image_tree) == (Origin.VOLUME, b"/data", False)


def test_an_emptydir_in_memory_is_a_volume() -> None:
    volumes = (VolumeMount(path="/dev/shm", source="/a", kind="emptyDir"),)

    assert locate(make.on_tmpfs(b"/dev/shm/x"), make.ROOT, volumes).volume == VolumeKind.EMPTY_DIR


SNAPSHOT = b"..2026_11_23_00_00_00.000000001"


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("configMap", b"/data/%b/run.sh" % SNAPSHOT, b"/data/run.sh"),
        ("secret", b"/data/%b/a/run.sh" % SNAPSHOT, b"/data/a/run.sh"),
        ("projected", b"/data/%b/run.sh" % SNAPSHOT, b"/data/run.sh"),
        ("configMap", b"/data/run.sh", b"/data/run.sh"),
        ("configMap", b"/data/%b" % SNAPSHOT, b"/data/%b" % SNAPSHOT),
        ("configMap", b"/data/a/%b/run.sh" % SNAPSHOT, b"/data/a/%b/run.sh" % SNAPSHOT),
        ("configMap", b"/data/..other/run.sh", b"/data/..other/run.sh"),
        ("emptyDir", b"/data/%b/run.sh" % SNAPSHOT, b"/data/%b/run.sh" % SNAPSHOT),
    ],
)
def test_a_file_of_a_configmap_has_the_path_that_people_use(kind: str, path: bytes, expected: bytes) -> None:
    volumes = (VolumeMount(path="/data", source="/a", kind=kind),)

    assert locate(make.on_disk(path, EMPTY_DIR + path[5:]), make.ROOT, volumes).path == expected


def test_without_a_mount_table_volumes_are_found_by_path() -> None:
    """The process ended before its mounts could be read."""
    root = ContainerRoot(device=make.ROOT_DEVICE)
    volumes = (VolumeMount(path="/data", source="/a", kind="emptyDir"),)

    assert locate(make.on_disk(b"/data/x", b"/a/x"), root, volumes).volume == VolumeKind.EMPTY_DIR


def test_of_two_mounts_of_one_directory_the_one_on_the_path_is_taken() -> None:
    mounts = (make.mount(make.DISK, b"/a", b"/srv"), make.mount(make.DISK, b"/b", b"/srv"))
    found = mount_of(make.on_disk(b"/b/x", b"/srv/x"), mounts)

    assert found == mounts[1]


@pytest.mark.parametrize("with_mounts", [True, False])
def test_files_of_a_root_without_overlay_are_in_the_image_tree_and_writable(with_mounts: bool) -> None:
    """containerd's native snapshotter: the root is a folder of the node's disk."""
    mounts = (make.mount(make.DISK, b"/", b"/snapshots/5"), make.mount(make.DISK, b"/data", EMPTY_DIR))
    root = ContainerRoot(device=make.DISK, mounts=mounts if with_mounts else ())
    location = locate(make.on_disk(b"/bin/x", b"/snapshots/5/bin/x"), root)

    assert (location.origin, location.image_path, location.in_image_tree) == (Origin.WRITABLE_LAYER, b"/bin/x", True)


def test_a_volume_on_the_disk_of_the_root_is_a_volume() -> None:
    mounts = (make.mount(make.DISK, b"/", b"/snapshots/5"), make.mount(make.DISK, b"/data", EMPTY_DIR))
    root = ContainerRoot(device=make.DISK, mounts=mounts)

    assert locate(make.on_disk(b"/data/x", EMPTY_DIR + b"/x"), root).origin == Origin.VOLUME
