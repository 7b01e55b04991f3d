"""Files and directories that only their owner may read, whatever the umask that a process was started with."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["keep_private", "tighten"]

_OTHERS = 0o077
_log = logging.getLogger(__name__)


def keep_private() -> None:
    """Let this process and its children create files as 0600 and directories as 0700, also those of libraries."""
    os.umask(_OTHERS)


def tighten(directory: Path, names: Sequence[str] = ("*",)) -> int:
    """Remove the rights of group and others on a directory, and on what matches the patterns ``names`` in it.

    Directories that match are descended. Returns the number of changed modes, which is logged with an example.
    Symbolic links, files of other users, and a directory with the sticky bit, such as /tmp, are left as they are.
    """
    changed = [path for path in _found(directory, names) if _tighten(path)]
    if changed:
        more = f" and {len(changed) - 1} more files" if len(changed) > 1 else ""
        _log.warning("%s%s could be read by other users of this machine; now only by the owner", changed[0], more)
    return len(changed)


def _found(directory: Path, names: Sequence[str]) -> Iterator[Path]:
    yield directory
    for name in names:
        for path in sorted(directory.glob(name)):
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from path.rglob("*")


# By a descriptor of the object itself: between a look at a path and chmod(2) of it, a link could take its place. Opened
# with O_PATH, which neither waits for a FIFO nor drops the locks of a database when it is closed.
def _tighten(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        if not _is_loose(found):
            return False
        # chmod(2) refuses descriptors of O_PATH themselves; their names in /proc lead to the same object.
        os.chmod(f"/proc/self/fd/{fd}", stat.S_IMODE(found.st_mode) & ~_OTHERS)  # noqa: PTH101 (not a path)
    except OSError as error:
        _log.warning("%s can be read by other users of this machine: %s", path, error)
        return False
    finally:
        os.close(fd)
    return True


def _is_loose(found: os.stat_result) -> bool:
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISSOCK)
    is_ours = any(kind(found.st_mode) for kind in kinds) and found.st_uid == os.geteuid()
    return is_ours and bool(found.st_mode & _OTHERS) and not found.st_mode & stat.S_ISVTX
