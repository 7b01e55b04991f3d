"""Factories of executions, files and images for the tests of the verdict."""

import datetime
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from driftline.events import Subject
from driftline.verdict import ContainerRoot, Digest, Execution, FileFacts, Mount, Writer
from driftline.verdict.facts import OVERLAYFS_MAGIC, TMPFS_MAGIC

EXT4_MAGIC = 0xEF53
ROOT_DEVICE = os.makedev(0, 50)
NESTED_DEVICE = os.makedev(0, 51)
SHM_DEVICE = os.makedev(0, 52)
KERNEL_TMPFS = os.makedev(0, 1)
DISK = os.makedev(254, 0)
NOON = datetime.datetime(2026, 11, 23, 12, 3, 12, tzinfo=datetime.UTC)
IMAGE_NAME = "demo/web@sha256:beef"


class ImageFile(msgspec.Struct, frozen=True):
    size: int
    sha256: str


class Image:
    """An image's index, given as path -> content; ``None`` is an entry that is not a regular file."""

    def __init__(self, files: Mapping[bytes, bytes | None]) -> None:
        self._files = files

    def at(self, path: bytes) -> ImageFile | None:
        if path not in self._files:
            return None
        content = self._files[path]
        return ImageFile(0, "") if content is None else ImageFile(len(content), sha256(content))

    def paths_of(self, digest: str) -> Sequence[bytes]:
        return [path for path, content in self._files.items() if content is not None and sha256(content) == digest]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(content: bytes, *, changed: bool = False) -> Digest:
    return Digest(sha256(content), len(content), changed)


def lower(path: bytes, content: bytes = b"image", **changes: Any) -> FileFacts:
    """Return a file of a read-only layer of the container's root."""
    facts = FileFacts(
        path=path,
        fs_path=path,
        device=ROOT_DEVICE,
        inode=7,
        size=len(content),
        mode=0o100755,
        ctime_ns=1,
        nlink=1,
        magic=OVERLAYFS_MAGIC,
        fs_type="overlay",
        lowers=1,
    )
    return msgspec.structs.replace(facts, **changes)


def upper(path: bytes, content: bytes = b"new", **changes: Any) -> FileFacts:
    """Return a file of the container's writable layer; with ``lowers=1`` one that was copied up."""
    return lower(path, content, **{"upper": True, "lowers": 0, **changes})


def on_disk(path: bytes, fs_path: bytes, content: bytes = b"new", **changes: Any) -> FileFacts:
    """Return a file on the node's disk."""
    disk = {"fs_path": fs_path, "device": DISK, "magic": EXT4_MAGIC, "fs_type": "ext4", "lowers": 0}
    return lower(path, content, **{**disk, **changes})


def on_tmpfs(path: bytes, content: bytes = b"new", **changes: Any) -> FileFacts:
    """Return a file in the container's /dev/shm."""
    shm = {"device": SHM_DEVICE, "magic": TMPFS_MAGIC, "fs_type": "tmpfs"}
    return on_disk(path, b"/" + os.path.basename(path), content, **{**shm, **changes})


def memfd(name: bytes, content: bytes = b"new") -> FileFacts:
    facts = on_tmpfs(b"/", content, device=KERNEL_TMPFS, nlink=0)
    return msgspec.structs.replace(facts, fs_path=b"/memfd:" + name)


def mount(device: int, path: bytes, root: bytes = b"/", fs_type: str = "ext4") -> Mount:
    return Mount(device=device, root=root, path=path, fs_type=fs_type, source=b"none", options="")


ROOT = ContainerRoot(
    device=ROOT_DEVICE,
    mounts=(
        mount(ROOT_DEVICE, b"/", fs_type="overlay"),
        mount(SHM_DEVICE, b"/dev/shm", fs_type="tmpfs"),
        mount(DISK, b"/data", b"/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/data"),
        mount(DISK, b"/data/deep", b"/srv/deep"),
        mount(DISK, b"/etc/hosts", b"/var/lib/kubelet/pods/1/etc-hosts"),
    ),
    host_devices=frozenset({DISK, os.makedev(8, 1)}),
)


def writer(comm: bytes = b"sh", *, pid: int = 41, time: datetime.datetime = NOON, **changes: Any) -> Writer:
    return Writer(pid=pid, start_ns=5, comm=comm, time=time.replace(second=11), **changes)


def execution(file: FileFacts, subject: Subject = Subject.BINARY) -> Execution:
    return Execution(subject=subject, file=file, time=NOON, image=IMAGE_NAME)
