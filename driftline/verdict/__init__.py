"""The verdict: whether an execution drifted from its image; pure.

``decide`` evaluates one execution from the kernel's data on the file (``FileFacts``), the container's
root and mounts (``ContainerRoot``), the image's index (``ImageLookup``) and, only if these do not
suffice, the file's bytes. ``script_argument`` and ``loader_argument`` find the executed file in the
command line of an interpreter and of ``ld.so``. Theory: docs/explanation/verdict.md.
"""

from driftline.verdict.decide import ImageFile, ImageLookup, Read, decide
from driftline.verdict.facts import ContainerRoot, Digest, Execution, FileFacts, Mount, Writer, WriterPlace
from driftline.verdict.interpreter import loader_argument, script_argument

__all__ = [
    "ContainerRoot",
    "Digest",
    "Execution",
    "FileFacts",
    "ImageFile",
    "ImageLookup",
    "Mount",
    "Read",
    "Writer",
    "WriterPlace",
    "decide",
    "loader_argument",
    "script_argument",
]
