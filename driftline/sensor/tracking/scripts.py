"""Which of the files an interpreter opens are programs it will run, not data it will read."""

from __future__ import annotations

import os
import re

from driftline.sensor.bpf.records import OpenRecord
from driftline.sensor.tracking.processes import Process
from driftline.verdict import script_argument

__all__ = ["is_interpreter", "is_script"]

# Suffixes of files that an interpreter loads as code, by the start of its program's name.
_MODULE_SUFFIXES: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"python", (b".py", b".pyc", b".pyz", b".pth")),
    (b"pypy", (b".py", b".pyc", b".pyz", b".pth")),
    (b"perl", (b".pl", b".pm", b".ph")),
    (b"ruby", (b".rb",)),
    (b"node", (b".js", b".cjs", b".mjs")),
    (b"php", (b".php", b".phar", b".inc")),
    (b"lua", (b".lua",)),
    (b"tclsh", (b".tcl",)),
    (b"pwsh", (b".ps1", b".psm1")),
)
_SHELL_SUFFIXES = (b".sh", b".bash")


_INTERPRETERS = re.compile(
    rb"sh|ash|(bash|dash|zsh|ksh|mksh|busybox|python|pypy|perl|ruby|node|php|lua|tclsh|pwsh|gawk|mawk).*", re.DOTALL
)


def is_interpreter(program: bytes) -> bool:
    """Tell by its name, as ``bpf/lib/interpreter.h`` does, whether a program runs what it reads."""
    return _INTERPRETERS.fullmatch(os.path.basename(program)) is not None


def is_script(record: OpenRecord, process: Process) -> bool:
    """Tell whether a file that ``process`` opened is the script it runs or a module of it."""
    if record.name and record.name == process.script:
        return True
    is_module = record.file.path.endswith(_suffixes(process.program)) and not _is_own_cache(record)
    return is_module or _is_argument(record, process)


# Python writes the bytecode of what it imports beside it, image modules included.
def _is_own_cache(record: OpenRecord) -> bool:
    writer = record.file.writer
    return b"/__pycache__/" in record.file.path and (writer is None or writer.comm.startswith(b"py"))


# The file's own path differs from the argument where links lie between; the name that the
# interpreter passed to open(2) does not.
def _is_argument(record: OpenRecord, process: Process) -> bool:
    argument = script_argument(process.argv, process.program)
    if not argument:
        return False
    return argument in (record.name, record.file.path) or (
        not record.name and os.path.basename(argument) == os.path.basename(record.file.path)
    )


def _suffixes(program: bytes) -> tuple[bytes, ...]:
    name = os.path.basename(program)
    return next((suffixes for prefix, suffixes in _MODULE_SUFFIXES if name.startswith(prefix)), _SHELL_SUFFIXES)
