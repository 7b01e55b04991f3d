"""Executable file mappings, from ``PERF_RECORD_MMAP2`` records of a dummy event on each CPU.

The kernel writes one for every mapping with PROT_EXEC that mmap(2), mprotect(2) or execve(2)
makes, the program and its ELF interpreter included, at no cost to any other system call
(perf_event_open(2)). They are the only sight of what ``dlopen`` and ``LD_PRELOAD`` bring in.
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

_SYSCALL = {"x86_64": 298, "aarch64": 241}
_ATTR = struct.Struct("=IIQQQQQIIQQQQIiQIHH")
_SOFTWARE, _DUMMY = 1, 9
_SAMPLE_TIME = 1 << 2
_CLOCK_BOOTTIME = 7
_MMAP, _WATERMARK, _SAMPLE_ID_ALL, _MMAP2, _USE_CLOCKID = (1 << bit for bit in (8, 14, 18, 23, 25))
_FD_CLOEXEC = 8
_RECORD_LOST, _RECORD_MMAP2 = 2, 10
_HEADER = struct.Struct("=IHH")
_MMAP2_BODY = struct.Struct("=IIQQQIIQQII")
_NAME_AT = _HEADER.size + _MMAP2_BODY.size
_TIME = struct.Struct("=Q")
_LOST = struct.Struct("=QQ")
_HEAD_AT, _TAIL_AT = 1024, 1032  # struct perf_event_mmap_page
_WAKE_BYTES = 1 << 14
"""A wake-up for each record would slow every exec down; the sensor looks often enough by itself."""
_PAGES = 64  # of data a CPU: 256 KiB, about 2,000 records


class MappingRecord(msgspec.Struct, frozen=True):
    """One executable mapping of a file."""

    time: int
    """Boot-time clock, nanoseconds."""
    pid: int
    device: int
    """``st_dev`` of the file as the mapping has it; under overlayfs that of the layer below."""
    inode: int
    path: bytes
    """As the process sees it, from its own root; `` (deleted)`` after a name that is gone."""


class MappingStream:
    """The mappings of all processes on the node: ``drain`` them, several times a second.

    ``filenos`` are readable when much has gathered, not at the first record.
    """

    def __init__(self) -> None:
        """Open an event on each CPU; raises ``UnsupportedHost`` if the kernel refuses."""
        self.lost = 0
        self._buffers: list[_CpuBuffer] = []
        try:
            for cpu in sorted(os.sched_getaffinity(0)):
                self._buffers.append(_CpuBuffer(cpu))
        except UnsupportedHost:
            self.close()
            raise

    def filenos(self) -> list[int]:
        """Give the descriptors that are readable when records wait."""
        return [buffer.fd for buffer in self._buffers]

    def drain(self) -> list[MappingRecord]:
        """Take the mappings that are there now, in order on each CPU."""
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
    def __init__(self, cpu: int) -> None:
        self.fd = _open_event(cpu)
        self._size = _PAGES * mmap.PAGESIZE
        try:
            self._map = mmap.mmap(self.fd, mmap.PAGESIZE + self._size)
        except OSError as error:
            os.close(self.fd)
            raise UnsupportedHost(f"cannot map the perf buffer of CPU {cpu}: {error}") from error

    # The tail is written only after the records were copied out. CPython's own locking gives
    # the barriers that perf_event_open(2) asks for between reading the head and the data.
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


def _mapping(record: bytes) -> MappingRecord:
    pid, _, _, _, _, major, minor, inode, _, _, _ = _MMAP2_BODY.unpack_from(record, _HEADER.size)
    end = record.index(b"\0", _NAME_AT)
    time = _TIME.unpack_from(record, len(record) - _TIME.size)[0]
    return MappingRecord(time, pid, os.makedev(major, minor), inode, record[_NAME_AT:end])
