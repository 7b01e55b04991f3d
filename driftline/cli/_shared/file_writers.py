"""Writers of files, as a sensor's store on this node knows them: from the events of files that were executed."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from driftline.errors import DriftlineError
from driftline.printable import escape_unprintable

__all__ = ["Writers", "read_writers", "writer_facts", "writer_text"]

Writers = Mapping[tuple[str, str], Mapping[str, Any]]
"""Newest event of ``CloudProcessEvents`` that names a writer, by path and SHA-256 of the file."""

_MAX_EVENTS = 10_000
_FACTS = {
    "time": "WriteTime",
    "operation": "WriteOperation",
    "process_id": "WriterProcessId",
    "process_key": "WriterProcessKey",
    "process_name": "WriterProcessName",
    "command_line": "WriterProcessCommandLine",
    "place": "WriterPlace",
    "container": "WriterContainerId",
    "container_name": "WriterContainerName",
    "namespace": "WriterKubernetesNamespace",
    "pod": "WriterKubernetesPodName",
}


def read_writers(store: Path, container_id: str) -> Writers:
    """Return the writers of the files that a container executed.

    Empty if there is no store; one that cannot be read is a warning on standard error, since a scan needs no store.
    """
    from driftline.store.process.reader import is_store  # noqa: PLC0415

    if not is_store(store):
        return {}
    try:
        return _read(store, container_id)
    except DriftlineError as error:
        print(f"driftline: warning: no writers are shown: {error}", file=sys.stderr)
        return {}


def _read(store: Path, container_id: str) -> Writers:
    from driftline.store.process.reader import open_reader  # noqa: PLC0415
    from driftline.store.query.row_query import Filter, RowQuery  # noqa: PLC0415

    where = [Filter("ContainerId", "=", container_id), Filter("WriterProcessKey", "!=", "")]
    with open_reader(store) as reader:
        rows = reader.select(RowQuery(table="CloudProcessEvents", where=where, limit=_MAX_EVENTS)).to_pylist()
    # The newest come first, and replace the older ones.
    return {(f"{row['FolderPath'].rstrip('/')}/{row['FileName']}", row["SHA256"]): row for row in reversed(rows)}


def writer_facts(event: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the facts of an event's writer; ``None`` without an event. The time is ISO 8601, UTC."""
    if event is None:
        return None
    facts = {name: event[column] for name, column in _FACTS.items()}
    time = facts["time"]
    return facts | {"time": time.isoformat() if isinstance(time, datetime.datetime) else None}


def writer_text(event: Mapping[str, Any] | None) -> str:
    """Return a sentence that names an event's writer; "" without an event."""
    if event is None:
        return ""
    command = event["WriterProcessCommandLine"] or event["WriterProcessName"]
    names = (event["WriterKubernetesNamespace"], event["WriterKubernetesPodName"], event["WriterContainerName"])
    other = "/".join(filter(None, names)) or event["WriterContainerId"][:12]
    places = {"node": " on the node", "other-container": f" in another container ({other})"}
    place = places.get(event["WriterPlace"], "")
    return escape_unprintable(f"written by {command} (process {event['WriterProcessId']}){place}")
