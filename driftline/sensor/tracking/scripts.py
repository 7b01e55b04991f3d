"""Recognition of scripts: which of the files that an interpreter opens are code, not data.

A file is a script if it is the interpreter's script argument or the ``#!`` file, or if its suffix is one of the
modules that the interpreter loads. ``bpf/lib/interpreter.h`` and ``bpf/lib/script.h`` decide the same for blocking.
"""

from __future__ import annotations

import os
import re

from driftline.sensor.bpf.records import OpenRecord
from driftline.sensor.tracking.processes import Process
from driftline.verdict import script_argument

__all__ = ["is_interpreter", "is_script"]

# Suffixes of files that an interpreter loads as code, by prefix of the program's name (python3.11, php8).
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
_SHELL_SUFFIXES = (b".sh", b".bash")  # for all other interpreters


_INTERPRETERS = re.compile(
    rb"sh|ash|(bash|dash|zsh|ksh|mksh|busybox|python|pypy|perl|ruby|node|php|lua|tclsh|pwsh|gawk|mawk).*", re.DOTALL
)


def is_interpreter(program: bytes) -> bool:
    """Return whether a program is an interpreter, by the name of its file.

    The names are those of ``bpf/lib/interpreter.h``. A renamed interpreter is relocated image content and alerts by
    itself.
    """
    return _INTERPRETERS.fullmatch(os.path.basename(program)) is not None


def is_script(record: OpenRecord, process: Process) -> bool:
    """Return whether a file that the interpreter ``process`` opened is its script or a module."""
    if record.name and record.name == process.script:
        return True
    is_module = record.file.path.endswith(_suffixes(process.program)) and not _is_own_cache(record)
    return is_module or _is_argument(record, process)


# Python writes the bytecode of imported modules to __pycache__ beside them, for modules of the image as well
# (PEP 3147). A pyc file that another program has written counts as a script.
def _is_own_cache(record: OpenRecord) -> bool:
    writer = record.file.writer
    return b"/__pycache__/" in record.file.path and (writer is None or writer.comm.startswith(b"py"))


# The path of the file differs from the argument if symlinks lie between; the path that the interpreter passed to
# open(2) does not. Without that path only the last component is compared.
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
