"""Bindings to libbpf: the functions that the sensor calls, through ctypes.

ctypes rather than a binding from PyPI: bcc brings a compiler along, pylibbpf has no ring buffer, and Debian and
Ubuntu ship ``libbpf.so.1`` itself.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, NamedTuple, Self

from driftline.errors import UnsupportedHost

__all__ = ["BpfObject", "RingBuffer", "possible_cpus"]

_SAMPLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
_LINK_INFO_WORDS = 32  # of 4 bytes; more than struct bpf_link_info has in any kernel so far
_PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)

# name: (result, arguments), as declared in libbpf.h and bpf.h
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "bpf_link__destroy": (c_int, (c_void_p,)),
    "bpf_link__fd": (c_int, (c_void_p,)),
    "bpf_link__pin": (c_int, (c_void_p, c_char_p)),
    "bpf_link_get_fd_by_id": (c_int, (c_uint32,)),
    "bpf_map__fd": (c_int, (c_void_p,)),
    "bpf_map__set_initial_value": (c_int, (c_void_p, c_void_p, c_size_t)),
    "bpf_map_delete_elem": (c_int, (c_int, c_void_p)),
    "bpf_map_get_next_key": (c_int, (c_int, c_void_p, c_void_p)),
    "bpf_map_lookup_elem": (c_int, (c_int, c_void_p, c_void_p)),
    "bpf_map_update_batch": (c_int, (c_int, c_void_p, c_void_p, c_void_p, c_void_p)),
    "bpf_map_update_elem": (c_int, (c_int, c_void_p, c_void_p, c_uint64)),
    "bpf_obj_get_info_by_fd": (c_int, (c_int, c_void_p, c_void_p)),
    "bpf_object__close": (None, (c_void_p,)),
    "bpf_object__find_map_by_name": (c_void_p, (c_void_p, c_char_p)),
    "bpf_object__load": (c_int, (c_void_p,)),
    "bpf_object__next_program": (c_void_p, (c_void_p, c_void_p)),
    "bpf_object__open_file": (c_void_p, (c_char_p, c_void_p)),
    "bpf_program__attach": (c_void_p, (c_void_p,)),
    "bpf_program__name": (c_char_p, (c_void_p,)),
    "bpf_program__set_autoload": (c_int, (c_void_p, ctypes.c_bool)),
    "libbpf_num_possible_cpus": (c_int, ()),
    "libbpf_set_print": (c_void_p, (_PRINT,)),
    "ring_buffer__consume": (c_int, (c_void_p,)),
    "ring_buffer__epoll_fd": (c_int, (c_void_p,)),
    "ring_buffer__free": (None, (c_void_p,)),
    "ring_buffer__new": (c_void_p, (c_int, _SAMPLE, c_void_p, c_void_p)),
}

# The last lines that libbpf printed. If the kernel refuses a program, they hold the verifier's log, which goes into
# the error message.
_log: list[bytes] = []


def _keep_log(_level: int, message: bytes, arguments: int) -> int:
    buffer = ctypes.create_string_buffer(4096)
    ctypes.CDLL(None).vsnprintf(buffer, len(buffer), message, c_void_p(arguments))
    _log.append(buffer.value)
    del _log[:-50]
    return 0


_PRINTER = _PRINT(_keep_log)  # a module variable, so that the callback lives as long as libbpf may call it


# dlopen returns the same library each time, so calling this again is cheap and keeps one log.
def _load_library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise UnsupportedHost("libbpf.so.1 is not installed: apt-get install libbpf1") from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.libbpf_set_print(_PRINTER)
    return library


def possible_cpus() -> int:
    """Return the number of possible CPUs: per-CPU maps hold one value for each."""
    return int(_load_library().libbpf_num_possible_cpus())


class _Link(NamedTuple):
    pointer: int
    id: int
    """The kernel's id of the link."""
    program: int
    """The kernel's id of the attached program."""


class BpfObject:
    """A loaded eBPF object file with its programs and maps. Use as a context manager."""

    def __init__(
        self,
        path: Path,
        *,
        settings: bytes = b"",
        without: frozenset[str] = frozenset(),
        later: frozenset[str] = frozenset(),
    ) -> None:
        """Load and attach every program of ``path`` except those named in ``without``.

        Programs named in ``later`` are loaded, and attached by ``attach``. ``settings`` replaces the constant data
        (``.rodata``), whose layout it must have. Raises ``UnsupportedHost`` with the end of the verifier's log if
        the kernel refuses a program.
        """
        self._lib = _load_library()
        self._links: dict[str, _Link] = {}
        self._object = self._lib.bpf_object__open_file(os.fsencode(path), None)
        if not self._object:
            raise UnsupportedHost(f"cannot open the eBPF object {path}: {os.strerror(ctypes.get_errno())}")
        try:
            self._load(settings, without)
            for program in self._programs():
                if self._name(program) not in without | later:
                    self.attach(self._name(program))
        except UnsupportedHost:
            self.close()
            raise

    def _load(self, settings: bytes, without: frozenset[str]) -> None:
        for program in self._programs():
            self._lib.bpf_program__set_autoload(program, self._name(program) not in without)
        if settings:
            rodata = self._lib.bpf_object__find_map_by_name(self._object, b".rodata")
            self._check(self._lib.bpf_map__set_initial_value(rodata, settings, len(settings)), "set the settings")
        self._check(self._lib.bpf_object__load(self._object), "load the eBPF object")

    def attach(self, name: str) -> None:
        """Attach a program; does nothing if it is attached. Raises ``UnsupportedHost``."""
        if name in self._links:
            return
        program = next(program for program in self._programs() if self._name(program) == name)
        link = self._lib.bpf_program__attach(program)
        if not link:
            self._check(-ctypes.get_errno(), f"attach {name}")
        self._links[name] = _Link(link, *self._link_ids(self._lib.bpf_link__fd(link)))

    # struct bpf_link_info begins with type, id and prog_id (linux/bpf.h, since v5.8).
    def _link_ids(self, fd: int) -> tuple[int, int]:
        info, size = (c_uint32 * _LINK_INFO_WORDS)(), c_uint32(4 * _LINK_INFO_WORDS)
        self._check(self._lib.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)), "tell of a link")
        return info[1], info[2]

    def detached(self) -> list[str]:
        """Return the names of the programs that this object attached and another process has detached."""
        return [name for name, link in self._links.items() if not self._is_attached(link)]

    # By the link's id: the number of its descriptor may belong to another file by now.
    def _is_attached(self, link: _Link) -> bool:
        fd = int(self._lib.bpf_link_get_fd_by_id(link.id))
        if fd < 0:
            return False
        try:
            return self._link_ids(fd) == (link.id, link.program)
        finally:
            os.close(fd)

    def detach(self, name: str) -> None:
        """Close this process's link of a program: detaches it unless it is pinned. Does nothing without a link."""
        if name in self._links:
            self._lib.bpf_link__destroy(self._links.pop(name).pointer)

    def detach_all(self) -> None:
        """Close all of this process's links; pinned programs stay attached."""
        for name in tuple(self._links):
            self.detach(name)

    def pin(self, name: str, path: str) -> None:
        """Pin an attached program: it stays attached as long as ``path`` exists, also after this process.

        ``path`` must not exist yet and lies on a BPF file system. Raises ``UnsupportedHost``.
        """
        self._check(self._lib.bpf_link__pin(self._links[name].pointer, os.fsencode(path)), f"pin {name} at {path}")

    # In the order of the object file.
    def _programs(self) -> list[int]:
        programs: list[int] = []
        while program := self._lib.bpf_object__next_program(self._object, programs[-1] if programs else None):
            programs.append(program)
        return programs

    def _name(self, program: int) -> str:
        return str(self._lib.bpf_program__name(program), "ascii")

    def _check(self, result: int, what: str) -> None:
        if result < 0:
            log = b"".join(_log).decode(errors="replace").strip()
            raise UnsupportedHost(f"the kernel refused to {what}: {os.strerror(-result)}\n{log}".rstrip())

    def map_fd(self, name: str) -> int:
        """Return the file descriptor of a map; it is valid until ``close``."""
        found = self._lib.bpf_object__find_map_by_name(self._object, name.encode())
        return int(self._lib.bpf_map__fd(found))

    def lookup(self, name: str, key: bytes, size: int) -> bytes | None:
        """Read one value of ``size`` bytes; ``None`` if the map does not have the key.

        The value of a per-CPU map is one value for each possible CPU, end to end.
        """
        value = ctypes.create_string_buffer(size)
        found = self._lib.bpf_map_lookup_elem(self.map_fd(name), key, value) == 0
        return value.raw if found else None

    def update(self, name: str, key: bytes, value: bytes) -> None:
        """Write one value; raises ``OSError`` if the map is full."""
        result = self._lib.bpf_map_update_elem(self.map_fd(name), key, value, 0)
        if result < 0:
            raise OSError(-result, f"{name}: {os.strerror(-result)}")

    def update_many(self, name: str, keys: bytes, values: bytes, count: int) -> None:
        """Write ``count`` values by one system call (BPF_MAP_UPDATE_BATCH, Linux 5.6).

        Raises ``OSError`` if the map is full; some of the values may be written then.
        """
        if not count:
            return
        written = ctypes.c_uint32(count)
        result = self._lib.bpf_map_update_batch(self.map_fd(name), keys, values, ctypes.byref(written), None)
        if result < 0:
            raise OSError(-result, f"{name}: {os.strerror(-result)}")

    def delete(self, name: str, key: bytes) -> None:
        """Remove one key; a missing key is no error."""
        self._lib.bpf_map_delete_elem(self.map_fd(name), key)

    def keys(self, name: str, size: int) -> list[bytes]:
        """Return the keys of a map, of ``size`` bytes each.

        Keys that are added or removed during the call may be missing or repeated.
        """
        keys: list[bytes] = []
        key = ctypes.create_string_buffer(size)
        previous = None
        while self._lib.bpf_map_get_next_key(self.map_fd(name), previous, key) == 0:
            keys.append(key.raw)
            previous = key.raw
        return keys

    def close(self) -> None:
        """Detach and unload everything."""
        self.detach_all()
        if self._object:
            self._lib.bpf_object__close(self._object)
            self._object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RingBuffer:
    """Reader of one ``BPF_MAP_TYPE_RINGBUF``: ``fileno`` to wait on, ``drain`` to read all records."""

    def __init__(self, map_fd: int) -> None:
        """Map the ring buffer; raises ``UnsupportedHost`` if the kernel refuses."""
        self._lib = _load_library()
        self._records: list[bytes] = []
        self._callback = _SAMPLE(self._collector())
        self._ring = self._lib.ring_buffer__new(map_fd, self._callback, None, None)
        if not self._ring:
            raise UnsupportedHost(f"cannot map the ring buffer: {os.strerror(ctypes.get_errno())}")

    def _collector(self) -> Callable[[int, int, int], int]:
        copy = ctypes.string_at

        # A closure over local names rather than a method: it runs once for each record.
        def collect(_context: int, data: int, size: int) -> int:
            self._records.append(copy(data, size))
            return 0

        return collect

    def fileno(self) -> int:
        """Return the epoll descriptor that is readable while records wait."""
        return int(self._lib.ring_buffer__epoll_fd(self._ring))

    def drain(self) -> list[bytes]:
        """Consume and return the records in the ring, oldest first."""
        self._records = []
        self._lib.ring_buffer__consume(self._ring)
        return self._records

    def close(self) -> None:
        """Unmap the ring."""
        if self._ring:
            self._lib.ring_buffer__free(self._ring)
            self._ring = None
