"""The drift decision; pure.

``decide`` judges one execution from the kernel's word on a file (``FileFacts``), the
container's mounts (``ContainerRoot``), the image's index (``ImageLookup``) and, only where
these leave it open, the file's bytes. ``script_argument`` and ``loader_argument`` find the
program in the command line of an interpreter and of ``ld.so``. Theory: docs/explanation/verdict.md.
"""

from driftline.verdict.decide import ImageFile, ImageLookup, Read, decide
from driftline.verdict.facts import ContainerRoot, Digest, Execution, FileFacts, Mount, Writer
from driftline.verdict.interpreter import loader_argument, script_argument
from driftline.verdict.printable import printable

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
    "decide",
    "loader_argument",
    "printable",
    "script_argument",
]
