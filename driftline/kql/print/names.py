"""Write names, and lines in brackets.

https://learn.microsoft.com/kusto/query/schema-entities/entity-names
"""

from __future__ import annotations

import re

from driftline.kql.parse import OPERATORS, SOURCES
from driftline.kql.parse.expressions import CONSTANTS
from driftline.kql.text import literals

__all__ = ["LEXED", "PLAIN", "block", "indented", "named", "value_of"]

INDENT = "    "
# Words that would be read as a keyword at some place, with the operators and sources added below.
CLAUSES = """
and or by on with from to step of in range between matches regex limit default where as asc desc nulls first
last to typeof others declare optional output let set alias restrict view partitioned cycles with_node_id
nodes edges like notlike has contains startswith endswith kind withsource with_source isfuzzy bagexpansion
with_itemindex flags strategy with_match_id hint in~ pack
""".split()  # noqa: SIM905 -- one word a line otherwise
RESERVED = frozenset([*CLAUSES, *OPERATORS, *SOURCES, *CONSTANTS])
PLAIN = re.compile(r"[$]?[A-Za-z_]\w*")
# Words that make a literal of a bracket without brackets inside.
LEXED = frozenset(["datetime", "date", "timespan", "time", "guid"])


def named(name: str) -> str:
    """Write a name, in brackets and quotes if a plain one could be read as something else."""
    return name if PLAIN.fullmatch(name) and name not in RESERVED else f"[{literals.string(name)}]"


def value_of(text: str) -> str:
    """Write the value of a setting, of which the tree has only the text."""
    return text if re.fullmatch(r"[A-Za-z_]\w*|\d+", text) else literals.string(text)


def indented(text: str) -> str:
    """Indent all lines but the first. No constant is printed on two lines, so none is changed."""
    return text.replace("\n", "\n" + INDENT)


def block(text: str) -> str:
    """Write lines between brackets, indented."""
    return indented("\n" + text) + "\n"
