"""Indexes on disk, one file for each image digest.

A file appears under its name complete (``format.write``), so readers need no lock. Builders of
the same image take one of 16 locks, chosen by the digest, so that the second finds what the
first built; the lock files are never removed, hence never raced over. The oldest used files go
when the cache outgrows its bound; whoever has one open keeps it.
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
LOCKS = 16
ABANDONED = 3600  # seconds after which a half-written file belongs to nobody


class ImageCache:
    """The indexes below ``directory``, together at most ``max_bytes``; it is made if missing."""

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
        """Give where the index of ``digest`` is or would be; raises ``InvalidReference``."""
        if not DIGEST.fullmatch(digest):
            raise errors.InvalidReference(f"not an image digest: {digest!r}; expected sha256:<64 hexadecimal digits>")
        return self._directory / (digest.replace(":", "-") + SUFFIX)

    def get(self, digest: str) -> ImageIndex | None:
        """Open the index of ``digest``; None if there is none, or a damaged one, which goes."""
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
        with contextlib.suppress(OSError):  # a read-only cache still serves; only its order of use is lost
            os.utime(path)
        return index

    def build(self, digest: str, layers: Layers) -> ImageIndex:
        """Open the index of ``digest``, reading ``layers`` first if it is not there yet."""
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
        used = sorted(_sizes(self._directory.glob(f"*{SUFFIX}")), reverse=True)
        total = 0
        for _, size, path in used:
            total += size
            if total > self._max_bytes and path != keep:
                path.unlink(missing_ok=True)
        for changed, _, path in _sizes(self._directory.glob(".new-*")):
            if changed < time.time() - ABANDONED:
                path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _sizes(paths: Iterator[Path]) -> Iterator[tuple[float, int, Path]]:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            info = path.stat()
            yield info.st_mtime, info.st_size, path
