"""Capture groups of a regular expression, found in its text.

``extract`` takes one group by its number, but DuckDB's ``regexp_extract`` numbers only nine groups. With every
other group rewritten to ``(?:…)``, the chosen group is the first one, whatever its number was.

"""

from __future__ import annotations

import re

__all__ = ["SET", "groups", "only"]

SET = r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]"
"""Pattern of a character class such as ``[^]a-z[:alpha:]]``; parentheses within it are no groups."""
# An escape or a class (skipped), or an opening parenthesis: with a name, or plain; ``(?:``, ``(?i)`` do not match.
GROUP = re.compile(rf"\\.|{SET}|\((\?P?<(\w+)>|(?!\?))", re.DOTALL)


def groups(pattern: str) -> list[str]:
    """Return the names of a regular expression's capture groups in order, empty for a group without a name.

    ``(a)(?<n>b)(?:c)`` has the groups ``["", "n"]``.
    """
    return [match[2] or "" for match in GROUP.finditer(pattern) if match[1] is not None]


def only(pattern: str, place: int) -> str:
    """Return a regular expression with one capture group left, the others made ``(?:…)``.

    ``place`` counts from 1; 0 keeps none. Of ``(a)(b)`` and 2 remains ``(?:a)(b)``.
    """
    count = 0

    def kept(match: re.Match[str]) -> str:
        nonlocal count
        if match[1] is None:
            return match[0]
        count += 1
        return "(" if count == place else "(?:"

    return GROUP.sub(kept, pattern)
