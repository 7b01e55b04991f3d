"""Backups of a store: made while it is written to, verified, restored.

A backup is a directory with the store's files and ``manifest.json``, which names each file with its
size and SHA-256. The manifest is written last, so a backup without one is incomplete.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from driftline.errors import InvalidInput, StoreCorrupt, StoreError
from driftline.store.files.engine import HOT

__all__ = ["MANIFEST", "copy_files", "restore"]

MANIFEST = "manifest.json"


class _File(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class _Manifest(msgspec.Struct, frozen=True):
    files: list[_File]


def copy_files(directory: Path, names: Sequence[str], destination: Path) -> int:
    """Copy files of a store into a new directory, then write the manifest; return the bytes copied.

    ``names`` are relative to ``directory``. The files must not change meanwhile. Raises
    ``InvalidInput`` if the destination exists, ``StoreError`` if copying fails, and ``OSError``.
    """
    if destination.exists():
        raise InvalidInput(f"{destination} exists; expected the name of a new directory")
    for name in names:
        target = destination / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In a process of its own: when a process closes any descriptor of a file, the system drops all its record locks
        # on that file (fcntl(2)), and DuckDB holds such a lock on the database file.
        done = subprocess.run(
            ("cp", "--reflink=auto", "--", directory / name, target), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StoreError(f"the backup failed: {done.stderr.strip()}")
    files = [_describe(destination, name) for name in names]
    _write(destination / MANIFEST, msgspec.json.encode(_Manifest(files)))
    return sum(file.bytes for file in files)


def restore(source: Path, directory: Path) -> int:
    """Make a store from a backup, in a directory that is empty or does not exist; return the bytes copied.

    Raises ``InvalidInput`` if the directory is not empty or the source is no backup, and
    ``StoreCorrupt`` if a file is missing or differs from the manifest; then nothing is restored.
    """
    if directory.exists() and any(directory.iterdir()):
        raise InvalidInput(f"{directory} is not empty; expected a new directory, because nothing is overwritten")
    manifest = _read_manifest(source)
    # Copied beside and renamed at the end: a restore that is cut short leaves no directory that looks like a store.
    unfinished = directory.with_name(directory.name + ".restoring")
    shutil.rmtree(unfinished, ignore_errors=True)
    for file in manifest.files:
        target = unfinished / file.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source / file.name, target)
        if _describe(unfinished, file.name) != file:
            raise StoreCorrupt(f"{source / file.name} differs from the backup's manifest; nothing was restored")
    if directory.exists():
        directory.rmdir()
    unfinished.rename(directory)
    return sum(file.bytes for file in manifest.files)


def _read_manifest(source: Path) -> _Manifest:
    try:
        manifest = msgspec.json.decode((source / MANIFEST).read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"{source} is not a complete backup: its {MANIFEST} cannot be read: {error}") from error
    names = [file.name for file in manifest.files]
    # The manifest is untrusted: its names must not lead out of the two directories.
    if HOT not in names or any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
        raise InvalidInput(f"{source / MANIFEST}: expected names of a store's files")
    missing = [name for name in names if not (source / name).is_file()]
    if missing:
        raise StoreCorrupt(f"{source / missing[0]} is missing from the backup; nothing was restored")
    return manifest


def _describe(directory: Path, name: str) -> _File:
    path = directory / name
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _File(name, path.stat().st_size, digest)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
