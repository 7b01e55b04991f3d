"""Bytecode that Python derives from a source of the image and keeps beside it, in ``__pycache__`` (PEP 3147).

Any container whose image has no bytecode writes it with the first import, so these findings are a group of their own. A
file belongs to it if Python had a reason to write it, and would run it in place of its source: its header has the time
and the size of the source (PEP 552), the source is the image's, unchanged, and the image has no such bytecode itself.
The code behind the header is not compared. All other bytecode counts among executables: without its source, with a hash
in place of the time (which need not be checked), or with another header.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from driftline.image import Kind
from driftline.sensor import safe_open
from driftline.sensor.scan.findings import Change, Finding

__all__ = ["directories_last", "is_bytecode", "layer_file", "matches_source", "source_path"]

_HEADER = struct.Struct("<2s2sIII")  # magic number and \r\n, flags, time of the source in seconds, its size
_BITS = 0xFFFFFFFF  # time and size are stored modulo 2**32
_FOLDER = b"/__pycache__"
_MAX_FOLDERS = 100_000


def source_path(path: bytes) -> bytes:
    """Return the path of the source that Python derives a file in ``__pycache__`` from; b"" for any other file."""
    folder, _, name = path.rpartition(b"/")
    parts = name.split(b".")
    is_cached = folder.endswith(_FOLDER) and name.endswith(b".pyc")
    # As importlib.util.source_from_cache: NAME.TAG.pyc or NAME.TAG.opt-LEVEL.pyc
    if not is_cached or not parts[0] or not (len(parts) == 3 or (len(parts) == 4 and parts[2].startswith(b"opt-"))):
        return b""
    return folder.removesuffix(_FOLDER) + b"/" + parts[0] + b".py"


def is_bytecode(path: bytes, handle: int) -> bool:
    """Return whether a file has the name and the magic number of Python bytecode."""
    header = _header(handle) if path.endswith(b".pyc") else None
    return header is not None and header[1] == b"\r\n"


def matches_source(handle: int, source: safe_open.FileStat) -> bool:
    """Return whether a file has the header of the bytecode of this source."""
    header = _header(handle)
    time = source.mtime_ns // 10**9
    return header is not None and header[1:] == (b"\r\n", 0, time & _BITS, source.size & _BITS)


def _header(handle: int) -> tuple[bytes, bytes, int, int, int] | None:
    try:
        fd = safe_open.open_to_read(handle)
    except OSError:
        return None
    try:
        return _HEADER.unpack(os.pread(fd, _HEADER.size, 0))
    except (OSError, struct.error):
        return None
    finally:
        os.close(fd)


@contextlib.contextmanager
def layer_file(layers: Sequence[str], path: bytes) -> Iterator[tuple[int, safe_open.FileStat] | None]:
    """Open a regular file in the topmost of unpacked layers that has the path, as an O_PATH handle.

    ``None`` if no layer has it, or the topmost has something else there.
    """
    handle = next((found for found in (_open(layer, path) for layer in layers) if found >= 0), -1)
    if handle < 0:
        yield None
        return
    try:
        found = safe_open.statx(handle)
        yield (handle, found) if stat.S_ISREG(found.mode) else None
    finally:
        os.close(handle)


def _open(layer: str, path: bytes) -> int:
    try:
        top = os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        return safe_open.open_on_mount(top, path)
    except OSError:
        return -1
    finally:
        os.close(top)


def directories_last(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield new directories ``__pycache__`` at the end; those with nothing but derived bytecode are derived."""
    folders: list[Finding] = []
    derived: set[bytes] = set()
    mixed: set[bytes] = set()
    for finding in findings:
        if _is_new_folder(finding) and len(folders) < _MAX_FOLDERS:
            folders.append(finding)
            continue
        parent = finding.path.rpartition(b"/")[0]
        if parent.endswith(_FOLDER) and len(derived) + len(mixed) < _MAX_FOLDERS:
            (derived if finding.is_derived else mixed).add(parent)
        yield finding
    for folder in folders:
        is_derived = folder.path in derived and folder.path not in mixed
        yield msgspec.structs.replace(folder, is_derived=is_derived)


def _is_new_folder(finding: Finding) -> bool:
    is_folder = finding.after is not None and finding.after.kind is Kind.DIRECTORY
    return is_folder and finding.changes == (Change.ADDED,) and finding.path.endswith(_FOLDER)
