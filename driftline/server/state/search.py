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

from driftline.server.state.models import AlertPlace

__all__ = ["INDEX", "MAX_TEXT", "folded", "in_models", "with_text"]

INDEX = "alert_search"
"""Name of the index: in SQLite of a virtual table, whose own tables begin with it."""
MAX_TEXT = 4096
"""Number of characters kept for a place."""
_MAX_TRIGRAMS = 32  # more narrow the places no further


def folded(texts: Iterable[str]) -> str:
    """Return the search text of some texts: each on a line, without case."""
    return "\n".join(dict.fromkeys(text.casefold() for text in texts if text))[:MAX_TEXT]


def with_text(session: Session, text: str) -> sa.Select[str]:
    """Return the query of the ids of alerts that have a text in one of their places."""
    wanted = text.casefold()
    query = sa.select(AlertPlace.alert_id).where(AlertPlace.search.contains(wanted, autoescape=True))
    trigrams = dict.fromkeys(wanted[at : at + 3] for at in range(len(wanted) - 2))
    if session.get_bind().dialect.name != "sqlite" or not trigrams:
        return query
    terms = " AND ".join('"{}"'.format(trigram.replace('"', '""')) for trigram in list(trigrams)[:_MAX_TRIGRAMS])
    index = sa.table(INDEX, sa.column("rowid"), sa.column(INDEX))
    return query.where(AlertPlace.id.in_(sa.select(index.c.rowid).where(index.c[INDEX].op("MATCH")(terms))))


def in_models(_object: Any, name: str | None, _type: str, _reflected: object, _compared: object) -> bool:
    """Return whether an object of the database is to be compared with the models: all but the index."""
    return not (name or "").startswith(INDEX)
