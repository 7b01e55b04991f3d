"""The syntax tree: what the text says, before anyone asks what its names mean.

Frozen nodes; every node's ``span`` says where it stands and takes no part in comparisons,
so that a printed and parsed-again tree equals the first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from driftline.kql.text.problems import Span

NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Be the base of all nodes."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


# Scalar expressions


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant. ``value`` is text as written for datetime, timespan and guid, ``None`` for null."""

    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A column, a let name or a table: the binder knows."""

    name: str


@dataclass(frozen=True, slots=True)
class Star(Node):
    """``*``, or a name with a wildcard (``Dev*``), and in project-reorder the order of what it matches."""

    pattern: str = "*"
    order: str = ""


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``base.name``."""

    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``base[index]``."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``name(arguments)``."""

    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-x`` or ``+x``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``left op right``: arithmetic, comparison, string operators."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """``a and b and c``: flat, because hunts chain hundreds."""

    op: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class In(Node):
    """``left op (items)`` for in, !in, in~, !in~, has_any, has_all."""

    op: str
    left: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Between(Node):
    """``left between (low .. high)``; ``op`` may be negated."""

    op: str
    left: Expr
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class Named(Node):
    """``name = value``, ``(a, b) = value``, or just ``value`` (no names)."""

    names: tuple[str, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class TypedName(Node):
    """``name: type``."""

    name: str
    type: str


# Tabular expressions


@dataclass(frozen=True, slots=True)
class Pipe(Node):
    """``source | operator | …``."""

    source: Expr
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Datatable(Node):
    """``datatable (columns) [values]``."""

    columns: tuple[TypedName, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Range(Node):
    """``range name from start to stop step step``."""

    name: str
    start: Expr
    stop: Expr
    step: Expr


@dataclass(frozen=True, slots=True)
class Print(Node):
    """``print values``."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Union(Node):
    """``union tables``, at the head of a pipe or within it."""

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere(Node):
    """A table we know how to read about, not how to read: externaldata, ``cluster(…).database(…).T``.

    Its text is kept for the printer.
    """

    what: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Find(Node):
    """``find in (tables) where predicate project columns``."""

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]
    predicate: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Search(Node):
    """``search in (tables) predicate``."""

    parameters: tuple[Parameter, ...]
    tables: tuple[Expr, ...]
    predicate: Expr


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """``name=value`` behind an operator's name (``kind=leftouter``)."""

    name: str
    value: str


# Operators


@dataclass(frozen=True, slots=True)
class Where(Node):
    """``where predicate``."""

    predicate: Expr


@dataclass(frozen=True, slots=True)
class Columns(Node):
    """An operator that is a list of columns or named values; ``op`` says which.

    project, project-away, project-keep, project-rename, project-reorder, extend, distinct.
    """

    op: str
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Summarize(Node):
    """``summarize aggregates by groups``."""

    aggregates: tuple[Named, ...]
    groups: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Key(Node):
    """A sort key; ``descending`` and ``nulls`` ("first", "last") are None where not said."""

    value: Expr
    descending: bool | None = None
    nulls: str | None = None


@dataclass(frozen=True, slots=True)
class Sort(Node):
    """``sort by keys``."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Top(Node):
    """``top count by keys``."""

    count: Expr
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class NestedLevel(Node):
    """One level of top-nested: ``count of value with others = x by aggregate order``."""

    count: Expr | None
    value: Named
    others: Expr | None
    aggregate: Named
    descending: bool | None = None


@dataclass(frozen=True, slots=True)
class TopNested(Node):
    """``top-nested …, top-nested …``."""

    levels: tuple[NestedLevel, ...]


@dataclass(frozen=True, slots=True)
class TopHitters(Node):
    """``top-hitters count of value by weight``."""

    count: Expr
    value: Expr
    weight: Expr | None


@dataclass(frozen=True, slots=True)
class Reduce(Node):
    """``reduce kind=kind by value with threshold=x, characters=y``."""

    kind: str
    value: Expr
    threshold: Expr | None
    characters: Expr | None


@dataclass(frozen=True, slots=True)
class Limit(Node):
    """``take count`` or ``sample count``."""

    op: str
    count: Expr


@dataclass(frozen=True, slots=True)
class SampleDistinct(Node):
    """``sample-distinct count of value``."""

    count: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Plain(Node):
    """An operator without arguments of its own: count, getschema, serialize without items."""

    op: str


@dataclass(frozen=True, slots=True)
class Serialize(Node):
    """``serialize items``."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Join(Node):
    """``join`` or ``lookup``."""

    op: str
    parameters: tuple[Parameter, ...]
    table: Expr
    conditions: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Expanded(Node):
    """One column of mv-expand: ``name = value to typeof(type)``."""

    item: Named
    type: str | None = None


@dataclass(frozen=True, slots=True)
class MvExpand(Node):
    """``mv-expand columns limit n``."""

    parameters: tuple[Parameter, ...]
    items: tuple[Expanded, ...]
    limit: Expr | None = None


@dataclass(frozen=True, slots=True)
class MvApply(Node):
    """``mv-apply columns limit n on (pipeline)``."""

    parameters: tuple[Parameter, ...]
    items: tuple[Expanded, ...]
    limit: Expr | None
    body: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Parse(Node):
    """``parse`` and ``parse-where``: a pattern of texts, columns and stars."""

    op: str
    parameters: tuple[Parameter, ...]
    value: Expr
    pattern: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ParseKv(Node):
    """``parse-kv value as (columns) with (settings)``."""

    value: Expr
    columns: tuple[TypedName, ...]
    settings: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Series(Node):
    """One aggregate of make-series, with its default."""

    aggregate: Named
    default: Expr | None


@dataclass(frozen=True, slots=True)
class MakeSeries(Node):
    """``make-series aggregates on axis from a to b step c by groups``."""

    parameters: tuple[Parameter, ...]
    series: tuple[Series, ...]
    axis: Named
    start: Expr | None
    stop: Expr | None
    step: Expr
    groups: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class As(Node):
    """``as name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Partition(Node):
    """``partition by column (pipeline)``."""

    parameters: tuple[Parameter, ...]
    column: Expr
    body: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class ScanStep(Node):
    """One step of scan: ``step name: condition => column = value``."""

    name: str
    optional: bool
    output: str
    condition: Expr
    assignments: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Scan(Node):
    """``scan declare (columns) with (steps)``."""

    parameters: tuple[Parameter, ...]
    declared: tuple[tuple[TypedName, Expr | None], ...]
    steps: tuple[ScanStep, ...]


@dataclass(frozen=True, slots=True)
class Render(Node):
    """``render kind with (settings)``: a hint for the chart, which changes no row."""

    kind: str
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Evaluate(Node):
    """``evaluate plugin(arguments) : (schema)``; ``whole`` if the schema has a ``*``."""

    call: Call
    schema: tuple[TypedName, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Invoke(Node):
    """``invoke function(arguments)``."""

    call: Call


@dataclass(frozen=True, slots=True)
class MakeGraph(Node):
    """``make-graph source --> target with nodes on key``, or ``with_node_id=name``."""

    source: str
    target: str
    nodes: tuple[tuple[Expr, str], ...] = ()
    node_id: str = ""


@dataclass(frozen=True, slots=True)
class Edge(Node):
    """An edge of a pattern, ``length`` edges long at least and at most; with no direction, either."""

    name: str
    forward: bool
    backward: bool
    length: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class Path(Node):
    """``(a)-[e]->(b)…``: names of nodes ("" for none), and the edges between them."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class GraphMatch(Node):
    """``graph-match paths where predicate project items``."""

    cycles: str
    paths: tuple[Path, ...]
    predicate: Expr | None
    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class GraphToTable(Node):
    """``graph-to-table nodes`` or ``edges``."""

    what: str


@dataclass(frozen=True, slots=True)
class Unsupported(Node):
    """An operator we know of and refuse; its text is kept for the printer."""

    op: str
    text: str


# Statements


@dataclass(frozen=True, slots=True)
class FunctionParameter(Node):
    """A parameter of a function: scalar (``type``) or tabular (``columns``; "*" means any)."""

    name: str
    type: str = ""
    columns: tuple[TypedName, ...] | None = None
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class Function(Node):
    """``(parameters) { statements; expression }``; a view is a table to those who ask for all."""

    parameters: tuple[FunctionParameter, ...]
    statements: tuple[Statement, ...]
    body: Expr
    view: bool = False


@dataclass(frozen=True, slots=True)
class Let(Node):
    """``let name = value``."""

    name: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Declare(Node):
    """``declare query_parameters (…)``."""

    parameters: tuple[FunctionParameter, ...]


@dataclass(frozen=True, slots=True)
class Set(Node):
    """``set option = value``; those without an ``expression`` have no effect here."""

    name: str
    value: str
    expression: Expr | None = None


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A whole query: statements, then one expression."""

    statements: tuple[Statement, ...]
    body: Expr


Operator = (
    Where
    | Columns
    | Summarize
    | Sort
    | Top
    | TopNested
    | TopHitters
    | Reduce
    | Limit
    | SampleDistinct
    | Plain
    | Serialize
    | Join
    | Union
    | MvExpand
    | MvApply
    | Parse
    | ParseKv
    | MakeSeries
    | As
    | Partition
    | Scan
    | Render
    | Evaluate
    | Invoke
    | Search
    | MakeGraph
    | GraphMatch
    | GraphToTable
    | Unsupported
)
Expr = (
    Literal
    | Name
    | Star
    | Member
    | Index
    | Call
    | Unary
    | Binary
    | Junction
    | In
    | Between
    | Named
    | TypedName
    | Pipe
    | Datatable
    | Range
    | Print
    | Union
    | Find
    | Search
    | Elsewhere
    | Function
)
Statement = Let | Declare | Set


def mapped(node: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Change the parts of a scalar expression."""
    changed = {}
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, Node):
            changed[each.name] = change(value)  # type: ignore[arg-type]  # operators stand in no expression
        elif isinstance(value, tuple) and value and all(isinstance(part, Node) for part in value):
            changed[each.name] = tuple(map(change, value))  # type: ignore[assignment]  # as above
    return replace(node, **changed) if changed else node  # type: ignore[arg-type]  # fields of this node
