"""Print lists of columns behind an operator's name or behind by, and sort directions."""

from __future__ import annotations

from collections.abc import Sequence

from driftline.kql.print.core import Printer
from driftline.kql.syntax import Expr

__all__ = ["after", "by", "direction"]


def after(to: Printer, items: Sequence[Expr]) -> str:
    """Write items behind an operator's name; nothing if there are none."""
    return f" {to.many(items)}" if items else ""


def by(to: Printer, groups: Sequence[Expr]) -> str:
    """Write the columns behind ``by``; nothing if there are none."""
    return f" by {to.many(groups)}" if groups else ""


def direction(descending: bool | None) -> str:
    """Write ``asc`` or ``desc``; nothing for ``None``, a direction that the query does not say."""
    return {None: "", True: " desc", False: " asc"}[descending]
