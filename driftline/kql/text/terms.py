"""Terms of ``has``: runs of letters and digits, bounded by separators or the ends of the text.

Kusto's definition: https://learn.microsoft.com/kusto/query/datatypes-string-operators#what-is-a-term. Here each
character beyond ASCII belongs to a term, letter or not, so that the SQL patterns and the term index agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["SEPARATOR", "plain_terms"]

SEPARATOR = r"[\x00-/:-@\[-`{-\x7f]"
"""Pattern of one separator: any ASCII character except letters and digits."""

_TERM = re.compile(r"[0-9A-Za-z\x80-\U0010ffff]+")


def plain_terms(text: str, *, begins: bool, ends: bool) -> Iterator[str]:
    """Yield the ASCII terms, in lower case, of every text that contains ``text``.

    ``begins`` and ``ends``: the text begins or ends at a term boundary. ``contains "tc/shadow/x"`` guarantees the
    term ``shadow`` only, because ``tc`` and ``x`` may be parts of longer terms; ``has "tc/shadow/x"`` guarantees all
    three. Terms with other characters are left out, because lower-casing here covers ASCII only.
    """
    for found in _TERM.finditer(text):
        whole = (begins or found.start() > 0) and (ends or found.end() < len(text))
        if whole and found[0].isascii():
            yield found[0].lower()
