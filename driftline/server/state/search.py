"""Index of the texts of alerts: FTS5 with trigrams in SQLite, a GIN index of pg_trgm in PostgreSQL.

Each place of an alert has a text, ``AlertPlace.search``. A text of the user is looked for in it as a part, in any case.
The index narrows the places to those that have all trigrams of the text; the comparison with the stored text decides.
In SQLite the index stores neither positions nor the text (``detail=none``, external content), and triggers keep it.
A text of one or two characters has no trigram, and is looked for in all places.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from driftline.server.state.models import Alert, AlertPlace

__all__ = ["INDEX", "MAX_TEXT", "folded", "has_text", "in_models"]

INDEX = "alert_search"
"""Name of the index: in SQLite of a virtual table, whose own tables begin with it."""
MAX_TEXT = 4096
"""Number of characters kept for a place."""
_MANY = 5000  # places
_MAX_TRIGRAMS = 32  # more narrow the places no further


def folded(texts: Iterable[str]) -> str:
    """Return the search text of some texts: each on a line, without case."""
    return "\n".join(dict.fromkeys(text.casefold() for text in texts if text))[:MAX_TEXT]


def has_text(session: Session, text: str) -> sa.ColumnElement[bool]:
    """Return the condition on ``Alert`` that one of its places has a text."""
    wanted = text.casefold()
    query = sa.select(AlertPlace.alert_id).where(AlertPlace.search.contains(wanted, autoescape=True))
    trigrams = dict.fromkeys(wanted[at : at + 3] for at in range(len(wanted) - 2))
    if session.get_bind().dialect.name != "sqlite":
        return Alert.id.in_(query)
    found = _found(trigrams)
    # A text of many places is soon found in the newest alerts; for a rare one the index names all.
    if not trigrams or len(session.execute(found.limit(_MANY)).all()) == _MANY:
        return query.where(AlertPlace.alert_id == Alert.id).exists()
    return Alert.id.in_(query.where(AlertPlace.id.in_(found)))


def _found(trigrams: Iterable[str]) -> sa.Select[int]:
    terms = " AND ".join('"{}"'.format(trigram.replace('"', '""')) for trigram in list(trigrams)[:_MAX_TRIGRAMS])
    index = sa.table(INDEX, sa.column("rowid", sa.Integer), sa.column(INDEX, sa.String))
    return sa.select(index.c.rowid).where(index.c[INDEX].op("MATCH")(terms))


def in_models(_object: Any, name: str | None, _type: str, _reflected: object, _compared: object) -> bool:
    """Return whether an object of the database is to be compared with the models: all but the index."""
    return not (name or "").startswith(INDEX)
