"""Pages that hold while rows come and go: a cursor names the last row seen, not a number of rows."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from driftline.errors import InvalidInput

__all__ = ["Cursor", "Limit", "Page", "decode_cursor", "encode_cursor"]

Item = TypeVar("Item")

Limit = Annotated[int, Query(ge=1, le=1000, description="Most items a page may have")]
Cursor = Annotated[
    str, Query(max_length=512, description="`next` of the page before; opaque; empty for the first page")
]


class Page(BaseModel, Generic[Item]):
    """Some items, and the cursor of the page that follows."""

    items: list[Item]
    next: str = Field(default="", description="Cursor of the next page; empty on the last")


def encode_cursor(*values: str | int) -> str:
    """Make the cursor of the row whose sort key these values are."""
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[Any] | None:
    """Give the sort key a cursor names, ``None`` for the first page; raises ``InvalidInput``."""
    if not cursor:
        return None
    try:
        values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInput("cursor: expected the `next` of a page before") from error
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise InvalidInput("cursor: expected the `next` of a page of this list")
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
        raise InvalidInput("cursor: expected the `next` of a page of this list")
    return values
