"""The verdict in words, for people: what lies where, who wrote it, what the image has."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence

from driftline.events import Content, Origin, Subject
from driftline.verdict.facts import Execution, FileFacts, Writer
from driftline.verdict.origin import FileLocation
from driftline.verdict.printable import printable

__all__ = ["explain", "explain_untouched"]

_SUBJECTS = {
    Subject.BINARY: "",
    Subject.SCRIPT: "the script ",
    Subject.LIBRARY: "the library ",
    Subject.LOADER: "the program for ld.so ",
}

_CONTENTS = {
    Content.IDENTICAL: "its bytes are those that {image} has there",
    Content.RELOCATED: "{image} has these bytes at {elsewhere}",
    Content.MODIFIED: "{image} has other bytes at this path",
    Content.ADDED: "no layer of {image} contains it",
    Content.UNVERIFIED: "its content is not verified: {why}",
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
    """Explain the common case: a file of a read-only layer, where the image put it."""
    subject = execution.subject
    prefix = "" if subject is Subject.BINARY else _SUBJECTS[subject]
    return f"{prefix}{printable(execution.file.path)} is an untouched file of {execution.image or 'the image'}"


def explain(
    execution: Execution, location: FileLocation, content: Content, *, why: str = "", elsewhere: Sequence[bytes] = ()
) -> str:
    """Explain any other case. ``why`` is why the content is unverified, or a remark on it."""
    relation = _CONTENTS[content].format(
        image=execution.image or "the image", elsewhere=_list_paths(elsewhere, location.path), why=why
    )
    remark = f" ({why})" if why and content != Content.UNVERIFIED else ""
    subject = _SUBJECTS[execution.subject] + printable(location.path)
    return f"{subject} {_history(execution, location)}; {relation}{remark}"


def _history(execution: Execution, location: FileLocation) -> str:
    where = _where(execution.file, location)
    writer = execution.file.writer
    if writer is None:
        return where or "lies in the container's writable layer"
    written = f"was written at {_time(writer.time, execution.time)} by {_who(writer)}"
    return f"{where} and {written}" if where else written


# Empty for what a writer alone explains: a new file in the writable layer.
def _where(file: FileFacts, location: FileLocation) -> str:
    phrase = _COPIED_UP if location.origin == Origin.WRITABLE_LAYER and file.lowers else _ORIGINS[location.origin]
    at = f" at {printable(location.mount)}" if location.mount else ""
    return phrase.format(volume=location.volume, at=at, fs_type=file.fs_type)


def _who(writer: Writer) -> str:
    name = os.path.basename(writer.program) or writer.comm
    return f"pid {writer.pid} `{printable(name)}`"


def _time(time: datetime.datetime, ran: datetime.datetime) -> str:
    return f"{time:%H:%M:%S}" if time.date() == ran.date() else f"{time:%Y-%m-%d %H:%M:%S}"


def _list_paths(paths: Sequence[bytes], like: bytes) -> str:
    if not paths:
        return ""
    name = os.path.basename(like)
    first = min(paths, key=lambda path: (os.path.basename(path) != name, len(path), path))
    more = f" and {len(paths) - 1} more paths" if len(paths) > 1 else ""
    return printable(first) + more
