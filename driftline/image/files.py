"""The files of an image on disk: of a directory, or of a tar archive read in place."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from driftline import errors
from driftline.image import blobs, tar
from driftline.image.limits import Budget, Limits

__all__ = ["Archive", "Directory", "Files", "open_archive", "read_document"]

MAX_DOCUMENT = 8 << 20  # manifests, indexes, configs: twice what registries take
MAX_MEMBERS = 100_000
MAX_LINKS = 8


class Files(Protocol):
    """Named files to read."""

    @property
    def place(self) -> str:
        """What to call the whole in messages."""

    def __contains__(self, name: str) -> bool: ...

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; raises ``ImageNotFound`` if it is missing."""


class Directory:
    """The files below a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def __contains__(self, name: str) -> bool:
        return (self._path / name).is_file()

    def open(self, name: str) -> BinaryIO:
        try:
            return (self._path / name).open("rb")
        except FileNotFoundError as error:
            raise errors.ImageNotFound(f"{self.place} has no file {name!r}") from error
        except OSError as error:
            raise errors.ImageError(f"cannot read {self._path / name}: {error.strerror}") from error


class Archive:
    """The members of an uncompressed tar archive, each read where it lies."""

    def __init__(self, file: BinaryIO, place: str) -> None:
        self._file = file
        self.place = place
        self._members: Mapping[str, tar.Member] = _read_members(file, place)

    def __contains__(self, name: str) -> bool:
        return self._locate(name) is not None

    def open(self, name: str) -> BinaryIO:
        member = self._locate(name)
        if member is None:
            raise errors.ImageNotFound(f"{self.place} has no member {name!r}")
        window = _Window(self._file.fileno(), member.offset, member.offset + member.size)
        return cast(BinaryIO, io.BufferedReader(window, 1 << 16))

    def _locate(self, name: str) -> tar.Member | None:
        # docker save before 25.0 writes a layer that two images share once, and symlinks to it.
        for _ in range(MAX_LINKS):
            member = self._members.get(_clean(name))
            if member is None or member.type == b"0":
                return member
            if member.type not in (b"1", b"2"):
                return None
            link = os.fsdecode(member.link)
            name = link if member.type == b"1" else str(PurePosixPath(name).parent / link)
        return None


def _clean(name: str) -> str:
    return os.path.normpath(name).lstrip("/")


def _read_members(file: BinaryIO, place: str) -> dict[str, tar.Member]:
    found: dict[str, tar.Member] = {}
    try:
        for member in tar.members(tar.FileStream(file), hashed=False):
            found[_clean(os.fsdecode(member.name))] = member
            _check_count(len(found))
    except errors.CorruptImage as error:
        raise errors.CorruptImage(f"{place}: {error}") from error
    except OSError as error:
        raise errors.ImageError(f"cannot read {place}: {error.strerror}") from error
    return found


def _check_count(members: int) -> None:
    if members > MAX_MEMBERS:
        raise errors.CorruptImage(f"more than {MAX_MEMBERS} members in the archive of an image")


class _Window(io.RawIOBase):
    # A part of a file, read by pread so that many can be open at once.

    def __init__(self, fd: int, start: int, end: int) -> None:
        super().__init__()
        self._fd, self._at, self._end = fd, start, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        view = memoryview(buffer)[: self._end - self._at]
        count = os.preadv(self._fd, [view], self._at) if view else 0
        self._at += count
        return count


@contextmanager
def open_archive(path: Path, *, limits: Limits | None = None) -> Iterator[Archive]:
    """Open a tar archive; a compressed one is spooled to an unnamed temporary file first.

    Raises ``CorruptImage`` if it is no tar archive, ``ImageError`` if it cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise errors.ImageError(f"cannot read {path}: {error.strerror}") from error
    with file:
        if blobs.is_compressed(file.read(4)):
            with _spooled(path, limits or Limits()) as plain:
                yield Archive(plain, str(path))
        else:
            yield Archive(file, str(path))


@contextmanager
def _spooled(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    blob = blobs.Blob("", "", lambda: path.open("rb"))
    with tempfile.TemporaryFile() as spool:
        try:
            with closing(blobs.open_chunks(blob, Budget(limits))) as chunks:
                spool.writelines(chunks)
            spool.flush()
        except errors.CorruptImage as error:
            raise errors.CorruptImage(f"{path}: {error}") from error
        except OSError as error:
            raise errors.ImageError(f"cannot unpack {path} to {tempfile.gettempdir()}: {error.strerror}") from error
        yield cast(BinaryIO, spool)


def read_document(files: Files, name: str) -> bytes:
    """Read a JSON document whole; raises ``CorruptImage`` for one of absurd size."""
    with files.open(name) as file:
        data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise errors.CorruptImage(f"{files.place}: {name} has more than {MAX_DOCUMENT} bytes")
    return data
