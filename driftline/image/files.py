"""Named files of an image on disk: a directory, or a tar archive read in location."""

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

# Bytes of a manifest, index or configuration: twice the 4 MiB that distribution-spec asks registries for.
MAX_DOCUMENT = 8 << 20
MAX_MEMBERS = 100_000  # members of an image archive: some per layer, so far beyond 500 layers
MAX_LINKS = 8  # links from one member to the next; Docker's have one


class Files(Protocol):
    """Read-only access to named files; names are relative paths with ``/``."""

    @property
    def location(self) -> str:
        """Path of the directory or archive, for error messages."""

    def __contains__(self, name: str) -> bool: ...

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading; the caller closes it.

        Raises ``ImageNotFound`` if there is no such file, ``ImageError`` if it cannot be read.
        """


class Directory:
    """Files below a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.location = str(path)

    def __contains__(self, name: str) -> bool:
        return (self._path / name).is_file()

    def open(self, name: str) -> BinaryIO:
        try:
            return (self._path / name).open("rb")
        except FileNotFoundError as error:
            raise errors.ImageNotFound(f"{self.location} has no file {name!r}") from error
        except OSError as error:
            raise errors.ImageError(f"cannot read {self._path / name}: {error.strerror}") from error


class Archive:
    """Members of an uncompressed tar archive, read in location.

    Only the headers are read when the archive is opened. ``file`` stays in use until the last member
    is closed. The constructor raises ``CorruptImage`` if ``file`` is not a tar archive.
    """

    def __init__(self, file: BinaryIO, location: str) -> None:
        self._file = file
        self.location = location
        self._members: Mapping[str, tar.Member] = _read_members(file, location)

    def __contains__(self, name: str) -> bool:
        return self._locate(name) is not None

    def open(self, name: str) -> BinaryIO:
        member = self._locate(name)
        if member is None:
            raise errors.ImageNotFound(f"{self.location} has no member {name!r}")
        window = _Window(self._file.fileno(), member.offset, member.offset + member.size)
        return cast(BinaryIO, io.BufferedReader(window, 1 << 16))

    def _locate(self, name: str) -> tar.Member | None:
        # Before 25.0, docker save stores a layer that two images share once, and a symlink to it.
        for _ in range(MAX_LINKS):
            member = self._members.get(_clean(name))
            if member is None or member.type == b"0":
                return member
            if member.type not in (b"1", b"2"):
                return None
            link = os.fsdecode(member.link)
            name = link if member.type == b"1" else str(PurePosixPath(name).parent / link)
        return None


# Archives write "./index.json" and "index.json" alike; names never lead out of the archive, since
# they are only keys of the member table.
def _clean(name: str) -> str:
    return os.path.normpath(name).lstrip("/")


def _read_members(file: BinaryIO, location: str) -> dict[str, tar.Member]:
    found: dict[str, tar.Member] = {}
    try:
        for member in tar.members(tar.FileStream(file), hashed=False):
            found[_clean(os.fsdecode(member.name))] = member
            _check_count(len(found))
    except errors.CorruptImage as error:
        raise errors.CorruptImage(f"{location}: {error}") from error
    except OSError as error:
        raise errors.ImageError(f"cannot read {location}: {error.strerror}") from error
    return found


def _check_count(members: int) -> None:
    if members > MAX_MEMBERS:
        raise errors.CorruptImage(f"more than {MAX_MEMBERS} members in the archive of an image")


class _Window(io.RawIOBase):
    # A range of a file. pread(2) has no shared position, so several members can be open at once.

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
    """Open a tar archive; decompress a gzip or zstd one to an unnamed temporary file first.

    ``limits`` bounds the decompressed size; it defaults to ``Limits()``. Raises ``CorruptImage`` if
    the file is not a tar archive, ``ImageError`` if it cannot be read or the disk is full.
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
# Members are read at offsets in any order, which a compressed stream cannot do.
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
    """Read a JSON document whole; raise ``CorruptImage`` if it has more than ``MAX_DOCUMENT`` bytes."""
    with files.open(name) as file:
        data = file.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise errors.CorruptImage(f"{files.location}: {name} has more than {MAX_DOCUMENT} bytes")
    return data
