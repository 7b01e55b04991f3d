"""The kernel side's tables of what to block: their keys and values (``bpf/driftline.h``)."""

from __future__ import annotations

import enum
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from driftline.events import Subject
from driftline.image import ImageIndex
from driftline.image.entry import Kind
from driftline.policy import Blocking
from driftline.sensor.bpf.libbpf import BpfObject
from driftline.sensor.bpf.path_hash import hash_name, hash_path, is_hashable
from driftline.sensor.bpf.records import CGROUP_REF, Cgroup, kernel_device
from driftline.verdict import FileFacts

__all__ = [
    "BLOCK_POLICY",
    "CACHED_VERDICT",
    "GUARDS",
    "HASH_KEY",
    "KILLED_KEY",
    "VERDICT_KEY",
    "BlockMaps",
    "LoadedImage",
    "Subjects",
    "bits",
    "unguard",
]

BLOCK_POLICY = struct.Struct("=II6HI")
HASH_KEY = struct.Struct("=QII")
VERDICT_KEY = struct.Struct("=QQII")
CACHED_VERDICT = struct.Struct("=QQII")
_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
KILLED_KEY = struct.Struct("=QQ")

GUARDS = frozenset(("guard_exec", "guard_sys_exit"))
"""Programs that are attached only while a rule fails closed."""

Subjects = frozenset[Subject]


class _Kind(enum.IntEnum):
    NAME = 1
    PATH = 2
    DIRECTORY = 3
    SIZE = 4


class _Flag(enum.IntFlag):
    NONE = 0
    HAS_LONG_PATHS = 1 << 0
    HAS_DIRECTORIES = 1 << 1


_BITS = {Subject.BINARY: 1, Subject.SCRIPT: 2, Subject.LIBRARY: 4, Subject.LOADER: 8}


def bits(subjects: Iterable[Subject]) -> int:
    """Give the mask of ``enum subject``."""
    return sum(_BITS[subject] for subject in subjects)


class LoadedImage(msgspec.Struct, frozen=True):
    """One image's files, as they lie in the kernel."""

    id: int
    keys: bytes
    has_long_paths: bool


class BlockMaps:
    """Writes the tables. Any thread may; each entry is one system call and whole."""

    def __init__(self, bpf: BpfObject, seed: int) -> None:
        self._bpf = bpf
        self._seed = seed
        self._armed: bytes | None = None
        self._policies: dict[bytes, bytes] = {}
        self._missing: frozenset[bytes] = frozenset()

    def arm(self, is_armed: bool) -> None:
        """Turn all blocking on or off."""
        self._armed = _U32.pack(is_armed)
        self._bpf.update("armed", _U32.pack(0), self._armed)

    def set_policy(self, cgroup: Cgroup, blocking: Blocking, *, owner: int, image: LoadedImage | None) -> None:
        """Put a container's policy in force; ``allow`` comes before. Raises ``OSError`` when full."""
        flags = _Flag.HAS_DIRECTORIES if blocking.directories else _Flag.NONE
        if image and image.has_long_paths:
            flags |= _Flag.HAS_LONG_PATHS
        masks = (
            blocking.subjects,
            blocking.fail_closed,
            blocking.first_process,
            blocking.undecidable,
            blocking.relocated,
        )
        value = BLOCK_POLICY.pack(owner, image.id if image else 0, *map(bits, masks), flags, 0)
        key = CGROUP_REF.pack(*cgroup)
        self._bpf.update("blocking", key, value)
        self._policies[key] = value

    def clear_policy(self, cgroup: Cgroup) -> None:
        """End blocking in a cgroup."""
        key = CGROUP_REF.pack(*cgroup)
        self._policies.pop(key, None)
        self._bpf.delete("blocking", key)

    def tampering(self) -> list[str]:
        """Say which entries others changed since they were written, and write them again.

        Not from two threads at once, nor while a policy is set.
        """
        found = {key: self._bpf.lookup("blocking", key, BLOCK_POLICY.size) for key in self._policies}
        # The kernel side deletes a cgroup's entry with the cgroup, a while before this side hears of it.
        missing = frozenset(key for key, value in found.items() if value is None)
        gone, self._missing = missing & self._missing, missing
        changed = gone | {key for key, value in found.items() if value not in (None, self._policies[key])}
        for key in changed:
            self._bpf.update("blocking", key, self._policies[key])
        cgroups = [f"the rules of cgroup {CGROUP_REF.unpack(key)} were changed by somebody else" for key in changed]
        return cgroups + self._disarming()

    def _disarming(self) -> list[str]:
        if self._armed is None or self._bpf.lookup("armed", _U32.pack(0), _U32.size) == self._armed:
            return []
        self._bpf.update("armed", _U32.pack(0), self._armed)
        return ["the kernel's switch for all blocking was turned by somebody else"]

    def allow(self, blocking: Blocking, owner: int) -> list[bytes]:
        """Enter allow lists as those of ``owner``; gives the keys, to forget them by."""
        entries = {
            **self._entries(blocking.names, _Kind.NAME, owner),
            **self._entries(blocking.paths, _Kind.PATH, owner),
            **self._entries(blocking.directories, _Kind.DIRECTORY, owner),
        }
        for key, subjects in entries.items():
            self._bpf.update("allowed", key, _U32.pack(bits(subjects)))
        return list(entries)

    def _entries(self, allowed: Mapping[str, Subjects], kind: _Kind, owner: int) -> dict[bytes, Subjects]:
        digest = hash_name if kind == _Kind.NAME else hash_path
        return {HASH_KEY.pack(digest(os.fsencode(key), self._seed), owner, kind): allowed[key] for key in allowed}

    def disallow(self, keys: Iterable[bytes]) -> None:
        """Delete what ``allow`` entered."""
        for key in keys:
            self._bpf.delete("allowed", key)

    def cache_verdict(self, file: FileFacts, owner: int, subject: Subject, *, is_trusted: bool) -> None:
        """Say what is known of a file, as long as its ctime and size stay."""
        key = VERDICT_KEY.pack(file.inode, kernel_device(file.device), owner, 0)
        known = self._bpf.lookup("verdict_cache", key, CACHED_VERDICT.size)
        ctime, size, trusted, untrusted = CACHED_VERDICT.unpack(known) if known else (0, 0, 0, 0)
        if (ctime, size) != (file.ctime_ns, file.size):
            trusted = untrusted = 0
        bit = _BITS[subject]
        trusted, untrusted = (trusted | bit, untrusted & ~bit) if is_trusted else (trusted & ~bit, untrusted | bit)
        self._bpf.update("verdict_cache", key, CACHED_VERDICT.pack(file.ctime_ns, file.size, trusted, untrusted))

    def add_image(self, index: ImageIndex, number: int) -> LoadedImage:
        """Enter an image's files as image ``number``. Raises ``OSError`` when they do not fit."""
        entries: dict[bytes, int] = {}
        has_long_paths = False
        for entry in index:
            if entry.kind != Kind.FILE:
                continue
            entries[HASH_KEY.pack(entry.size, number, _Kind.SIZE)] = entry.size
            if is_hashable(entry.path):
                entries[HASH_KEY.pack(hash_path(entry.path, self._seed), number, _Kind.PATH)] = entry.size
            else:
                has_long_paths = True
        loaded = LoadedImage(number, b"".join(entries), has_long_paths)
        try:
            self._bpf.update_many("image_files", loaded.keys, b"".join(map(_U64.pack, entries.values())), len(entries))
        except OSError:
            self.remove_image(loaded)
            raise
        return loaded

    def remove_image(self, loaded: LoadedImage) -> None:
        """Delete what ``add_image`` entered."""
        for at in range(0, len(loaded.keys), HASH_KEY.size):
            self._bpf.delete("image_files", loaded.keys[at : at + HASH_KEY.size])

    def was_killed(self, inode: int, pid: int) -> bool:
        """Tell whether a process was killed for mapping a file."""
        return self._bpf.lookup("killed", KILLED_KEY.pack(inode, pid), _U32.size) is not None

    def guard(self, folder: Path) -> None:
        """Keep the guards at work when this process is gone: pin them in ``folder``.

        Those of a former sensor there give way. Raises ``UnsupportedHost``.
        """
        for program in GUARDS:
            self._bpf.attach(program)
        unguard(folder)
        for program in GUARDS:
            self._bpf.pin(program, str(folder / program))

    def unguard(self, folder: Path) -> None:
        """End the guards."""
        unguard(folder)
        for program in GUARDS:
            self._bpf.detach(program)


def unguard(folder: Path) -> None:
    """Remove the guards that a sensor, gone or not, has pinned in ``folder``."""
    for program in GUARDS:
        (folder / program).unlink(missing_ok=True)
