"""Layers that a snapshotter unpacked: the lower directories of an overlay mount.

The whiteout and opaque marks are those of the kernel (Documentation/filesystems/overlayfs.rst,
"whiteouts and opaque directories"): a character device 0:0 is a whiteout, and the xattr
``overlay.opaque`` with the value "y" makes a directory opaque. An empty file with the xattr
``overlay.whiteout`` is a whiteout as well, if its directory or the layer's root has
``overlay.opaque`` "x": the documentation requires both, but Linux 6.18 hides such a file once it
has met either mark. The xattrs count in the ``trusted.`` namespace and, as for ``userxattr``
mounts, in ``user.``.

Every file is opened relative to the descriptor of its parent directory, without following
symlinks: a directory that is replaced with a symlink during the read is an error, never a way out
of the layer.
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
from driftline.image.capabilities import XATTR, valid_capabilities
from driftline.image.entry import Kind
from driftline.image.limits import Budget

__all__ = ["read_lowerdirs"]

CHUNK = 1 << 20  # bytes read at a time
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A file replaced with a FIFO must not block; one replaced with a terminal must not become the controlling one.
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
# ENOTSUP: the file system has no xattrs. EPERM: user.* on anything but files and directories (xattr(7)).
NO_SUCH_XATTR = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EPERM})


def read_lowerdirs(directories: Sequence[bytes], budget: Budget) -> tree.Directory:
    """Merge unpacked layers, topmost first as in ``lowerdir=``, into the tree that a container sees.

    Raises ``ImageError`` with the name of a directory that cannot be read; ``CorruptImage`` for one
    that exceeds the limits or uses an overlayfs feature that no image layer has (redirects,
    metadata-only copies).
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
    # Reads one layer. Open descriptors: one for each directory from the root to the current one,
    # so at most ``limits.depth``.

    def __init__(self, number: int, budget: Budget) -> None:
        self._number = number
        self._budget = budget
        self._links: dict[tuple[int, int], tree.Node] = {}
        self._root_opaque = b""
        self._buffer = memoryview(bytearray(CHUNK))

    def read_root(self, path: bytes) -> tree.Directory:
        # The layer's root may be a symlink, as CRI-O's short names "l/ABCD" are.
        with _open_fd(path, OPEN_DIRECTORY & ~os.O_NOFOLLOW) as fd:
            self._root_opaque = _overlay_xattr(fd, "opaque")
            root = self._read_directory(fd, os.fstat(fd), path=b"", depth=1)
        # overlayfs does not look for "y" at the root of a layer (Linux 6.18).
        root.opaque = False
        return root

    def _read_directory(self, fd: int, info: os.stat_result, *, path: bytes, depth: int) -> tree.Directory:
        self._budget.check_depth(depth)
        directory = tree.Directory(mode=_mode(info), uid=info.st_uid, gid=info.st_gid, layer=self._number)
        opaque = _overlay_xattr(fd, "opaque")
        directory.opaque = opaque == b"y"
        _refuse_xattr(fd, path, "redirect")
        with os.scandir(fd) as names:
            for item in names:
                name = os.fsencode(item.name)
                child = self._read_child(fd, name, item.stat(follow_symlinks=False), below=path, depth=depth)
                if child is None or (b"x" in (opaque, self._root_opaque) and _is_xattr_whiteout(fd, name, child)):
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
            with _open_fd(name, OPEN_DIRECTORY, parent) as fd:
                return self._read_directory(fd, os.fstat(fd), path=path, depth=depth + 1)
        if stat.S_ISCHR(info.st_mode) and info.st_rdev == 0:
            return None
        # Hard links share an inode: hash it once, and give all names the same node.
        known = self._links.get((info.st_dev, info.st_ino)) if info.st_nlink > 1 else None
        node = known or self._read_node(parent, name, info, path=path)
        if info.st_nlink > 1:
            self._links[info.st_dev, info.st_ino] = node
        return node

    def _read_node(self, parent: int, name: bytes, info: os.stat_result, *, path: bytes) -> tree.Node:
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        node = tree.Node(kind, mode=_mode(info), uid=info.st_uid, gid=info.st_gid, layer=self._number)
        if kind is Kind.FILE:
            node.size, node.ref, node.capabilities = self._hash(parent, name, info, path=path)
        elif kind is Kind.SYMLINK:
            node.ref = os.readlink(name, dir_fd=parent)
            self._budget.spend_entry(len(node.ref))
        elif kind in (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE):
            node.device = info.st_rdev
        return node

    def _hash(self, parent: int, name: bytes, info: os.stat_result, *, path: bytes) -> tuple[int, bytes, bytes]:
        engine, size = hashlib.sha256(), 0
        with _open_fd(name, OPEN_FILE, parent) as fd:
            _check_same(fd, info, path)
            # A metadata-only copy has no data blocks, so only files that are empty or sparse by
            # their block count (st_blocks counts 512 bytes, stat(2)) can be one: a getxattr saved
            # for all others.
            if not info.st_size or info.st_blocks * 512 < info.st_size:
                _refuse_xattr(fd, path, "metacopy")
            while count := os.readv(fd, [self._buffer]):
                self._budget.spend_bytes(count)
                engine.update(self._buffer[:count])
                size += count
            return size, engine.digest(), valid_capabilities(_xattr(fd, XATTR))


@contextlib.contextmanager
def _open_fd(name: bytes, flags: int, parent: int | None = None) -> Iterator[int]:
    fd = os.open(name, flags, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _mode(info: os.stat_result) -> int:
    return info.st_mode & 0o7777


# The file was statted by name and opened by name: between the two, another file may have taken it.
def _check_same(fd: int, info: os.stat_result, path: bytes) -> None:
    found = os.fstat(fd)
    if (found.st_dev, found.st_ino) != (info.st_dev, info.st_ino) or not stat.S_ISREG(found.st_mode):
        raise errors.ImageError(f"{path!r} was replaced while the layer was read")


def _overlay_xattr(fd: int, name: str) -> bytes:
    return _xattr(fd, f"trusted.overlay.{name}") or _xattr(fd, f"user.overlay.{name}")


def _xattr(fd: int, name: str) -> bytes:
    try:
        return os.getxattr(fd, name)
    except OSError as error:
        if error.errno not in NO_SUCH_XATTR:
            raise
    return b""


def _refuse_xattr(fd: int, path: bytes, feature: str) -> None:
    try:
        os.getxattr(fd, f"trusted.overlay.{feature}")
    except OSError as error:
        if error.errno not in NO_SUCH_XATTR:
            raise
    else:
        # overlayfs.rst, "redirect_dir" and "Metadata only copy up": the content is in another layer.
        raise errors.CorruptImage(f"{path!r} has the xattr trusted.overlay.{feature}, which no image layer may have")


def _is_xattr_whiteout(parent: int, name: bytes, node: tree.Node) -> bool:
    if node.kind is not Kind.FILE or node.size:
        return False
    with _open_fd(name, OPEN_FILE, parent) as fd:
        names = os.listxattr(fd)
    # The value is ignored; the kernel writes an empty one.
    return "trusted.overlay.whiteout" in names or "user.overlay.whiteout" in names
