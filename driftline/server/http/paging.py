"""Paged lists by keyset: a cursor has the sort key of the last row, not an offset.

Rows that are added or removed between two requests so neither repeat nor skip other rows. Cursors are not
signed: an endpoint checks the permissions of every request, and a forged cursor only starts elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from driftline.errors import InvalidInput

__all__ = ["Cursor", "Limit", "Page", "decode_cursor", "encode_cursor", "page_of"]

Item = TypeVar("Item")
Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=1000, description="Maximum number of items of the page")]
Cursor = Annotated[
    str,
    Query(
        max_length=512, description="Value of `next` of the previous page, which is opaque; empty for the first page"
    ),
]


class Page(BaseModel, Generic[Item]):
    """One page of a list, and the cursor of the next page."""

    items: list[Item]
    next: str = Field(default="", description="Cursor of the next page; empty on the last page")


def page_of(
    rows: Sequence[Row], *, limit: int, item: Callable[[Row], Item], key: Callable[[Row], tuple[str | int, ...]]
) -> Page[Item]:
    """Return a page of the first ``limit`` rows.

    ``rows`` are queried with ``limit + 1``, so that the row too many shows that there is a next page. ``item`` makes
    an item of a row; ``key`` gives a row's sort key, for the cursor.
    """
    shown = rows[:limit]
    more = encode_cursor(*key(shown[-1])) if len(rows) > limit else ""
    return Page(items=[item(row) for row in shown], next=more)


def encode_cursor(*values: str | int) -> str:
    """Return the cursor of the row with these values as its sort key."""
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[Any] | None:
    """Return the sort key in a cursor, with values of the types ``kinds``; ``None`` for the first page.

    Raises ``InvalidInput`` for a text that ``encode_cursor`` has not made for a list of this kind.
    """
    if not cursor:
        return None
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInput("cursor: expected the `next` of the previous page") from error
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise InvalidInput("cursor: expected the `next` of a page of this list")
    # A larger number would overflow the 64-bit integers of the database.
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
        raise InvalidInput("cursor: expected the `next` of a page of this list")
    return values
