"""The reason of a verdict in words: location of the file, its writer, and its relation to the image.

A reason has two halves: ``/tmp/wget was written at 12:03:11 by pid 41 `sh`; no layer of demo/web@sha256:…
contains it``. ``driftline.policy.suggest`` parses the writer and the image's paths from it: keep its
patterns in step with the phrases here.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence

from driftline.events import Content, Origin, Subject
from driftline.printable import printable
from driftline.verdict.facts import Execution, FileFacts, Writer, WriterPlace
from driftline.verdict.origin import FileLocation

__all__ = ["explain", "explain_untouched"]

_SUBJECTS = {
    Subject.BINARY: "",
    Subject.SCRIPT: "the script ",
    Subject.LIBRARY: "the library ",
    Subject.LOADER: "the program for ld.so ",
}

_CONTENTS = {
    Content.IDENTICAL: "its bytes are those that {image} has there",
    Content.RELOCATED: "{image} has these bytes at {image_paths}",
    Content.MODIFIED: "{image} has other bytes at this path",
    Content.ADDED: "no layer of {image} contains it",
    Content.UNVERIFIED: "its content is not verified: {note}",
}

_COPIED_UP = "was copied up to the writable layer"
_ORIGINS = {
    Origin.IMAGE: "lies in a read-only layer",
    Origin.WRITABLE_LAYER: "",
    Origin.VOLUME: "lies on the {volume} volume{at}",
    Origin.TMPFS: "lies on a tmpfs{at}",
    Origin.MEMORY: "exists in memory only",
    Origin.DELETED: "had been deleted when it ran",
    Origin.HOST: "lies on the node, outside the container's mounts",
    Origin.UNKNOWN: "lies on a file system ({fs_type}) that the container was not started with",
}


def explain_untouched(execution: Execution) -> str:
    """Return the reason for the common case: a file of a read-only layer, at its path in the image."""
    subject = execution.subject
    prefix = "" if subject is Subject.BINARY else _SUBJECTS[subject]
    return f"{prefix}{printable(execution.file.path)} is an untouched file of {execution.image or 'the image'}"


def explain(
    execution: Execution, location: FileLocation, content: Content, *, note: str = "", image_paths: Sequence[bytes] = ()
) -> str:
    """Return the reason for all other cases.

    ``note`` is the reason why the content is unverified, or a remark on another content. ``image_paths`` are
    the paths at which the image has the same bytes; the reason names one of them. Names from the
    container are escaped, so the reason is one printable line.
    """
    relation = _CONTENTS[content].format(
        image=execution.image or "the image", image_paths=_list_paths(image_paths, location.path), note=note
    )
    remark = f" ({note})" if note and content != Content.UNVERIFIED else ""
    subject = _SUBJECTS[execution.subject] + printable(location.path)
    return f"{subject} {_describe_history(execution, location)}; {relation}{remark}"


def _describe_history(execution: Execution, location: FileLocation) -> str:
    where = _describe_location(execution.file, location)
    writer = execution.file.writer
    if writer is None:
        return where or "lies in the container's writable layer"
    written = f"was written at {_format_time(writer.time, execution.time)} by {_describe_writer(writer)}"
    return f"{where} and {written}" if where else written


# Empty for a new file in the writable layer, because its writer explains where it is.
def _describe_location(file: FileFacts, location: FileLocation) -> str:
    phrase = _COPIED_UP if location.origin == Origin.WRITABLE_LAYER and file.lowers else _ORIGINS[location.origin]
    at = f" at {printable(location.mount)}" if location.mount else ""
    return phrase.format(volume=location.volume, at=at, fs_type=file.fs_type)


# A writer elsewhere is described with its command line: it is in no process tree of the alert.
def _describe_writer(writer: Writer) -> str:
    process = f"pid {writer.pid} `{printable(writer.comm)}`"
    if writer.place in (WriterPlace.CONTAINER, WriterPlace.UNKNOWN):
        return process
    command = f"`{printable(b' '.join(writer.argv))}`" if writer.argv else "arguments unknown"
    return f"{process} of {_describe_place(writer)} ({command})"


def _describe_place(writer: Writer) -> str:
    container = writer.container
    if container is None:
        return "the node itself"
    name = _escaped(container.name or container.id[:12])
    pod = f" in pod {_escaped(container.namespace)}/{_escaped(container.pod)}" if container.pod else ""
    return f"another container, {name}{pod}"


def _escaped(name: str) -> str:
    return printable(name.encode("utf-8", "surrogateescape"))


# The time of the write, UTC; with its date if the file was executed on another day.
def _format_time(time: datetime.datetime, ran: datetime.datetime) -> str:
    return f"{time:%H:%M:%S}" if time.date() == ran.date() else f"{time:%Y-%m-%d %H:%M:%S}"


# Names one path and the number of the others: a path with the executed file's own name if there is one, else the
# shortest.
def _list_paths(paths: Sequence[bytes], like: bytes) -> str:
    if not paths:
        return ""
    name = os.path.basename(like)
    first = min(paths, key=lambda path: (os.path.basename(path) != name, len(path), path))
    more = f" and {len(paths) - 1} more paths" if len(paths) > 1 else ""
    return printable(first) + more
