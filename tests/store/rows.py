"""Rows of one stream for tests of a store opened in this process."""

from __future__ import annotations

import datetime

from driftline.events import Alert, CloudProcessEvent
from driftline.store.files.database import Database
from driftline.store.process.reader import Reader
from driftline.store.query.row_query import Filter, RowQuery

__all__ = ["NOW", "alert", "event", "names", "put"]

NOW = datetime.datetime.now(datetime.UTC)


def event(name: str, when: datetime.datetime = NOW) -> CloudProcessEvent:
    return CloudProcessEvent(Timestamp=when, FileName=name, PodLabels={"app": "web"})


def alert() -> Alert:
    return Alert(
        alert_id="a", timestamp=NOW, title="t", category="Execution", severity="High", attack_techniques=(),
        description="", event=event("alerting"), process_tree=(),
    )  # fmt: skip


def names(store: Reader | Database, *where: Filter) -> list[str]:
    query = RowQuery(table="CloudProcessEvents", where=where, order="FileName", limit=1_000_000)
    return [str(name) for name in store.select(query)["FileName"].to_pylist()]


def put(database: Database, *rows: CloudProcessEvent, sequence: int = 1) -> None:
    database.append({"CloudProcessEvents": rows}, stream="s", sequence=sequence)
