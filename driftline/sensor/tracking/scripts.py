"""Recognition of scripts: which of the files that an interpreter opens are code, not data.

A file is a script if a shell read it as code (``bpf/lib/shell.h``), if the command line of the interpreter or its
``#!`` line names it or means standard input, or if its suffix is one of the modules that the interpreter loads
(``verdict.INTERPRETERS``).
``bpf/lib/script.h`` decides the same for blocking, where it can.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from driftline.sensor import safe_open
from driftline.sensor.bpf.records import OpenRecord, RecordFlag
from driftline.sensor.tracking.processes import Process
from driftline.verdict import (
    INTERPRETERS,
    code_arguments,
    interpreter_of,
    interpreter_run,
    reads_stdin,
    script_argument,
)

__all__ = ["Layers", "is_script"]

_READ_AS_CODE = int(RecordFlag.READ_AS_CODE)
_ON_STDIN = int(RecordFlag.ON_STDIN)
# Of a program without a row of its own: one that embeds an interpreter, or that a "#!" line names.
_ALL_SUFFIXES = tuple({suffix for interpreter in INTERPRETERS for suffix in interpreter.suffixes})


class Layers(NamedTuple):
    """Layers of a container's root overlay, as paths on the node."""

    device: int
    """``st_dev`` of the overlay; 0: unknown."""
    upperdir: str
    """Writable layer."""
    lowerdirs: Sequence[str]
    """Layers of the image, topmost first."""


_NO_LAYERS = Layers(0, "", ())


def is_script(record: OpenRecord, process: Process, layers: Layers = _NO_LAYERS) -> bool:
    """Return whether a file that the interpreter ``process`` opened is its script or a module.

    ``layers`` are those of the container's root, to find the source of bytecode.
    """
    if record.head.flags & _READ_AS_CODE or (record.name and record.name == process.script):
        return True
    if record.head.flags & _ON_STDIN:
        return reads_stdin(process.argv, process.program)
    if _is_applet(process):
        return False
    is_module = record.file.path.endswith(_suffixes(process)) and not _is_own_cache(record, layers)
    return is_module or _is_argument(record, process)


# busybox is an interpreter by its name, but runs no code as any other applet than a shell or awk.
def _is_applet(process: Process) -> bool:
    is_known = interpreter_of(process.program) is not None
    return is_known and interpreter_run(process.argv, process.program) is None


# Python writes the bytecode of imported modules to __pycache__ beside them, for modules of the image as well
# (PEP 3147). A pyc file that another program has written counts as a script, as does that of a source which the image
# does not have: Python imports a module a second time without opening its source.
def _is_own_cache(record: OpenRecord, layers: Layers) -> bool:
    writer, path = record.file.writer, record.file.fs_path
    is_cache = b"/__pycache__/" in path and (writer is None or writer.comm.startswith(b"py"))
    return is_cache and (layers.device == 0 or (record.file.device == layers.device and _is_of_image(path, layers)))


# Whether the source of a bytecode file is the image's: not in the writable layer, or copied up with its size.
def _is_of_image(path: bytes, layers: Layers) -> bool:
    folder, _, name = path.rpartition(b"/__pycache__/")
    source = folder + b"/" + name.partition(b".")[0] + b".py"
    upper = _size(layers.upperdir, source) if layers.upperdir else None
    if layers.upperdir and upper is None:
        return True
    sizes = [_size(lowerdir, source) for lowerdir in layers.lowerdirs]
    return any(size is not None and upper in (size, None) for size in sizes)


def _size(layer: str, path: bytes) -> int | None:
    try:
        root = os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fd = safe_open.open_beneath(root, path, cached=False)
    except OSError:
        return None
    finally:
        os.close(root)
    try:
        return safe_open.statx(fd).size
    finally:
        os.close(fd)


def _is_argument(record: OpenRecord, process: Process) -> bool:
    script = script_argument(process.argv, process.program)
    if script and not record.name:  # without the path that was opened only the last component is compared
        return os.path.basename(script) == os.path.basename(record.file.path)
    named = code_arguments(process.argv, process.program)
    return _is_among(record, process, {script, *named} if script else named)


# The path of the file differs from the argument if symlinks lie between; the path that the interpreter passed to
# open(2) does not. An interpreter may have made either absolute (zipimport).
def _is_among(record: OpenRecord, process: Process, words: Iterable[bytes]) -> bool:
    opened = {record.name, record.file.path, _absolute(record.name, process.cwd)}
    return any(word in opened or _absolute(word, process.cwd) in opened for word in words)


def _absolute(path: bytes, cwd: bytes) -> bytes:
    return os.path.normpath(os.path.join(cwd, path))


def _suffixes(process: Process) -> tuple[bytes, ...]:
    interpreter = interpreter_run(process.argv, process.program)
    return interpreter.suffixes if interpreter else _ALL_SUFFIXES
