"""Backup and restore of all that a server has: event store, state, and certificate authority.

A backup is a directory: ``store/`` is a backup of the event store, ``state.db`` a copy of the state, ``pki/`` the
authority, whose key is encrypted by a passphrase, and ``manifest.json`` names the other files with their SHA-256. The
manifest is written last, so a backup without one is incomplete. The server may run meanwhile. The state is copied
first, so that the restored server counts the alerts of rows that were stored after it.

Sensors trust the authority, not the machine: with it, a restored server that has the name of the former one takes over
its fleet.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from driftline.atomic_file import replace_file
from driftline.errors import InvalidInput, StateError
from driftline.server import pki
from driftline.server.state import State
from driftline.store.files import backup as store_backup
from driftline.store.process.reader import is_store, open_reader

__all__ = ["back_up", "restore"]

PASSPHRASE_LEAST = 12
"""Fewest characters of a passphrase."""
_MANIFEST = "manifest.json"
_STATE, _STORE, _PKI = "state.db", "store", "pki"
_AUTHORITY, _KEY = "ca.pem", "ca.key"


class _Manifest(msgspec.Struct, frozen=True):
    version: int
    files: dict[str, str]
    """SHA-256 in hexadecimal by path."""


def back_up(destination: Path, *, url: str, data: Path, store: Path, passphrase: str) -> int:
    """Write a backup to a new directory; return its bytes.

    ``url`` is that of the state's database, ``data`` the directory of the server's state, ``store`` that of the event
    store, which may not exist yet. Raises ``InvalidInput``, ``StateError`` and ``StoreError``.
    """
    if destination.exists():
        raise InvalidInput(f"{destination} exists; expected the name of a new directory")
    if len(passphrase) < PASSPHRASE_LEAST:
        raise InvalidInput(f"expected a passphrase of at least {PASSPHRASE_LEAST} characters")
    if not (data / _STATE).exists() and url.startswith("sqlite"):
        raise InvalidInput(f"{data} has no {_STATE}; expected the data directory of a server")
    destination.mkdir(mode=0o700, parents=True)
    State(url).copy_to(destination / _STATE)
    if (data / _PKI / _AUTHORITY).exists():
        _copy_authority(data / _PKI, destination / _PKI, passphrase)
    if is_store(store):
        with open_reader(store) as reader:
            reader.backup(destination / _STORE)
    files = {str(path.relative_to(destination)): _digest(path) for path in _files(destination)}
    replace_file(destination / _MANIFEST, msgspec.json.encode(_Manifest(1, files)))
    return sum(path.stat().st_size for path in _files(destination))


def restore(source: Path, *, data: Path, store: Path, passphrase: str) -> None:
    """Make the directories of a server from a backup; neither may have files.

    Raises ``InvalidInput`` for an incomplete or changed backup, a wrong passphrase, and directories that have files;
    then nothing is restored. Raises ``StoreError`` for a damaged store, and ``StateError``.
    """
    for directory in (data, store):
        if directory.exists() and any(directory.iterdir()):
            raise InvalidInput(f"{directory} is not empty; expected a new directory, because nothing is overwritten")
    _check(source)
    key = _decrypted(source / _PKI / _KEY, passphrase)
    if (source / _STORE).exists():
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store_backup.restore(source / _STORE, store)
    # The state comes last: a restore that is cut short leaves a directory in which no server was.
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if key:
        (data / _PKI).mkdir(mode=0o700)
        replace_file(data / _PKI / _KEY, key)
        replace_file(data / _PKI / _AUTHORITY, (source / _PKI / _AUTHORITY).read_bytes())
        _copy_former(source / _PKI, data / _PKI)
    shutil.copyfile(source / _STATE, data / f"{_STATE}.new")
    (data / f"{_STATE}.new").rename(data / _STATE)


def _copy_authority(source: Path, destination: Path, passphrase: str) -> None:
    destination.mkdir(mode=0o700)
    try:
        certificate = (source / _AUTHORITY).read_bytes()
        key = serialization.load_pem_private_key((source / _KEY).read_bytes(), None)
    except (OSError, ValueError) as error:
        raise StateError(f"cannot read the certificate authority in {source}: {error}") from error
    encryption = serialization.BestAvailableEncryption(passphrase.encode())
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    replace_file(destination / _AUTHORITY, certificate)
    replace_file(destination / _KEY, text)
    _copy_former(source, destination)


# Certificates of an authority that was replaced, without which sensors that know it alone would not trust the server.
def _copy_former(source: Path, destination: Path) -> None:
    for name in (pki.FORMER, pki.CROSS):
        if (source / name).exists():
            replace_file(destination / name, (source / name).read_bytes())


# None for the backup of a server without an authority.
def _decrypted(path: Path, passphrase: str) -> bytes | None:
    if not path.exists():
        return None
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
        certificate = x509.load_pem_x509_certificate(path.with_name(_AUTHORITY).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput("the passphrase is not that of the backup; nothing was restored") from error
    if key.public_key() != certificate.public_key():
        raise InvalidInput(f"{path} is not the key of its certificate; nothing was restored")
    return pki.private_pem(key)


def _check(source: Path) -> None:
    try:
        manifest = msgspec.json.decode((source / _MANIFEST).read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"{source} is not a complete backup: its {_MANIFEST} cannot be read: {error}") from error
    found = {str(path.relative_to(source)): path for path in _files(source)}
    if manifest.version != 1 or _STATE not in manifest.files or set(found) != set(manifest.files):
        raise InvalidInput(f"{source}: expected exactly the files of its {_MANIFEST}; nothing was restored")
    for name, digest in manifest.files.items():
        if _digest(found[name]) != digest:
            raise InvalidInput(f"{source / name} differs from the backup's manifest; nothing was restored")


# All files but the manifest; symbolic links are none of a backup.
def _files(directory: Path) -> list[Path]:
    found = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if path != directory / _MANIFEST)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
