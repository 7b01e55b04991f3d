"""Programs and libraries that run after their removal: no walk of the files finds them.

Those of the image mark the finding of their deletion. Any other is a finding of its own. JIT compilers map memory as
code that has a name in the kernel only (memfd_create(2), shared /dev/zero) or an unlinked temporary file: what is not
the program of a process counts only if it begins as an ELF file.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping

import msgspec

from driftline.errors import Unreadable
from driftline.events import Content
from driftline.image import Entry, ImageIndex, Kind
from driftline.printable import printable
from driftline.sensor import safe_open
from driftline.sensor.scan.findings import Change, Finding, Times
from driftline.sensor.scan.running import RunningFiles, Unlinked
from driftline.sensor.tracking import mounts
from driftline.sensor.verdicts.content import Capture, ContentReader

__all__ = ["RemovedFiles", "removed_files"]

_MAX_FILES = 1000
"""Files that are hashed; further ones are unverified."""
_JIT = frozenset({"", "tmpfs", "overlay"})
"""File systems of memory without a mount, and of temporary files: reading their first bytes never blocks."""


class RemovedFiles(msgspec.Struct, frozen=True):
    """Files that run after their removal."""

    of_image: Mapping[bytes, tuple[int, ...]]
    """Processes that run a file of the image, by its path."""
    findings: tuple[Finding, ...]
    """The other files."""


def removed_files(running: RunningFiles, index: ImageIndex, reader: ContentReader) -> RemovedFiles:
    """Compare the files that run after their removal with the image."""
    of_image: dict[bytes, tuple[int, ...]] = {}
    findings = []
    for number, file in enumerate(running.unlinked()):
        with contextlib.suppress(OSError):  # its process has ended
            finding = _finding(file, index, reader, is_hashed=number < _MAX_FILES)
            if finding is None:
                continue
            if finding.before and finding.after and finding.before.sha256 == finding.after.sha256:
                of_image[file.path] = tuple(sorted({*of_image.get(file.path, ()), *file.pids}))
            elif file.nlink == 0:  # else it is found at another path
                findings.append(finding)
    return RemovedFiles(of_image, tuple(findings))


def _finding(file: Unlinked, index: ImageIndex, reader: ContentReader, *, is_hashed: bool) -> Finding | None:
    handle = safe_open.open_magic_link(file.link)
    found = safe_open.statx(handle)
    mount = mounts.find_mount(file.pids[0], found.mount_id)
    fs_type = mount.fs_type if mount else ""
    if not stat.S_ISREG(found.mode) or not (file.is_program or fs_type not in _JIT or _is_elf(handle)):
        os.close(handle)
        return None
    sha256, why = _hash(reader, handle, fs_type) if is_hashed else ("", "too many files run after their removal")
    after = Entry(file.path, Kind.FILE, found.size, stat.S_IMODE(found.mode), found.uid, found.gid, sha256, b"", -1)
    content, note = _relate(index, after, why)
    return Finding(
        path=file.path,
        changes=(Change.DELETED,),
        before=index.at(file.path),
        after=after,
        content=content,
        is_executable=True,
        pids=file.pids,
        times=Times(found.mtime_ns, found.ctime_ns, found.birth_ns),
        note=note,
    )


# Closes the handle.
def _hash(reader: ContentReader, handle: int, fs_type: str) -> tuple[str, str]:
    try:
        return reader.read(Capture(handle, fs_type=fs_type)).sha256, ""
    except Unreadable as error:
        return "", str(error)


def _relate(index: ImageIndex, after: Entry, why: str) -> tuple[Content, str]:
    removed = "removed after it was started"
    if not after.sha256:
        return Content.UNVERIFIED, f"{removed}; {why}"
    elsewhere = index.paths_of(after.sha256) if after.size else ()
    if elsewhere:
        return Content.RELOCATED, f"{removed}; same bytes as {printable(elsewhere[0])}"
    return Content.ADDED, removed


def _is_elf(handle: int) -> bool:
    fd = safe_open.open_to_read(handle)
    try:
        return os.pread(fd, 4, 0) == b"\x7fELF"
    finally:
        os.close(fd)
