"""Names that the shell completes: hunts, tables, alerts and pods.

The shell calls them at each press of the tab key, so each asks for little and imports what it needs itself. An error
gives no names: the shell has no place for a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["alerts", "hunts", "pods", "saved_hunts", "tables"]

_ALERTS = 200
_POD_ROWS = 20_000


def hunts(_: Any = None) -> Mapping[str, str]:
    """Return the hunts of the library with their titles, and the saved hunts."""
    from driftline import hunts as library  # noqa: PLC0415 -- see the module's docstring

    return {**{each.name: each.title for each in library.load().values()}, **dict.fromkeys(saved_hunts(), "saved")}


def saved_hunts(_: Any = None) -> Iterable[str]:
    """Return the names of the saved hunts."""
    from driftline.cli._shared import saved_hunts as saved  # noqa: PLC0415 -- see the module's docstring

    return saved.saved_names()


def tables(_: Any = None) -> Mapping[str, str]:
    """Return the hunting tables with their descriptions."""
    from driftline.events import TABLES  # noqa: PLC0415 -- see the module's docstring

    return {table.name: table.description for table in TABLES.values()}


def alerts(_: Any = None) -> Mapping[str, str]:
    """Return the ids of the newest alerts with their titles: of the server one is logged in to, else of the store."""
    from driftline.cli._shared import credentials, http_client  # noqa: PLC0415 -- see the module's docstring
    from driftline.cli._shared.options import DEFAULT_STORE  # noqa: PLC0415
    from driftline.errors import DriftlineError  # noqa: PLC0415
    from driftline.store.process.reader import open_reader  # noqa: PLC0415
    from driftline.store.query.row_query import RowQuery  # noqa: PLC0415

    try:
        known = credentials.load_credentials()
    except DriftlineError:
        with open_reader(DEFAULT_STORE) as reader:
            rows = reader.select(RowQuery(table="AlertInfo", limit=_ALERTS)).to_pylist()
        return {row["AlertId"]: row["Title"] for row in rows}
    with http_client.connect(known) as client:
        page = client.call("GET", f"/alerts?limit={_ALERTS}")
    return {item["id"]: item["title"] for item in page["items"]}


def pods(_: Any = None) -> Iterable[str]:
    """Return the names of the pods in the newest rows of the local store."""
    from driftline.cli._shared.options import DEFAULT_STORE  # noqa: PLC0415 -- see the module's docstring
    from driftline.store.process.reader import open_reader  # noqa: PLC0415
    from driftline.store.query.row_query import RowQuery  # noqa: PLC0415

    with open_reader(DEFAULT_STORE) as reader:
        rows = reader.select(RowQuery(table="CloudProcessEvents", limit=_POD_ROWS))
    return sorted({name for name in rows.column("KubernetesPodName").to_pylist() if name})
