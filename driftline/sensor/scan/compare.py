"""Comparison of a container's present file system with its image, without waiting for an exec.

overlayfs has already collected the changes: the writable layer has every new and copied-up file, a whiteout for each
deleted one, and extended attributes on directories that hide the layers' content (``opaque``) or show it under a new
name (``redirect``); see Documentation/filesystems/overlayfs.rst. So only the writable layer is walked, on the node's
own disk, and only its files are hashed. With other snapshotters, which have no such layer, the whole tree is walked
through ``/proc/PID/root``, without crossing a mount point.

What runs after its removal is found among the processes (``unlinked``). Apart from that, one path gives at most one
finding, with all its changes:

- ``added``: the image does not have the path. ``content`` says whether the image has the same bytes elsewhere.
- ``modified``: other bytes, symlink target or device number. ``mode``, ``owner`` and ``capabilities`` can come with it
  or alone.
- ``kind``: for example a directory in place of a file. Paths of the image below it are not reported as well.
- ``deleted``: a whiteout, or a path that is missing in a directory which hides the layers. A deleted directory is one
  finding, with the number of paths below it.
- ``unverified``: the content could not be compared: unreadable, beyond a limit of the walk
  (``safe_walk``), or more than ``_MAX_BYTES`` in total.

Empty files and directories that the container runtime created as mount points are no findings, nor are files of the
image that a mount covers.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from driftline.errors import Unreadable
from driftline.events import Container, Content
from driftline.image import Entry, ImageIndex, Kind, valid_capabilities
from driftline.printable import printable
from driftline.sensor import safe_open
from driftline.sensor.scan.bytecode import (
    directories_last,
    is_bytecode,
    layer_file,
    matches_source,
    source_path,
)
from driftline.sensor.scan.findings import Change, Finding, Times, compare, running_first
from driftline.sensor.scan.running import RunningFiles
from driftline.sensor.scan.safe_walk import Gap, Item, walk
from driftline.sensor.scan.unlinked import RemovedFiles, removed_files
from driftline.sensor.tracking import mounts
from driftline.sensor.verdicts.content import ContentReader

__all__ = ["scan"]

_MAX_BYTES = 32 << 30
"""Bytes that one scan reads at most; further files are unverified."""
_RUNTIME_PATHS = frozenset({b"/.dockerenv", b"/run/.containerenv", b"/dev", b"/proc", b"/sys"})
_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER_DEVICE,
    stat.S_IFBLK: Kind.BLOCK_DEVICE,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
_DEVICES = (Kind.CHARACTER_DEVICE, Kind.BLOCK_DEVICE)


def scan(container: Container, index: ImageIndex, *, reader: ContentReader | None = None) -> Iterator[Finding]:
    """Yield the differences between a container and its image: first what runs now, then other executables.

    A path that cannot be compared is a finding as well (``Change.UNVERIFIED``), so that no findings mean no
    differences. ``reader`` hashes the files and can be shared, for its cache. Raises ``Unreadable`` if the
    container's files cannot be opened at all.
    """
    with _open_top(container, is_upper=bool(container.upperdir)) as top, RunningFiles(container) as running:
        reader = reader or ContentReader()
        removed = removed_files(running, index, reader)
        found = _Scan(container, index, reader, top=top).run()
        marked = (_with_pids(finding, running, removed) for finding in directories_last(found))
        yield from running_first(itertools.chain(removed.findings, marked))


# Whatever runs can run, even without an execute bit.
def _with_pids(finding: Finding, running: RunningFiles, removed: RemovedFiles) -> Finding:
    pids: tuple[int, ...] = ()
    if finding.after is None:
        pids = _pids_of_removed(finding.path, removed)
    elif finding.after.kind is Kind.FILE:
        pids = running.pids_of(finding.path)
    return msgspec.structs.replace(finding, pids=pids, is_executable=True) if pids else finding


# Of a deleted directory all files below it count.
def _pids_of_removed(path: bytes, removed: RemovedFiles) -> tuple[int, ...]:
    found = (pids for file, pids in removed.of_image.items() if file == path or file.startswith(path + b"/"))
    return tuple(sorted(set(itertools.chain.from_iterable(found))))


@contextmanager
def _open_top(container: Container, *, is_upper: bool) -> Iterator[int]:
    if not is_upper and not container.pid:
        raise Unreadable(f"container {container.id} does not run, and its runtime names no writable layer")
    path = container.upperdir if is_upper else f"/proc/{container.pid}/root"
    try:
        top = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable(f"the files of container {container.id} cannot be read: {error}") from error
    try:
        yield top
    finally:
        os.close(top)


# Mount points of the container, present and past, with their parent directories: the runtime creates them in the
# writable layer.
def _stubs(container: Container) -> frozenset[bytes]:
    points = {os.fsencode(volume.path).rstrip(b"/") for volume in container.volumes} | _RUNTIME_PATHS
    with suppress(Unreadable):  # if the container has ended, its volumes still name most of them
        points |= {mount.path for mount in mounts.container_root(container.pid).mounts}
    return frozenset(above for point in points for above in _with_parents(point))


def _with_parents(path: bytes) -> Iterator[bytes]:
    while len(path) > 1:
        yield path
        path = _parent(path)


def _parent(path: bytes) -> bytes:
    return path.rpartition(b"/")[0] or b"/"


# One scan: the walk yields findings at once, except for renamed directories and deletions, which come at the end.
class _Scan:
    def __init__(self, container: Container, index: ImageIndex, reader: ContentReader, *, top: int) -> None:
        self._index = index
        self._reader = reader
        self._top = top
        self._is_upper = is_upper = bool(container.upperdir)
        self._lowerdirs = container.lowerdirs
        self._stubs = _stubs(container)
        self._bytes_left = _MAX_BYTES
        # These sets are bounded by the size of the image, not by the number of files in the container.
        self._seen: set[bytes] = set()  # paths of the image that exist
        self._deleted: set[bytes] = set()  # paths of the image with a whiteout
        # Directories that hide the layers' content: what the walk did not see below them is deleted.
        self._hiding: set[bytes] = set() if is_upper else {b"/"}
        self._covered: set[bytes] = set()  # paths below which nothing is reported as deleted
        self._moved: list[tuple[bytes, bytes]] = []  # renamed directories: new path, path in the image
        self._below_moved: set[bytes] = set()  # paths in the writable layer below a renamed directory

    def run(self) -> Iterator[Finding]:
        for found in walk(self._top):
            if isinstance(found, Gap):
                yield from self._gap(found)
            else:
                yield from self._item(found)
        yield from self._renamed()
        yield from self._deletions()

    # A mount over files of the image hides them without changing them, so it is no finding.
    def _gap(self, gap: Gap) -> Iterator[Finding]:
        self._covered.add(gap.path)
        if not gap.is_mount:
            yield Finding(path=gap.path, changes=(Change.UNVERIFIED,), note=gap.reason)

    def _item(self, item: Item) -> Iterator[Finding]:
        before = self._index.at(item.path)
        self._note(item, before)
        if self._is_upper and _is_whiteout(item.stat):
            return
        after, is_executable, why = self._present(item, before)
        if before is not None and before.kind is Kind.DIRECTORY and after.kind is not Kind.DIRECTORY:
            self._covered.add(item.path)  # this finding includes everything below it
        changes = compare(before, after)
        if not changes or (before is None and self._is_stub(after)):
            return
        finding = self._finding(before, after, changes, is_executable=is_executable, why=why)
        finding = msgspec.structs.replace(finding, times=_times(item.stat))
        yield self._bytecode(finding, item) if is_bytecode(item.path, item.handle) else finding

    def _note(self, item: Item, before: Entry | None) -> None:
        if self._moved and any(item.path.startswith(new + b"/") for new, _ in self._moved):
            self._below_moved.add(item.path)
        if before is not None:
            (self._deleted if self._is_upper and _is_whiteout(item.stat) else self._seen).add(item.path)
        if self._is_upper and stat.S_ISDIR(item.stat.mode):
            self._note_overlay_xattrs(item, before)

    def _note_overlay_xattrs(self, item: Item, before: Entry | None) -> None:
        if before is not None and _overlay_xattr(item.handle, "opaque") == b"y":
            self._hiding.add(item.path)
        if target := _overlay_xattr(item.handle, "redirect"):
            self._moved.append((item.path, os.path.join(_parent(item.path), target)))
            self._hiding |= {item.path} if before is not None else set()

    def _present(self, item: Item, before: Entry | None) -> tuple[Entry, bool, str]:
        path, found = item.path, item.stat
        kind, sha256, target, why = _KINDS[stat.S_IFMT(found.mode)], "", b"", ""
        capabilities = b""
        is_executable = False
        if kind is Kind.FILE:
            sha256, why = self._hash(item, before)
            capabilities = _capabilities(item.handle)
            is_executable = bool(found.mode & 0o111) or _starts_like_a_program(item.handle)
        elif kind is Kind.SYMLINK:
            target = os.readlink(b"", dir_fd=item.handle)
        size, device = (found.size if kind is Kind.FILE else 0), (found.rdev if kind in _DEVICES else 0)
        mode = stat.S_IMODE(found.mode)
        owner = (found.uid, found.gid)
        after = Entry(path, kind, size, mode, *owner, sha256, target, -1, device, capabilities)
        return after, is_executable, why

    def _hash(self, item: Item, before: Entry | None) -> tuple[str, str]:
        if before is not None and self._is_upper and _overlay_xattr(item.handle, "metacopy", absent=None) is not None:
            return before.sha256, ""  # only its attributes were copied up (overlayfs.rst, "metadata only copy up")
        if item.stat.size > self._bytes_left:
            return "", f"more than {_MAX_BYTES:,} bytes would have to be read"
        self._bytes_left -= item.stat.size
        try:
            return self._reader.hash(item.handle, item.stat).sha256, ""
        except Unreadable as error:
            return "", str(error)
        except OSError as error:
            return "", f"reading it failed: {error.strerror}"

    # Only new content matters: bytecode of the image that was copied up is as it was.
    def _bytecode(self, finding: Finding, item: Item) -> Finding:
        if finding.content is None:
            return finding
        source = self._index.at(source_path(item.path))
        if source is None or source.kind is not Kind.FILE or not self._is_derived(item, source):
            return msgspec.structs.replace(finding, is_executable=True)
        return msgspec.structs.replace(
            finding, is_executable=False, is_derived=True, note=f"bytecode of {printable(source.path)}"
        )

    def _is_derived(self, item: Item, source: Entry) -> bool:
        with self._unchanged(source) as found:
            if found is None or not matches_source(item.handle, found):
                return False
            if self._index.at(item.path) is None:
                return True
            # Python had no reason to write it again if the image's own has the right header.
            with layer_file(self._lowerdirs if self._is_upper else (), item.path) as own:
                return own is not None and not matches_source(own[0], found)

    # The present source, if it is the image's: from the writable layer, or from the layers below it if it has none.
    @contextmanager
    def _unchanged(self, source: Entry) -> Iterator[safe_open.FileStat | None]:
        try:
            handle = safe_open.open_on_mount(self._top, source.path)
        except FileNotFoundError:
            is_hidden = any(above in self._hiding for above in _with_parents(_parent(source.path)))
            with layer_file(() if is_hidden else self._lowerdirs, source.path) as lower:
                yield lower[1] if lower else None
            return
        except OSError:
            yield None
            return
        try:
            found = safe_open.statx(handle)
            is_file = stat.S_ISREG(found.mode)
            sha256 = self._hash(Item(source.path, handle, found), source)[0] if is_file else ""
            yield found if sha256 == source.sha256 else None
        finally:
            os.close(handle)

    def _is_stub(self, after: Entry) -> bool:
        is_empty = after.kind is Kind.DIRECTORY or (after.kind is Kind.FILE and after.size == 0)
        return is_empty and after.path in self._stubs

    def _finding(
        self, before: Entry | None, after: Entry, changes: Sequence[Change], *, is_executable: bool, why: str
    ) -> Finding:
        content, note = None, why
        is_new = not {Change.ADDED, Change.MODIFIED, Change.KIND, Change.UNVERIFIED}.isdisjoint(changes)
        if after.kind is Kind.FILE and is_new:
            content, note = self._relate(before, after, why)
        elif after.kind is Kind.SYMLINK and is_new:
            note = _targets(before, after)
            is_executable = before is not None or self._leads_to_program(after)
        return Finding(
            path=after.path,
            changes=tuple(changes),
            before=before,
            after=after,
            content=content,
            is_executable=is_executable,
            note=note,
        )

    # A symlink in place of something of the image may start another program under a known name.
    def _leads_to_program(self, link: Entry) -> bool:
        found = self._index.resolve(os.path.join(_parent(link.path), link.target))
        return found is not None and _may_run(found)

    # Empty files are never relocated: each equals any other.
    def _relate(self, before: Entry | None, after: Entry, why: str) -> tuple[Content, str]:
        if not after.sha256:
            return Content.UNVERIFIED, why
        elsewhere = self._index.paths_of(after.sha256) if after.size else ()
        if elsewhere:
            return Content.RELOCATED, f"same bytes as {printable(elsewhere[0])}"
        return (Content.MODIFIED if before else Content.ADDED), ""

    # A renamed directory of the image (overlayfs.rst, "redirect_dir") shows the layers' files under its new name. They
    # are not in the writable layer, so they are taken from the index.
    def _renamed(self) -> Iterator[Finding]:
        if not self._moved:
            return
        for entry in self._index:
            for new, old in self._moved:
                path = new + entry.path[len(old) :]
                if entry.path.startswith(old + b"/") and path not in self._below_moved:
                    yield _moved_finding(entry, path)

    # The index has each directory before its entries, so one pass propagates "deleted" and "hidden" downwards. A
    # deleted directory is one finding with everything below it.
    def _deletions(self) -> Iterator[Finding]:
        if not (self._deleted or self._hiding):
            return
        gone: dict[bytes, _Deletion] = {}
        hidden: set[bytes] = set()
        for entry in self._index:
            path, parent = entry.path, _parent(entry.path)
            if path == b"/":
                continue
            if path in self._covered or parent in self._covered:
                self._covered.add(path)
                continue
            if parent in hidden or parent in self._hiding:
                hidden.add(path)
            if parent in gone:
                gone[path] = gone[parent]
                gone[path].add(entry)
            elif path in self._deleted or (path in hidden and path not in self._seen):
                gone[path] = _Deletion(entry)
        yield from (found.finding() for path, found in gone.items() if found.entry.path == path)


class _Deletion:
    # A deleted path, with everything below it.

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self._below = 0
        self._is_executable = _may_run(entry)

    def add(self, entry: Entry) -> None:
        self._below += 1
        self._is_executable |= _may_run(entry)

    def finding(self) -> Finding:
        return Finding(
            path=self.entry.path,
            changes=(Change.DELETED,),
            before=self.entry,
            is_executable=self._is_executable,
            note=f"with {self._below:,} more below it" if self._below else "",
        )


def _moved_finding(entry: Entry, path: bytes) -> Finding:
    return Finding(
        path=path,
        changes=(Change.ADDED,),
        after=msgspec.structs.replace(entry, path=path, layer=-1),
        content=Content.RELOCATED if entry.kind is Kind.FILE else None,
        is_executable=_may_run(entry),
        note=f"same bytes as {printable(entry.path)}" if entry.kind is Kind.FILE else "",
    )


def _times(found: safe_open.FileStat) -> Times:
    return Times(found.mtime_ns, found.ctime_ns, found.birth_ns)


def _targets(before: Entry | None, after: Entry) -> str:
    was = f", to {printable(before.target)} in the image" if before and before.kind is Kind.SYMLINK else ""
    return f"leads to {printable(after.target)}{was}"


def _may_run(entry: Entry) -> bool:
    return entry.kind is Kind.FILE and bool(entry.mode & 0o111)


# A character device 0:0 (overlayfs.rst, "whiteouts and opaque directories").
def _is_whiteout(found: safe_open.FileStat) -> bool:
    return stat.S_ISCHR(found.mode) and found.rdev == 0


# The attribute is trusted.overlay.* or, on mounts with userxattr, user.overlay.* (overlayfs.rst).
def _overlay_xattr(handle: int, name: str, *, absent: bytes | None = b"") -> bytes | None:
    for namespace in ("trusted", "user"):
        try:
            return os.getxattr(f"/proc/self/fd/{handle}", f"{namespace}.overlay.{name}")
        except OSError:
            continue
    return absent


def _capabilities(handle: int) -> bytes:
    try:
        return valid_capabilities(os.getxattr(f"/proc/self/fd/{handle}", "security.capability"))
    except OSError:
        return b""


# An ELF file or a #! script can be run through its interpreter without an execute bit.
def _starts_like_a_program(handle: int) -> bool:
    try:
        fd = safe_open.open_to_read(handle)
    except OSError:
        return False
    try:
        return os.pread(fd, 4, 0).startswith((b"\x7fELF", b"#!"))
    except OSError:
        return False
    finally:
        os.close(fd)
