"""Cache of the server's policy in the sensor's state directory, for the time that the server is away.

The shipping process (``shipping/policy_subscriber``) writes the file, the sensor watches it (``watched_file``). The
first line has name and version of the policy and the SHA-256 of the remaining text, so that an edited file is
detected. The digest is no signature: root on the node can compute it as well.
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
"""Name of the cached policy in the state directory."""
LAST_GOOD = "policy.good.yaml"
"""Name of the previous version, which the sensor falls back to if the cached one is unusable at its start."""
_HEAD = re.compile(r"# driftline policy (\S+) version (\d+) sha256:([0-9a-f]{64})\n")


class CachedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a policy of the server."""

    name: str
    """Name of the policy at the server."""
    version: int
    """Number of the version."""
    text: str
    """The policy as YAML."""

    @property
    def label(self) -> str:
        """Name and version as the sensor reports them, such as ``default:7``."""
        return f"{self.name}:{self.version}"


def write(directory: Path, policy: CachedPolicy, *, runs: str) -> None:
    """Replace the cached policy, durably and atomically; raises ``OSError``.

    The previous version is kept as ``LAST_GOOD`` if it is the one that the sensor ``runs``, by its label: a version
    that the sensor refused never becomes the fallback.
    """
    # An edited cache is never kept: only an intact version can become the last good one.
    former = read_intact(directory / FILE)
    if former and former.label == runs:
        _write(directory / LAST_GOOD, former)
    _write(directory / FILE, policy)


def read_intact(path: Path) -> CachedPolicy | None:
    """Return a cached policy; ``None`` if it is missing, unreadable or edited."""
    try:
        return read(path)
    except InvalidPolicy:
        return None


# The head is one line, so that the text stays valid YAML with a comment before it.
def _write(path: Path, policy: CachedPolicy) -> None:
    data = policy.text.encode()
    head = f"# driftline policy {policy.name} version {policy.version} sha256:{hashlib.sha256(data).hexdigest()}\n"
    replace_file(path, head.encode() + data)


def read(path: Path) -> CachedPolicy | None:
    """Return a cached policy; ``None`` if the file does not exist.

    Raises ``TamperedPolicy`` if the text does not match the digest, ``InvalidPolicy`` if the file cannot be read.
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
