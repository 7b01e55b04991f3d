"""Executable file mappings, from ``PERF_RECORD_MMAP2`` records of a dummy event on each CPU.

The kernel writes one record for every mapping with PROT_EXEC that mmap(2), mprotect(2) or execve(2) makes, the
program and its ELF interpreter included, and other system calls cost nothing (perf_event_open(2)). The records are
the sensor's only source for libraries loaded by ``dlopen`` and ``LD_PRELOAD``.

The records carry the boot-time clock, as those of the BPF programs, and are read in order on each CPU; between CPUs
the order is not kept.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
from typing import Self

import msgspec

from driftline.errors import UnsupportedHost

__all__ = ["MappingRecord", "MappingStream"]

_SYSCALL = {"x86_64": 298, "aarch64": 241}  # perf_event_open, which glibc does not wrap
_ATTR = struct.Struct("=IIQQQQQIIQQQQIiQIHH")  # struct perf_event_attr of linux/perf_event.h
_SOFTWARE, _DUMMY = 1, 9  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY
_SAMPLE_TIME = 1 << 2
_CLOCK_BOOTTIME = 7  # linux/time.h
# bits of the flags of struct perf_event_attr
_MMAP, _WATERMARK, _SAMPLE_ID_ALL, _MMAP2, _USE_CLOCKID = (1 << bit for bit in (8, 14, 18, 23, 25))
_FD_CLOEXEC = 8  # PERF_FLAG_FD_CLOEXEC
_RECORD_LOST, _RECORD_MMAP2 = 2, 10
_HEADER = struct.Struct("=IHH")  # struct perf_event_header: type, misc, size
_MMAP2_BODY = struct.Struct("=IIQQQIIQQII")
_NAME_AT = _HEADER.size + _MMAP2_BODY.size
_TIME = struct.Struct("=Q")
_LOST = struct.Struct("=QQ")
_HEAD_AT, _TAIL_AT = 1024, 1032  # struct perf_event_mmap_page
_WAKE_BYTES = 1 << 14
"""Bytes that must have gathered before the descriptor becomes readable. A wake-up for each record would slow every
exec down, and the sensor drains the buffers several times a second anyway."""
_PAGES = 64  # pages of data for each CPU: 256 KiB, about 2,000 records


class MappingRecord(msgspec.Struct, frozen=True):
    """One executable mapping of a file."""

    time: int
    """Time of the mapping: boot-time clock, nanoseconds."""
    pid: int
    """Thread group id, in the node's pid namespace."""
    device: int
    """``st_dev`` of the file as the mapping has it; 0 for a mapping without a file, such as the vdso. On overlayfs
    older kernels give the device of the layer."""
    inode: int
    """Inode number of the file."""
    start: int
    """First address of the mapping."""
    end: int
    """Address behind its last byte."""
    path: bytes
    """Path from the root of the process; with the suffix `` (deleted)`` if the name was removed."""


class MappingStream:
    """Executable mappings of all processes of the node. Use as a context manager.

    Call ``drain`` several times a second: the descriptors become readable when much has gathered, not at the first
    record.
    """

    def __init__(self) -> None:
        """Open an event on each CPU; raises ``UnsupportedHost`` if the kernel refuses."""
        self.lost = 0
        """Number of records that the kernel dropped because a buffer was full, since the start."""
        self._buffers: list[_CpuBuffer] = []
        try:
            for cpu in sorted(os.sched_getaffinity(0)):
                self._buffers.append(_CpuBuffer(cpu))
        except UnsupportedHost:
            self.close()
            raise

    def filenos(self) -> list[int]:
        """Return the descriptors of the CPUs' buffers, which are readable after ``_WAKE_BYTES`` of records."""
        return [buffer.fd for buffer in self._buffers]

    def drain(self) -> list[MappingRecord]:
        """Consume and return the mappings in all buffers, in order for each CPU."""
        found: list[MappingRecord] = []
        for buffer in self._buffers:
            for kind, record in buffer.drain():
                if kind == _RECORD_MMAP2:
                    found.append(_mapping(record))
                elif kind == _RECORD_LOST:
                    self.lost += _LOST.unpack_from(record, _HEADER.size)[1]
        return found

    def close(self) -> None:
        """Close all events."""
        for buffer in self._buffers:
            buffer.close()
        self._buffers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _CpuBuffer:
    # The event and the mapped ring buffer of one CPU: a page of metadata, then the data.

    def __init__(self, cpu: int) -> None:
        self.fd = _open_event(cpu)
        self._size = _PAGES * mmap.PAGESIZE
        try:
            self._map = mmap.mmap(self.fd, mmap.PAGESIZE + self._size)
        except OSError as error:
            os.close(self.fd)
            raise UnsupportedHost(f"cannot map the perf buffer of CPU {cpu}: {error}") from error

    # The tail is written only after the records were copied out: from then on the kernel overwrites them.
    # perf_event_open(2) asks for a read barrier between head and data; CPython's own locking has one.
    def drain(self) -> list[tuple[int, bytes]]:
        head, tail = struct.unpack_from("=QQ", self._map, _HEAD_AT)
        if head == tail:
            return []
        data = self._copy(tail, head)
        records, at = [], 0
        while at < len(data):
            kind, _, size = _HEADER.unpack_from(data, at)
            records.append((kind, data[at : at + size]))
            at += size
        struct.pack_into("=Q", self._map, _TAIL_AT, head)
        return records

    # Head and tail only grow; their remainder by the buffer's size is the offset. A record may wrap around the end.
    def _copy(self, tail: int, head: int) -> bytes:
        start, length = tail % self._size, head - tail
        first = min(length, self._size - start)
        base = mmap.PAGESIZE
        return self._map[base + start : base + start + first] + self._map[base : base + length - first]

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)


def _open_event(cpu: int) -> int:
    flags = _MMAP | _MMAP2 | _SAMPLE_ID_ALL | _USE_CLOCKID | _WATERMARK
    attr = _ATTR.pack(
        _SOFTWARE,
        _ATTR.size,
        _DUMMY,
        0,
        _SAMPLE_TIME,
        0,
        flags,
        _WAKE_BYTES,
        0,
        0,
        0,
        0,
        0,
        0,
        _CLOCK_BOOTTIME,
        0,
        0,
        0,
        0,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    number = _SYSCALL[platform.machine()]
    fd = int(libc.syscall(number, attr, -1, cpu, -1, _FD_CLOEXEC))
    if fd < 0:
        reason = os.strerror(ctypes.get_errno())
        raise UnsupportedHost(f"perf_event_open on CPU {cpu}: {reason} (library loads need CAP_PERFMON)")
    return fd


# The time is the last field of the record: sample_id_all appends it (perf_event_open(2)).
def _mapping(record: bytes) -> MappingRecord:
    pid, _, start, length, _, major, minor, inode, _, _, _ = _MMAP2_BODY.unpack_from(record, _HEADER.size)
    end = record.index(b"\0", _NAME_AT)
    time = _TIME.unpack_from(record, len(record) - _TIME.size)[0]
    return MappingRecord(time, pid, os.makedev(major, minor), inode, start, start + length, record[_NAME_AT:end])
