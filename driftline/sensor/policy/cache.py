"""The server's policy as a file of the sensor's state directory, so that it holds while the server is away.

The process that ships (``sensor.following``) writes it, the sensor follows it. Its first line says
which version it is, and the digest of what follows: who edits it by hand is found out.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from driftline.atomic_file import replace_file
from driftline.errors import InvalidPolicy, TamperedPolicy

__all__ = ["FILE", "LAST_GOOD", "CachedPolicy", "read", "read_intact", "write"]

FILE = "policy.yaml"
LAST_GOOD = "policy.good.yaml"
"""The version before, as long as nobody knows that the sensor runs the present one."""
_HEAD = re.compile(r"# driftline policy (\S+) version (\d+) sha256:([0-9a-f]{64})\n")


class CachedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the server's policy."""

    name: str
    version: int
    text: str

    @property
    def label(self) -> str:
        """Name and version, as the sensor reports what it runs: ``default:7``."""
        return f"{self.name}:{self.version}"


def write(directory: Path, policy: CachedPolicy, *, runs: str) -> None:
    """Replace the kept policy, durably and in one step; raises ``OSError``.

    If the former one is what the sensor ``runs``, by its label, it stays as the good one.
    """
    former = read_intact(directory / FILE)
    if former and former.label == runs:
        _write(directory / LAST_GOOD, former)
    _write(directory / FILE, policy)


def read_intact(path: Path) -> CachedPolicy | None:
    """Read a kept policy; ``None`` if there is none that is whole."""
    try:
        return read(path)
    except InvalidPolicy:
        return None


def _write(path: Path, policy: CachedPolicy) -> None:
    data = policy.text.encode()
    head = f"# driftline policy {policy.name} version {policy.version} sha256:{hashlib.sha256(data).hexdigest()}\n"
    replace_file(path, head.encode() + data)


def read(path: Path) -> CachedPolicy | None:
    """Read a kept policy; ``None`` if there is none.

    Raises ``TamperedPolicy`` if it is not as it was written, ``InvalidPolicy`` if it cannot be read.
    """
    try:
        head, end, text = path.read_bytes().decode(errors="replace").partition("\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidPolicy(f"cannot read the policy {path}: {error.strerror}") from error
    found = _HEAD.fullmatch(head + end)
    if not found or hashlib.sha256(text.encode()).hexdigest() != found[3]:
        raise TamperedPolicy(f"{path} is not as the server gave it")
    return CachedPolicy(name=found[1], version=int(found[2]), text=text)
