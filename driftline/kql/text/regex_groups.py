"""Groups of regular expressions, found in their text."""

from __future__ import annotations

import re

__all__ = ["SET", "groups", "only"]

SET = r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]"
"""What matches a set of characters in a regular expression."""
GROUP = re.compile(rf"\\.|{SET}|\((\?P?<(\w+)>|(?!\?))", re.DOTALL)


def groups(pattern: str) -> list[str]:
    """Name the groups of a regular expression, in order; nameless ones are empty."""
    return [match[2] or "" for match in GROUP.finditer(pattern) if match[1] is not None]


def only(pattern: str, place: int) -> str:
    """Leave one group of a regular expression: the first is 1, and 0 leaves none."""
    count = 0

    def kept(match: re.Match[str]) -> str:
        nonlocal count
        if match[1] is None:
            return match[0]
        count += 1
        return "(" if count == place else "(?:"

    return GROUP.sub(kept, pattern)
