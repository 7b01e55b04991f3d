"""eBPF maps of the blocking rules: layouts of keys and values, reads and writes.

The layouts are those of ``bpf/driftline.h``; ``bpf/lib/block.h`` reads the maps at each exec, open and mapping:

- ``armed``: emergency switch, one entry.
- ``blocking``: cgroup → policy of its container (``BLOCK_POLICY``). Names the numbers below.
- ``allowed``: allow lists, keyed by hash and the policy's number.
- ``verdict_cache``: verdicts of user space, keyed by file and the policy's number.
- ``image_files``: paths and sizes of an image's files, keyed by hash and the image's number.
- ``killed``: processes killed for a mapping, written by the kernel side.

All entries of one compilation of a container's rules carry its number. The ``blocking`` entry that refers to the
number is written last and in one system call, so that no exec sees half a policy.
"""

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
    "MAPPED_KEY",
    "UNKNOWN_PODS",
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
MAPPED_KEY = struct.Struct("=QQ")

UNKNOWN_PODS = Cgroup(0, 0)
"""Key of the policy of pods whose cgroups the sensor has not seen."""
GUARDS = frozenset(("guard_cgroup_rmdir", "guard_exec", "guard_sys_exit"))
"""Names of the BPF programs that enforce rules with ``failClosed``. They are attached only while such a rule is in
force, and pinned, so that they keep blocking after the sensor has ended."""

Subjects = frozenset[Subject]


class _Kind(enum.IntEnum):
    # enum hash_kind of driftline.h: the meaning of a key's hash field.
    NAME = 1
    PATH = 2
    DIRECTORY = 3
    SIZE = 4


class _Flag(enum.IntFlag):
    # Flags of struct block_policy in driftline.h.
    NONE = 0
    HAS_LONG_PATHS = 1 << 0
    HAS_DIRECTORIES = 1 << 1


_BITS = {Subject.BINARY: 1, Subject.SCRIPT: 2, Subject.LIBRARY: 4, Subject.LOADER: 8}


def bits(subjects: Iterable[Subject]) -> int:
    """Return the bit mask of ``enum subject`` (``bpf/driftline.h``) for a set of subjects."""
    return sum(_BITS[subject] for subject in subjects)


class LoadedImage(msgspec.Struct, frozen=True):
    """The entries of one image in the map ``image_files``."""

    id: int
    """Number of the image, part of each key."""
    keys: bytes
    """All keys (``HASH_KEY``), end to end, for their removal."""
    has_long_paths: bool
    """Whether some paths exceed ``path_hash.MAX_PATH_BYTES`` or ``MAX_COMPONENTS`` and have no entry."""


class BlockMaps:
    """Writer of the blocking maps.

    Any thread may call it, except where a method says otherwise: each entry is written by one system call, and a
    BPF program sees either the old or the new value.
    """

    def __init__(self, bpf: BpfObject, seed: int) -> None:
        """Take the loaded object, and the secret seed of the path hashes (``path_hash``)."""
        self._bpf = bpf
        self._seed = seed
        self._armed: bytes | None = None
        self._policies: dict[bytes, bytes] = {}
        self._missing: frozenset[bytes] = frozenset()

    def arm(self, is_armed: bool) -> None:
        """Enable or disable all blocking on this node."""
        self._armed = _U32.pack(is_armed)
        self._bpf.update("armed", _U32.pack(0), self._armed)

    def set_policy(self, cgroup: Cgroup, blocking: Blocking, *, owner: int, image: LoadedImage | None) -> None:
        """Set the policy of a container's cgroup.

        ``owner`` is the number under which ``allow`` and ``cache_verdict`` have written, before this call.
        ``image`` is ``None`` while the image's files are not loaded. Raises ``OSError`` if the map is full.
        """
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
        """Remove the policy of a cgroup; it need not have one."""
        key = CGROUP_REF.pack(*cgroup)
        self._policies.pop(key, None)
        self._bpf.delete("blocking", key)

    def tampering(self) -> list[str]:
        """Restore entries that another process changed; return a sentence for each change.

        Not thread-safe: call it from the thread that sets policies.
        """
        found = {key: self._bpf.lookup("blocking", key, BLOCK_POLICY.size) for key in self._policies}
        # The kernel side deletes the entry with the cgroup, and the record of that arrives later. Only an entry that
        # is missing at two calls in a row was deleted by another process.
        missing = frozenset(key for key, value in found.items() if value is None)
        gone, self._missing = missing & self._missing, missing
        changed = gone | {key for key, value in found.items() if value not in (None, self._policies[key])}
        for key in changed:
            self._bpf.update("blocking", key, self._policies[key])
        cgroups = [f"the rules of cgroup {CGROUP_REF.unpack(key)} were changed by somebody else" for key in changed]
        return cgroups + self._disarming()

    # The switch is compared as well: without it, no policy blocks, whatever the other maps hold.
    def _disarming(self) -> list[str]:
        if self._armed is None or self._bpf.lookup("armed", _U32.pack(0), _U32.size) == self._armed:
            return []
        self._bpf.update("armed", _U32.pack(0), self._armed)
        return ["the kernel's switch for all blocking was turned by somebody else"]

    def allow(self, blocking: Blocking, owner: int) -> list[bytes]:
        """Write the allow lists of a policy under the number ``owner``.

        Returns the written keys, for ``disallow``. Raises ``OSError`` if the map is full.
        """
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
        """Delete the allow-list entries with these keys."""
        for key in keys:
            self._bpf.delete("allowed", key)

    def cache_verdict(self, file: FileFacts, owner: int, subject: Subject, *, is_trusted: bool) -> None:
        """Cache in the kernel whether a file is trusted as ``subject`` in a container.

        The entry counts only while ctime and size of the file are unchanged. A file can have a verdict for each
        subject (run as a program, read as a script …): bits for other subjects of the same version stay.
        """
        key = VERDICT_KEY.pack(file.inode, kernel_device(file.device), owner, 0)
        known = self._bpf.lookup("verdict_cache", key, CACHED_VERDICT.size)
        ctime, size, trusted, untrusted = CACHED_VERDICT.unpack(known) if known else (0, 0, 0, 0)
        # Verdicts of another version of the file say nothing about this one.
        if (ctime, size) != (file.ctime_ns, file.size):
            trusted = untrusted = 0
        bit = _BITS[subject]
        trusted, untrusted = (trusted | bit, untrusted & ~bit) if is_trusted else (trusted & ~bit, untrusted | bit)
        self._bpf.update("verdict_cache", key, CACHED_VERDICT.pack(file.ctime_ns, file.size, trusted, untrusted))

    def add_image(self, index: ImageIndex, number: int) -> LoadedImage:
        """Write the files of an image under the number ``number``.

        One entry for each size and for each path: a file with a size or path that the image lacks is certainly not
        image content. Raises ``OSError`` if the map is full; no entry of the image remains then.
        """
        entries: dict[bytes, int] = {}
        has_long_paths = False
        for entry in index:
            if entry.kind != Kind.FILE:
                continue
            # Sizes decide for relocated content: a file whose size no image file has is certainly not in the image.
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
        """Delete the entries of an image."""
        for at in range(0, len(loaded.keys), HASH_KEY.size):
            self._bpf.delete("image_files", loaded.keys[at : at + HASH_KEY.size])

    def was_killed(self, inode: int, pid: int) -> bool:
        """Return whether the kernel side killed the process ``pid`` for mapping the file ``inode``."""
        return self._bpf.lookup("killed", MAPPED_KEY.pack(inode, pid), _U32.size) is not None

    def guard(self, folder: Path) -> None:
        """Attach the guards and pin them in ``folder``, so that they outlive this process.

        ``folder`` is on a BPF file system. Pins of an earlier sensor are replaced after the new guards are
        attached, so that blocking has no gap. Raises ``UnsupportedHost``.
        """
        # Attach, remove the old pins, pin: at every moment one of both generations is attached.
        for program in GUARDS:
            self._bpf.attach(program)
        unguard(folder)
        for program in GUARDS:
            self._bpf.pin(program, str(folder / program))

    def unguard(self, folder: Path) -> None:
        """Unpin and detach the guards."""
        unguard(folder)
        for program in GUARDS:
            self._bpf.detach(program)


def unguard(folder: Path) -> None:
    """Unpin the guards in ``folder``, also those of a sensor that has ended; missing pins are no error."""
    for program in GUARDS:
        (folder / program).unlink(missing_ok=True)
