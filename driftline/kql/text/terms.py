"""What a term is: a run of letters and digits, between separators or the ends of a text.

https://learn.microsoft.com/kusto/query/datatypes-string-operators#what-is-a-term
Every character beyond ASCII belongs to a term, here as in both engines' patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["SEPARATOR", "plain_terms"]

SEPARATOR = r"[\x00-/:-@\[-`{-\x7f]"
"""The pattern of a character that ends a term: all of ASCII but letters and digits."""

_TERM = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]+")


def plain_terms(text: str, *, begins: bool, ends: bool) -> Iterator[str]:
    """Give the terms that are in every text that holds this one, in lower case, as far as they are ASCII.

    ``begins`` says that where this text begins, a term begins; ``ends`` the same of its end.
    """
    for found in _TERM.finditer(text):
        whole = (begins or found.start() > 0) and (ends or found.end() < len(text))
        if whole and found[0].isascii():
            yield found[0].lower()
