"""Image indexes on disk: one file for each image digest.

An index file appears under its name only when it is complete (``format.write``), so readers need
no lock. Builders of the same image take one of 16 locks, chosen by the digest, so that the
second builder finds the index of the first. Lock files are never removed, which avoids the race
between unlinking a lock and taking it. When the cache exceeds its size, the least recently used
files are removed; a process that has one open keeps its mapping.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from driftline import errors
from driftline.image.build import Layers, build_index
from driftline.image.index import ImageIndex, open_index
from driftline.image.limits import Limits

__all__ = ["ImageCache"]

DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
SUFFIX = ".index"
LOCKS = 16  # few enough to keep for good, enough that builds of different images rarely wait
ABANDONED_SECONDS = 3600  # age of a temporary file whose writer must have crashed


class ImageCache:
    """Image indexes below ``directory``, which is created (mode 0700) if missing.

    ``max_bytes`` bounds the total size of the index files; the index just built is never evicted,
    even if it alone is larger. ``limits`` applies to each image built. The constructor raises
    ``ImageError`` if the directory cannot be made.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, max_bytes: int = 512 << 20, limits: Limits | None = None
    ) -> None:
        self._directory = Path(directory)
        self._max_bytes = max_bytes
        self._limits = limits
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise errors.ImageError(f"cannot make the image cache {directory}: {error.strerror}") from error

    def path(self, digest: str) -> Path:
        """Return the path of the index of ``digest``, whether or not the index exists.

        Raises ``InvalidReference`` unless ``digest`` is ``sha256:`` or ``sha512:`` and lower-case
        hexadecimal digits: it becomes a file name.
        """
        if not DIGEST.fullmatch(digest):
            raise errors.InvalidReference(f"not an image digest: {digest!r}; expected sha256:<64 hexadecimal digits>")
        return self._directory / (digest.replace(":", "-") + SUFFIX)

    def get(self, digest: str) -> ImageIndex | None:
        """Open the index of ``digest``; return ``None`` if the cache has none.

        A damaged index, or one of another image, is removed and counts as missing. The caller closes
        the index. Raises ``InvalidReference`` for a malformed digest.
        """
        path = self.path(digest)
        try:
            index = open_index(path)
        except errors.ImageNotFound:
            return None
        except errors.CorruptImage:
            _remove(path)
            return None
        if index.digest != digest:
            index.close()
            _remove(path)
            return None
        # The modification time records the last use: with relatime, access times lag by a day.
        with contextlib.suppress(OSError):  # a read-only cache still serves, without an order of use
            os.utime(path)
        return index

    def build(self, digest: str, layers: Layers) -> ImageIndex:
        """Open the index of ``digest``, first building it from ``layers`` if the cache has none.

        Blocks while another process builds an image with the same lock. The caller closes the index.
        Raises ``CorruptImage`` or ``ImageError`` as ``build_index`` does.
        """
        with self._locked(digest):
            found = self.get(digest)
            if found is not None:
                return found
            build_index(digest, layers, self.path(digest), limits=self._limits)
            index = open_index(self.path(digest))
        self._evict(keep=self.path(digest))
        return index

    @contextlib.contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        # flock(2) locks end with the process, so a crashed builder never blocks the next one.
        name = f"lock-{int(self.path(digest).stem[-2:], 16) % LOCKS:x}"
        try:
            fd = os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise errors.ImageError(f"cannot lock the image cache {self._directory}: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _evict(self, *, keep: Path) -> None:
        # Most recently used first; every file beyond the running total of max_bytes goes. Eviction
        # takes no lock: a process whose index was evicted builds it again.
        used = sorted(_sizes(self._directory.glob(f"*{SUFFIX}")), reverse=True)
        total = 0
        for _, size, path in used:
            total += size
            if total > self._max_bytes and path != keep:
                path.unlink(missing_ok=True)
        for changed, _, path in _sizes(self._directory.glob(".new-*")):
            if changed < time.time() - ABANDONED_SECONDS:
                path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _sizes(paths: Iterator[Path]) -> Iterator[tuple[float, int, Path]]:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            info = path.stat()
            yield info.st_mtime, info.st_size, path
