"""The verdict: whether an execution drifted from its image; pure.

``decide`` evaluates one execution from the kernel's data on the file (``FileFacts``), the container's
root and mounts (``ContainerRoot``), the image's index (``ImageLookup``) and, only if these do not
suffice, the file's bytes. ``INTERPRETERS`` says what each interpreter runs as code; ``script_argument`` and
``loader_argument`` find the executed file in the command line of an interpreter and of ``ld.so``.
Theory: docs/explanation/verdict.md.
"""

from driftline.verdict.decide import ImageFile, ImageLookup, Read, decide
from driftline.verdict.facts import ContainerRoot, Digest, Execution, FileFacts, Mount, Writer, WriterPlace
from driftline.verdict.interpreter import (
    code_arguments,
    interpreter_run,
    loader_argument,
    named_files,
    reads_stdin,
    script_argument,
)
from driftline.verdict.interpreters import INTERPRETERS, Interpreter, interpreter_name, interpreter_of
from driftline.verdict.origin import is_lower

__all__ = [
    "INTERPRETERS",
    "ContainerRoot",
    "Digest",
    "Execution",
    "FileFacts",
    "ImageFile",
    "ImageLookup",
    "Interpreter",
    "Mount",
    "Read",
    "Writer",
    "WriterPlace",
    "code_arguments",
    "decide",
    "interpreter_name",
    "interpreter_of",
    "interpreter_run",
    "is_lower",
    "loader_argument",
    "named_files",
    "reads_stdin",
    "script_argument",
]
