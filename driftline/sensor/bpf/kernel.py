"""The kernel side of the sensor: the loaded BPF programs, their ring buffers and maps.

User space reads records from two rings (``records.decode``) and tells the programs, through maps, what they cannot
know: containers and interpreters that ran before the sensor, and the blocking rules (``block_maps``).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from driftline.sensor.bpf import libbpf, records
from driftline.sensor.bpf.block_maps import GUARDS, MAPPED_KEY, BlockMaps
from driftline.sensor.bpf.records import Cgroup, Clock, LossReason, ProcessKey
from driftline.verdict import INTERPRETERS
from driftline.verdict.facts import FileFacts, Writer
from driftline.verdict.interpreters import NAME_BYTES, Kind

__all__ = ["OBJECT", "KernelSide", "host_mnt_ns"]

OBJECT = Path(__file__).with_name("driftline.bpf.o")
"""The compiled eBPF object, part of the wheel."""

_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_FILE_KEY = struct.Struct("=QQ")
_PROCESS_KEY = struct.Struct("=QQ")


def host_mnt_ns() -> int:
    """Return the inode number of the node's own mount namespace.

    That is the mount namespace of process 1. If process 1 has capabilities that the sensor lacks, the access check
    of ptrace(2) hides its namespaces (namespaces(7)); the sensor then runs directly on the node, not in a pod, and
    its own mount namespace is the node's.
    """
    try:
        return Path("/proc/1/ns/mnt").stat().st_ino
    except PermissionError:
        return Path("/proc/self/ns/mnt").stat().st_ino


# The file lists "bpf" if the kernel was built with CONFIG_BPF_LSM and has it in the boot parameter lsm= or in
# CONFIG_LSM (Documentation/admin-guide/LSM/index.rst).
def _has_bpf_lsm() -> bool:
    try:
        return "bpf" in Path("/sys/kernel/security/lsm").read_text().strip().split(",")
    except OSError:
        return False


class KernelSide:
    """The attached BPF programs, from load to ``close``. Use as a context manager."""

    def __init__(self, *, watch_hosts: bool = False, provenance: bool = True) -> None:
        """Load and attach the programs.

        ``watch_hosts`` reports processes of the node as well as those of containers. ``provenance`` attaches the
        program on ``sys_exit``, which records the writers of files and the scripts that interpreters read; it adds
        some tens of nanoseconds to every system call on the node. Raises ``UnsupportedHost``.
        """
        self.watch_hosts = watch_hosts
        self._has_provenance = provenance
        self.host_mnt_ns = host_mnt_ns()
        seed = secrets.randbits(64)  # of the path hashes; never leaves this process and the kernel
        settings = records.SETTINGS.pack(self.host_mnt_ns, watch_hosts, os.getpid(), 0, seed)
        without = frozenset() if provenance else frozenset({"on_sys_exit"})
        self.can_deny = _has_bpf_lsm()
        """Whether a blocked exec fails with EPERM (BPF LSM); otherwise its process is killed."""
        without |= frozenset() if self.can_deny else frozenset({"deny_exec"})
        self._object = libbpf.BpfObject(OBJECT, settings=settings, without=without, later=GUARDS)
        for interpreter in INTERPRETERS:
            for name in interpreter.names:
                key = name[:NAME_BYTES].ljust(NAME_BYTES + 1, b"\0")
                self._object.update("interpreter_names", key, _U32.pack(interpreter.kinds))
        self.blocking = BlockMaps(self._object, seed)
        self._cpus = libbpf.possible_cpus()
        self.exec_ring = libbpf.RingBuffer(self._object.map_fd("exec_ring"))
        self.file_ring = libbpf.RingBuffer(self._object.map_fd("file_ring"))

    def tampering(self) -> Iterable[str]:
        """Return a sentence for each program that was detached and each map entry that was changed from outside."""
        detached = (f"its program {name} is not attached any more" for name in self._object.detached())
        return [*detached, *self.blocking.tampering()]

    def lost(self, reason: LossReason) -> int:
        """Return the number of losses for one reason since the load, over all CPUs."""
        return self._per_cpu_sum("losses", _U32.pack(reason))

    def take_losses_by_cgroup(self) -> dict[Cgroup, tuple[int, bytes]]:
        """Return the number of lost exec records by cgroup, with the cgroup's path, and reset the counts."""
        taken = {}
        for key in self._object.keys("losses_by_cgroup", records.CGROUP_REF.size):
            # A loss between lookup and delete is missing here; ``lost`` counts it nevertheless.
            value = self._object.lookup("losses_by_cgroup", key, records.CGROUP_LOSS.size)
            self._object.delete("losses_by_cgroup", key)
            if value:
                taken[Cgroup(*records.CGROUP_REF.unpack(key))] = records.decode_loss(value)
        return taken

    def set_root(self, cgroup: Cgroup, device: int, *, first: ProcessKey) -> None:
        """Set root device (an ``st_dev``) and first process of a container that ran before the sensor.

        For containers that start later, the program on exec sets both at the container's first exec.
        """
        value = records.ROOT.pack(records.kernel_device(device), 0, first.start_ns, first.pid)
        self._object.update("roots", records.CGROUP_REF.pack(*cgroup), value)

    def add_container(self, cgroup: Cgroup) -> None:
        """Mark a cgroup as a container's. The kernel side removes the mark with the cgroup."""
        with contextlib.suppress(OSError):  # map full: its processes are still recognized by their mount namespace
            self._object.update("containers", records.CGROUP_REF.pack(*cgroup), _U32.pack(1))

    def add_interpreter(self, inode: int, device: int, kinds: Kind) -> None:
        """Mark a file as an interpreter, for a process that ran before the sensor. ``device`` is an ``st_dev``."""
        self._object.update("interpreters", _FILE_KEY.pack(inode, records.kernel_device(device)), _U32.pack(kinds))

    def writer_args(self, writer: Writer) -> tuple[bytes, ...]:
        """Return the arguments that a writer had when it wrote; empty if they are not known any more."""
        found = self._object.lookup("writer_args", records.writer_key(writer), records.WRITER_ARGS.size)
        return records.decode_args(found) if found else ()

    def mapped(self, inode: int, pid: int, *, fs_path: bytes, path: bytes, clock: Clock) -> FileFacts | None:
        """Return the facts of a file at its executable mapping by ``pid``; ``None`` if mmap(2) was not seen.

        An unchanged image file has none either. The paths become those of the facts.
        """
        found = self._object.lookup("mapped", MAPPED_KEY.pack(inode, pid), records.FACTS.size)
        return records.decode_mapped(found, fs_path, path, clock) if found else None

    def is_unwritten(self, file: FileFacts, since: int) -> bool:
        """Return whether it is proven that no process changed an executed file since ``since`` (boot-time ns).

        Not proven: files that were not executed, after any call that may have changed a file unseen (io_uring,
        asynchronous I/O, truncate(2)), and without provenance.
        """
        if not self._has_provenance:
            return False
        unseen = self._object.lookup("unseen_write", _U32.pack(0), _U64.size)
        found = self._object.lookup("unwritten", file.kernel_key, _U64.size) if file.kernel_key else None
        return bool(found and unseen and _U64.unpack(found)[0] <= since and _U64.unpack(unseen)[0] < since)

    def session(self, pid: int, start_ns: int) -> ProcessKey | None:
        """Return the first process of the exec session of a running process; ``None`` outside of sessions.

        ``start_ns`` is the exact time of its fork, from a record.
        """
        found = self._object.lookup("sessions", _PROCESS_KEY.pack(start_ns, pid), _PROCESS_KEY.size)
        if found is None:
            return None
        start, tgid = _PROCESS_KEY.unpack(found)
        return ProcessKey.at(tgid, start)

    def _per_cpu_sum(self, name: str, key: bytes) -> int:
        value = self._object.lookup(name, key, _U64.size * self._cpus) or b""
        return sum(count for (count,) in _U64.iter_unpack(value))

    def detach(self) -> None:
        """Detach the programs; the rings keep the records until ``close``. Pinned guards stay attached."""
        self._object.detach_all()

    def close(self) -> None:
        """Detach and unload the programs; pinned guards stay attached."""
        self.exec_ring.close()
        self.file_ring.close()
        self._object.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
