"""Layers as a snapshotter unpacked them: the lower directories of an overlay mount.

The marks are those of the kernel (Documentation/filesystems/overlayfs.rst, "whiteouts and
opaque directories"): a character device 0:0 is a whiteout, ``overlay.opaque`` of "y" makes a
directory opaque. An empty file with the xattr ``overlay.whiteout`` is a whiteout too, where its
directory or the layer's root has ``overlay.opaque`` of "x": the documentation asks for both,
but Linux 6.18 hides such a file once it has met either mark. The xattrs count in the
``trusted.`` namespace and, as for ``userxattr`` mounts, in ``user.``.

Everything is reached from a descriptor of the layer's root, one name at a time, without
following symlinks: a directory swapped for a symlink meanwhile is an error, never a way out.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence

from driftline import errors
from driftline.image import tree
from driftline.image.entry import Kind
from driftline.image.limits import Budget

__all__ = ["read_lowerdirs"]

CHUNK = 1 << 20
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
NO_SUCH_XATTR = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EPERM})


def read_lowerdirs(directories: Sequence[bytes], budget: Budget) -> tree.Directory:
    """Merge unpacked layers, topmost first as in ``lowerdir=``, into the tree a container sees.

    Raises ``ImageError`` naming the directory that cannot be read, ``CorruptImage`` for one
    that asks for more than the limits allow or uses an overlayfs feature that has no meaning
    in an image (redirects, metadata-only copies).
    """
    if len(directories) > budget.limits.layers:
        raise errors.CorruptImage(f"{len(directories)} layers (at most {budget.limits.layers})")
    image = tree.Directory()
    for number, directory in enumerate(reversed(directories)):
        try:
            layer = _Reader(number, budget).read_root(directory)
        except OSError as error:
            raise errors.ImageError(f"layer directory {os.fsdecode(directory)!r}: {error}") from error
        except errors.CorruptImage as error:
            raise errors.CorruptImage(f"layer directory {os.fsdecode(directory)!r}: {error}") from error
        image = tree.merge(image, layer)
    return image


class _Reader:
    # Reads one layer. Descriptors are open for the chain of directories being read.

    def __init__(self, number: int, budget: Budget) -> None:
        self._number = number
        self._budget = budget
        self._links: dict[tuple[int, int], tree.Node] = {}
        self._root_mark = b""
        self._buffer = memoryview(bytearray(CHUNK))

    def read_root(self, path: bytes) -> tree.Directory:
        with _opened(path, OPEN_DIRECTORY & ~os.O_NOFOLLOW) as fd:
            self._root_mark = _mark(fd, "opaque")
            return self._read_directory(fd, os.fstat(fd), path=b"", depth=1)

    def _read_directory(self, fd: int, info: os.stat_result, *, path: bytes, depth: int) -> tree.Directory:
        self._budget.check_depth(depth)
        directory = tree.Directory(mode=_mode(info), uid=info.st_uid, gid=info.st_gid, layer=self._number)
        mark = _mark(fd, "opaque")
        directory.opaque = mark == b"y"
        _refuse(fd, path, "redirect")
        with os.scandir(fd) as names:
            for item in names:
                name = os.fsencode(item.name)
                child = self._read_child(fd, name, item.stat(follow_symlinks=False), below=path, depth=depth)
                if child is None or (b"x" in (mark, self._root_mark) and _is_xattr_whiteout(fd, name, child)):
                    directory.whiteouts.add(name)
                else:
                    directory.children[name] = child
        return directory

    def _read_child(
        self, parent: int, name: bytes, info: os.stat_result, *, below: bytes, depth: int
    ) -> tree.Node | None:
        path = below + b"/" + name
        self._budget.check_path(path)
        self._budget.spend_entry(len(path))
        if stat.S_ISDIR(info.st_mode):
            with _opened(name, OPEN_DIRECTORY, parent) as fd:
                return self._read_directory(fd, os.fstat(fd), path=path, depth=depth + 1)
        if stat.S_ISCHR(info.st_mode) and info.st_rdev == 0:
            return None
        known = self._links.get((info.st_dev, info.st_ino)) if info.st_nlink > 1 else None
        node = known or self._read_node(parent, name, info, path=path)
        if info.st_nlink > 1:
            self._links[info.st_dev, info.st_ino] = node
        return node

    def _read_node(self, parent: int, name: bytes, info: os.stat_result, *, path: bytes) -> tree.Node:
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        node = tree.Node(kind, mode=_mode(info), uid=info.st_uid, gid=info.st_gid, layer=self._number)
        if kind is Kind.FILE:
            node.size, node.ref = self._hash(parent, name, info, path=path)
        elif kind is Kind.SYMLINK:
            node.ref = os.readlink(name, dir_fd=parent)
            self._budget.spend_entry(len(node.ref))
        elif kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE):
            node.device = info.st_rdev
        return node

    def _hash(self, parent: int, name: bytes, info: os.stat_result, *, path: bytes) -> tuple[int, bytes]:
        engine, size = hashlib.sha256(), 0
        with _opened(name, OPEN_FILE, parent) as fd:
            _check_same(fd, info, path)
            if not info.st_size or info.st_blocks * 512 < info.st_size:
                _refuse(fd, path, "metacopy")
            while count := os.readv(fd, [self._buffer]):
                self._budget.spend_bytes(count)
                engine.update(self._buffer[:count])
                size += count
        return size, engine.digest()


@contextlib.contextmanager
def _opened(name: bytes, flags: int, parent: int | None = None) -> Iterator[int]:
    fd = os.open(name, flags, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _mode(info: os.stat_result) -> int:
    return info.st_mode & 0o7777


def _check_same(fd: int, info: os.stat_result, path: bytes) -> None:
    found = os.fstat(fd)
    if (found.st_dev, found.st_ino) != (info.st_dev, info.st_ino) or not stat.S_ISREG(found.st_mode):
        raise errors.ImageError(f"{path!r} was replaced while it was read")


def _mark(fd: int, name: str) -> bytes:
    for namespace in ("trusted", "user"):
        try:
            return os.getxattr(fd, f"{namespace}.overlay.{name}")
        except OSError as error:
            if error.errno not in NO_SUCH_XATTR:
                raise
    return b""


def _refuse(fd: int, path: bytes, feature: str) -> None:
    try:
        os.getxattr(fd, f"trusted.overlay.{feature}")
    except OSError as error:
        if error.errno not in NO_SUCH_XATTR:
            raise
    else:
        raise errors.CorruptImage(f"{path!r} has the xattr trusted.overlay.{feature}, which no image layer may have")


def _is_xattr_whiteout(parent: int, name: bytes, node: tree.Node) -> bool:
    if node.kind is not Kind.FILE or node.size:
        return False
    with _opened(name, OPEN_FILE, parent) as fd:
        names = os.listxattr(fd)
    # The value does not count; the kernel writes an empty one.
    return "trusted.overlay.whiteout" in names or "user.overlay.whiteout" in names
