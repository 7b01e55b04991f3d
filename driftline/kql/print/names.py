"""Names, and lines in brackets."""

from __future__ import annotations

import re

from driftline.kql.parse import OPERATORS, SOURCES
from driftline.kql.parse.expressions import CONSTANTS
from driftline.kql.text import literals

__all__ = ["LEXED", "PLAIN", "block", "indented", "named", "value_of"]

INDENT = "    "
CLAUSES = """
and or by on with from to step of in range between matches regex limit default where as asc desc nulls first
last to typeof others declare optional output let set alias restrict view partitioned cycles with_node_id
nodes edges like notlike has contains startswith endswith kind withsource with_source isfuzzy bagexpansion
with_itemindex flags strategy with_match_id hint in~ pack
""".split()  # noqa: SIM905 -- one word a line otherwise
RESERVED = frozenset([*CLAUSES, *OPERATORS, *SOURCES, *CONSTANTS])
PLAIN = re.compile(r"[$]?[A-Za-z_]\w*")
# Words before a bracket without brackets inside that the lexer takes for a constant.
LEXED = frozenset(["datetime", "date", "timespan", "time", "guid"])


def named(name: str) -> str:
    """Write a name where a plain one could be taken for something else in brackets."""
    return name if PLAIN.fullmatch(name) and name not in RESERVED else f"[{literals.string(name)}]"


def value_of(text: str) -> str:
    """Write a setting's value, of which the tree has the text alone."""
    return text if re.fullmatch(r"[A-Za-z_]\w*|\d+", text) else literals.string(text)


def indented(text: str) -> str:
    """Indent all lines but the first. No constant is printed on two lines, so none is changed."""
    return text.replace("\n", "\n" + INDENT)


def block(text: str) -> str:
    """Write lines to stand between brackets."""
    return indented("\n" + text) + "\n"
