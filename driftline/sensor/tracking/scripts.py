"""Recognition of scripts: which of the files that an interpreter opens are code, not data.

A file is a script if a shell read it as code (``bpf/lib/shell.h``), if the command line of the interpreter or its
``#!`` line names it or means standard input, or if its suffix is one of the modules that the interpreter loads
(``verdict.INTERPRETERS``).
``bpf/lib/script.h`` decides the same for blocking, where it can.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

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

__all__ = ["is_script"]

_READ_AS_CODE = int(RecordFlag.READ_AS_CODE)
_ON_STDIN = int(RecordFlag.ON_STDIN)
# Of a program without a row of its own: one that embeds an interpreter, or that a "#!" line names.
_ALL_SUFFIXES = tuple({suffix for interpreter in INTERPRETERS for suffix in interpreter.suffixes})


def is_script(record: OpenRecord, process: Process) -> bool:
    """Return whether a file that the interpreter ``process`` opened is its script or a module."""
    if record.head.flags & _READ_AS_CODE or (record.name and record.name == process.script):
        return True
    if record.head.flags & _ON_STDIN:
        return reads_stdin(process.argv, process.program)
    if _is_applet(process):
        return False
    is_module = record.file.path.endswith(_suffixes(process)) and not _is_own_cache(record)
    return is_module or _is_argument(record, process)


# busybox is an interpreter by its name, but runs no code as any other applet than a shell or awk.
def _is_applet(process: Process) -> bool:
    is_known = interpreter_of(process.program) is not None
    return is_known and interpreter_run(process.argv, process.program) is None


# Python writes the bytecode of imported modules to __pycache__ beside them, for modules of the image as well
# (PEP 3147). A pyc file that another program has written counts as a script.
def _is_own_cache(record: OpenRecord) -> bool:
    writer = record.file.writer
    return b"/__pycache__/" in record.file.path and (writer is None or writer.comm.startswith(b"py"))


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
