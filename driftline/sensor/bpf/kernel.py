"""The kernel side: the loaded programs, their rings and maps."""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from driftline.sensor.bpf import libbpf, records
from driftline.sensor.bpf.block_maps import GUARDS, BlockMaps
from driftline.sensor.bpf.records import Cgroup, Clock, LossReason, ProcessKey
from driftline.verdict.facts import Writer

__all__ = ["OBJECT", "KernelSide", "host_mnt_ns"]

OBJECT = Path(__file__).with_name("driftline.bpf.o")

_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")
_FILE_KEY = struct.Struct("=QQ")


def host_mnt_ns() -> int:
    """Give the inode number of the node's own mount namespace.

    It is process 1's. Where that has capabilities the sensor lacks, ptrace(2) rules hide its
    namespaces; the sensor's own then serves, for such a node is not seen from inside a pod.
    """
    try:
        return Path("/proc/1/ns/mnt").stat().st_ino
    except PermissionError:
        return Path("/proc/self/ns/mnt").stat().st_ino


# Listed there when built with CONFIG_BPF_LSM and named in the boot parameter lsm= or CONFIG_LSM.
def _has_bpf_lsm() -> bool:
    try:
        return "bpf" in Path("/sys/kernel/security/lsm").read_text().strip().split(",")
    except OSError:
        return False


class KernelSide:
    """The eBPF programs at work, from load to close."""

    def __init__(self, *, watch_hosts: bool = False, provenance: bool = True) -> None:
        """Load and attach.

        ``watch_hosts`` reports the node's own processes too. ``provenance`` is the part that
        sees file opens: who wrote a file, and which scripts interpreters read; it costs every
        system call on the node some tens of nanoseconds. Raises ``UnsupportedHost``.
        """
        self.watch_hosts = watch_hosts
        self.host_mnt_ns = host_mnt_ns()
        seed = secrets.randbits(64)
        settings = records.SETTINGS.pack(self.host_mnt_ns, watch_hosts, os.getpid(), 0, seed)
        without = frozenset() if provenance else frozenset({"on_sys_exit"})
        self.can_deny = _has_bpf_lsm()
        """Whether an exec is refused where the policy blocks it; else its process is killed."""
        without |= frozenset() if self.can_deny else frozenset({"deny_exec"})
        self._object = libbpf.BpfObject(OBJECT, settings=settings, without=without, later=GUARDS)
        self.blocking = BlockMaps(self._object, seed)
        self._cpus = libbpf.possible_cpus()
        self.exec_ring = libbpf.RingBuffer(self._object.map_fd("exec_ring"))
        self.file_ring = libbpf.RingBuffer(self._object.map_fd("file_ring"))

    def tampering(self) -> Iterable[str]:
        """Say, in words, which of its programs are detached and which of its tables are not as they were written."""
        detached = (f"its program {name} is not attached any more" for name in self._object.detached())
        return [*detached, *self.blocking.tampering()]

    def lost(self, reason: LossReason) -> int:
        """Count what was lost since the load for one reason."""
        return self._per_cpu_sum("losses", _U32.pack(reason))

    def take_losses_by_cgroup(self) -> dict[Cgroup, int]:
        """Count lost exec records by cgroup since the last call."""
        taken = {}
        for key in self._object.keys("losses_by_cgroup", records.CGROUP_REF.size):
            value = self._object.lookup("losses_by_cgroup", key, _U64.size)
            self._object.delete("losses_by_cgroup", key)
            if value:
                taken[Cgroup(*records.CGROUP_REF.unpack(key))] = _U64.unpack(value)[0]
        return taken

    def set_root(self, cgroup: Cgroup, device: int, *, first: ProcessKey) -> None:
        """Tell the ``st_dev`` of a container's root and its first process, where it ran before the sensor."""
        value = records.ROOT.pack(records.kernel_device(device), 0, first.start_ns, first.pid)
        self._object.update("roots", records.CGROUP_REF.pack(*cgroup), value)

    def add_container(self, cgroup: Cgroup) -> None:
        """Tell that a cgroup is a container's; the kernel side forgets it with the cgroup."""
        with contextlib.suppress(OSError):  # full: its processes are still told by their namespace
            self._object.update("containers", records.CGROUP_REF.pack(*cgroup), _U32.pack(1))

    def add_interpreter(self, inode: int, device: int) -> None:
        """Tell an interpreter's program file, for one that ran before the sensor."""
        self._object.update("interpreters", _FILE_KEY.pack(inode, records.kernel_device(device)), _U32.pack(1))

    def writer(self, inode: int, device: int, clock: Clock) -> Writer | None:
        """Give who last opened a file for writing, if that was seen."""
        found = self._object.lookup(
            "writers", _FILE_KEY.pack(inode, records.kernel_device(device)), records.WRITER.size
        )
        return records.decode_writer(found, clock) if found else None

    def _per_cpu_sum(self, name: str, key: bytes) -> int:
        value = self._object.lookup(name, key, _U64.size * self._cpus) or b""
        return sum(count for (count,) in _U64.iter_unpack(value))

    def close(self) -> None:
        """Detach and unload."""
        self.exec_ring.close()
        self.file_ring.close()
        self._object.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
