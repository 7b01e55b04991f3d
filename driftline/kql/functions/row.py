"""The row that describes one KQL function, aggregate, window function or scalar operator.

Everything the compiler knows about a function by its name is a field of its row: the SQL for each
engine, the name of an unnamed result column, how large a result may become, and what the rewrites
may assume. A field that a row does not set has the default that is correct for most functions, so
a new function needs no entry anywhere else.

SQL is a template, which sqlglot parses at first use. ``_0``, ``_1`` … are the expression trees of
the arguments; ``_all`` is the list of all arguments. A mapping chooses the template by the Kusto
type of the first argument, with ``*`` for all other types. An engine without a template refuses
the function, unless ``driftline.kql.dialects`` emits it by code.

The templates for both engines stand side by side in the row, not in one file for each engine: they
must mean the same, a change of one needs a look at the other, about half of them are made of one
shared formula (``driftline.kql.functions.series``, ``units``, ``ip_addresses``), and a new function is
a change in one place. A template that is longer than a line is written over several indented lines;
``single_line`` joins them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Literal, TypeVar

__all__ = ["Aggregate", "Function", "Growth", "Sql", "WindowFunction", "refused", "rows", "single_line"]

Sql = str | Mapping[str, str] | None
Pair = tuple[Sql, Sql]
Row = TypeVar("Row", bound="Function")


class Growth(enum.Enum):
    """Rule for the size of a result that is not a factor on the sum of the arguments' sizes.

    ``driftline.kql.rewrite.growth`` holds the computation of each.
    """

    LARGEST = enum.auto()
    """One of the arguments, such as ``iff``."""
    GROUP = enum.auto()
    """Values of all rows of a group, such as ``make_list``."""
    UNBOUNDED = enum.auto()
    """Not known before the function runs, such as decompression."""
    REPEATED = enum.auto()
    """The first argument as often as the second one says, such as ``strrep``."""
    STEPS = enum.auto()
    """As many elements as steps fit between two numbers, such as ``range``."""
    STEPS_IN_TICKS = enum.auto()
    """The same between two datetimes in microseconds, with a step in ticks of 100 ns."""
    REPLACED_TEXT = enum.auto()
    """The text with a replacement for each occurrence of another text."""
    REPLACED_PATTERN = enum.auto()
    """The text with a replacement for each match of a regular expression, at most one a character."""
    DELIMITED_ARRAY = enum.auto()
    """The elements of the first argument with the second argument between them."""
    DELIMITED_ARGUMENTS = enum.auto()
    """All arguments with the first one between them."""


@dataclass(frozen=True)
class Function:
    """A scalar function or operator."""

    name: str
    types: InitVar[str]
    """Types of the parameters, separated by spaces; see ``parameters``."""
    result: str
    """Kusto type of the result, ``same`` (as the first argument) or ``common`` (of all arguments)."""
    _: KW_ONLY
    duckdb: Sql = None
    """Template for DuckDB."""
    clickhouse: Sql = None
    """Template for ClickHouse."""
    both: InitVar[Sql] = None
    """Template for both engines, in place of ``duckdb`` and ``clickhouse``."""
    sql: InitVar[Pair | None] = None
    """Templates for DuckDB and for ClickHouse, as the helpers of ``driftline.kql.functions`` return them."""
    only_on: Literal["duckdb", "clickhouse", ""] = ""
    """Dialect that alone has the function, so that the other one refuses it; empty if both have it."""
    used_by: str = ""
    """Operator, plugin or function that alone calls a function that a query cannot name; a refusal names it."""
    doc: str = ""
    """Line of the reference page; empty for a function that only the binder and the rewrites use."""
    defaults: tuple[object, ...] = ()
    """Values of the optional parameters that a call leaves out, in their order; null behind the last one."""
    aliases: tuple[str, ...] = ()
    """Other names by which a query may call the function."""
    refused: str = ""
    """Reason why a query may not call the function; empty if it may."""
    parameters: tuple[str, ...] = field(init=False)
    """Kusto types, or ``any``, ``number`` (int, long, real), ``span`` (number or timespan), ``text`` (any type,
    converted to a string), ``regex`` (a string that holds a regular expression), ``json`` (any type, converted to
    dynamic). A ``?`` at the end marks an optional parameter; a ``*`` lets the last parameter repeat."""

    column_name: str | None = None
    """Name of an unnamed result column, with ``{0}`` and ``{1}`` for the names of the arguments; None numbers it."""
    alias_column_name: str | None = None
    """The same for a call by an alias; None for no difference."""
    columns: tuple[tuple[str, str], ...] = ()
    """Names and Kusto types of the columns into which ``extend`` splits the result; empty for a single column."""
    column_for_each_argument: bool = False
    """Whether ``extend`` splits the result into a column for each argument that is an array."""

    growth: Growth | float = 1.0
    """Size of a string or dynamic result: a factor on the sum of the arguments' sizes, or a rule."""
    volatile: bool = False
    """Whether each evaluation gives another value, so that no rewrite may move or repeat the call."""
    argument_uses: int = 1
    """Times that SQL which is emitted by code, not by a template, repeats each argument."""

    false_if_empty: bool = False
    """Whether an empty first argument gives false and a null one null, if the others are non-empty constants."""
    equality: bool = False
    """Whether the condition compares a column with constants, so that few rows meet it."""
    any_of: bool = False
    """Whether the condition holds if the first argument matches one of all others, such as ``in``."""
    term_bounds: tuple[bool, bool] | Literal["pattern"] | None = None
    """Whether a matched text begins and ends at the ends of terms; ``pattern``: the second argument says so."""
    in_filter: str = ""
    """Name of the simpler function for a filter, which drops null and false alike; empty for none."""
    among_few_rows: str = ""
    """Name of the function that is faster if another condition has dropped most rows; empty for none."""
    mirrored: str = ""
    """Comparison that means the same with both arguments exchanged; empty for none."""
    changes_case_only: bool = False
    """Whether the result is the first argument in lower or upper case."""
    reads_property: bool = False
    """Whether the result is a property or an element of a dynamic value."""
    symbol: str = ""
    """Operator between two arguments in an explained plan; empty for the form of a call."""

    @property
    def refuses_subqueries(self) -> bool:
        """Whether the template for DuckDB has a lambda or TRY, which cannot hold a subquery."""
        return any(word in str(self.duckdb) for word in ("lambda", "TRY("))

    @property
    def signature(self) -> str:
        """The function as the reference page shows it."""
        return f"{self.name}({', '.join(self.parameters)}): {self.result}"

    def __post_init__(self, types: str, both: Sql, sql: Pair | None) -> None:
        duckdb, clickhouse = sql or ((both, both) if both is not None else (self.duckdb, self.clickhouse))
        object.__setattr__(self, "parameters", tuple(types.split()))
        object.__setattr__(self, "duckdb", _single_lines(duckdb))
        object.__setattr__(self, "clickhouse", _single_lines(clickhouse))

    def template(self, dialect: str) -> Sql:
        """Return the template for a dialect, None if that engine has none."""
        return self.duckdb if dialect == "duckdb" else self.clickhouse


@dataclass(frozen=True)
class Aggregate(Function):
    """A function of all rows of a group.

    ``result`` may also be ``sum`` (as the first argument, but long for int) or ``average`` (timespan and datetime
    as they are, else real). The result column is named after the function and its first argument by default.
    """

    gathers: str = ""
    """Name of the aggregate that collects the values; empty for an aggregate with a template of its own."""
    gathers_dynamic: str = ""
    """The same for values of type dynamic; empty for no difference."""
    gathers_all: bool = False
    """Whether the second argument is an accuracy, which has no effect here, and not a limit."""
    of_measures: bool = False
    """Whether values must be numbers, datetimes or timespans."""
    each: str = ""
    """Name of the aggregate whose results for each last argument make the array; empty for none."""
    across_columns: str = ""
    """Name of the scalar function for a call with several columns; empty for none."""
    counts: bool = False
    """Whether no rows give 0 rather than null."""

    def __post_init__(self, types: str, both: Sql, sql: Pair | None) -> None:
        Function.__post_init__(self, types, both, sql)
        if self.column_name is None:
            object.__setattr__(self, "column_name", f"{self.name}_{{0}}")


@dataclass(frozen=True)
class WindowFunction(Function):
    """A function of other rows of a serialized table."""

    reads_other_row: bool = False
    """Whether the result is the value of a row before or after."""


def refused(reason: str, names: str) -> list[Function]:
    """Return rows for functions, separated by spaces, that a query may not call."""
    return [Function(name, "", "", refused=reason) for name in names.split()]


def rows(table: Iterable[Row]) -> dict[str, Row]:
    """Return the rows by name; a name that stands twice raises ``ValueError``."""
    found: dict[str, Row] = {}
    for row in table:
        if row.name in found:
            raise ValueError(row.name)
        found[row.name] = row
    return found


def single_line(template: str) -> str:
    """Return a template that is written over several lines as one line.

    A line break with its indentation becomes a space, but nothing behind an opening or before a closing bracket.
    """
    joined = re.sub(
        r"([(\[])\s*\n\s*|\s*\n\s*([)\]])", r"\1\2", template.strip("\n ") if "\n" in template else template
    )
    return re.sub(r"\s*\n\s*", " ", joined)


def _single_lines(sql: Sql) -> Sql:
    if isinstance(sql, str):
        return single_line(sql)
    return sql and {kind: single_line(template) for kind, template in sql.items()}
