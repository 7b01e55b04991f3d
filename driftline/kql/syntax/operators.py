"""Tabular operators: the steps of a pipeline after its source.

The name of a node is the name of its Kusto page: ``TopNested`` is documented under ``…/top-nested-operator``.
https://learn.microsoft.com/kusto/query/tabular-operators
"""

from __future__ import annotations

from dataclasses import dataclass

from driftline.kql.syntax.base import Expr, Node, Operator
from driftline.kql.syntax.expressions import Call, Name, Named, TypedName
from driftline.kql.syntax.tables import Parameter

__all__ = [
    "As",
    "Columns",
    "Count",
    "Edge",
    "Evaluate",
    "Expanded",
    "GetSchema",
    "GraphMarkComponents",
    "GraphMatch",
    "GraphToTable",
    "Invoke",
    "Join",
    "Key",
    "Limit",
    "MakeGraph",
    "MakeSeries",
    "MvApply",
    "MvExpand",
    "NestedLevel",
    "Parse",
    "ParseKv",
    "Partition",
    "Path",
    "Reduce",
    "Render",
    "SampleDistinct",
    "Scan",
    "ScanStep",
    "Serialize",
    "Series",
    "Sort",
    "Summarize",
    "Top",
    "TopHitters",
    "TopNested",
    "Unsupported",
    "Where",
]


@dataclass(frozen=True, slots=True)
class Where(Operator):
    """``where predicate``."""

    predicate: Expr


@dataclass(frozen=True, slots=True)
class Columns(Operator):
    """An operator that is a list of columns or of named values; ``op`` is its name.

    project, project-away, project-keep, project-rename, project-reorder, extend, distinct.
    """

    op: str
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Summarize(Operator):
    """``summarize aggregates by groups``."""

    aggregates: tuple[Named, ...]
    groups: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Key(Node):
    """A sort key, or a value to be the greatest by."""

    value: Expr
    descending: bool | None = None
    """``None`` if the query does not say: descending."""
    nulls: str | None = None
    """``first`` or ``last``; ``None`` if the query does not say."""


@dataclass(frozen=True, slots=True)
class Sort(Operator):
    """``sort by keys``."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Top(Operator):
    """``top count by keys``."""

    count: Expr
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class NestedLevel(Node):
    """One level of top-nested: ``count of value with others = x by aggregate order``."""

    count: Expr | None
    """How many groups to keep; ``None`` keeps all."""
    value: Named
    others: Expr | None
    """Label of the row that sums up the rest; ``None`` if the level has no such row."""
    aggregate: Named
    descending: bool | None = None


@dataclass(frozen=True, slots=True)
class TopNested(Operator):
    """``top-nested …, top-nested …``."""

    levels: tuple[NestedLevel, ...]


@dataclass(frozen=True, slots=True)
class TopHitters(Operator):
    """``top-hitters count of value by weight``."""

    count: Expr
    value: Expr
    weight: Expr | None


@dataclass(frozen=True, slots=True)
class Reduce(Operator):
    """``reduce kind=kind by value with threshold=x, characters=y``."""

    kind: str
    value: Expr
    threshold: Expr | None
    characters: Expr | None


@dataclass(frozen=True, slots=True)
class Limit(Operator):
    """``take count`` (or limit), ``sample count``; ``op`` is take or sample."""

    op: str
    count: Expr


@dataclass(frozen=True, slots=True)
class SampleDistinct(Operator):
    """``sample-distinct count of value``."""

    count: Expr
    value: Expr


@dataclass(frozen=True, slots=True)
class Count(Operator):
    """``count``: the number of rows."""


@dataclass(frozen=True, slots=True)
class GetSchema(Operator):
    """``getschema``: a row for each column."""


@dataclass(frozen=True, slots=True)
class Serialize(Operator):
    """``serialize items``."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Join(Operator):
    """``join parameters (table) on conditions``, or ``lookup``; ``op`` is the name."""

    op: str
    parameters: tuple[Parameter, ...]
    table: Expr
    conditions: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Expanded(Node):
    """One column of mv-expand or mv-apply: ``name = value to typeof(type)``."""

    item: Named
    type: str | None = None


@dataclass(frozen=True, slots=True)
class MvExpand(Operator):
    """``mv-expand columns limit n``."""

    parameters: tuple[Parameter, ...]
    items: tuple[Expanded, ...]
    limit: Expr | None = None


@dataclass(frozen=True, slots=True)
class MvApply(Operator):
    """``mv-apply columns limit n on (pipeline)``."""

    parameters: tuple[Parameter, ...]
    items: tuple[Expanded, ...]
    limit: Expr | None
    body: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Parse(Operator):
    """``parse`` or ``parse-where``: a text, and a pattern of constants, columns and stars."""

    op: str
    parameters: tuple[Parameter, ...]
    value: Expr
    pattern: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ParseKv(Operator):
    """``parse-kv value as (columns) with (settings)``."""

    value: Expr
    columns: tuple[TypedName, ...]
    settings: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Series(Node):
    """One aggregate of make-series, with the default for bins without rows."""

    aggregate: Named
    default: Expr | None


@dataclass(frozen=True, slots=True)
class MakeSeries(Operator):
    """``make-series aggregates on axis from start to stop step step by groups``."""

    parameters: tuple[Parameter, ...]
    series: tuple[Series, ...]
    axis: Named
    start: Expr | None
    stop: Expr | None
    step: Expr
    groups: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class As(Operator):
    """``as parameters name``: a name for the table so far, within the rest of the pipeline."""

    parameters: tuple[Parameter, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Partition(Operator):
    """``partition by column (pipeline)``, or ``partition by column {source | pipeline}``."""

    parameters: tuple[Parameter, ...]
    column: Name
    body: tuple[Operator, ...]
    source: Expr | None = None
    """Pipeline in braces, which has a source of its own; the body is empty then."""


@dataclass(frozen=True, slots=True)
class ScanStep(Node):
    """One step of scan: ``step name output=o: condition => column = value``."""

    name: str
    optional: bool
    output: str
    """Matching rows to show: ``all``, ``last`` (of each run of matches) or ``none``."""
    condition: Expr
    assignments: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Scan(Operator):
    """``scan declare (columns) with (steps)``."""

    parameters: tuple[Parameter, ...]
    declared: tuple[tuple[TypedName, Expr | None], ...]
    steps: tuple[ScanStep, ...]


@dataclass(frozen=True, slots=True)
class Render(Operator):
    """``render kind with (settings)``: a request for a chart, which changes no row."""

    kind: str
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Evaluate(Operator):
    """``evaluate plugin(arguments) : (columns)``."""

    call: Call
    schema: tuple[TypedName, ...] = ()
    whole: bool = False
    """Whether the declared columns begin with ``*``, all columns of the source."""


@dataclass(frozen=True, slots=True)
class Invoke(Operator):
    """``invoke function(arguments)``."""

    call: Call


@dataclass(frozen=True, slots=True)
class MakeGraph(Operator):
    """``make-graph source --> target with nodes on key``, or ``with_node_id=name``."""

    source: str
    target: str
    nodes: tuple[tuple[Expr, str], ...] = ()
    node_id: str = ""


@dataclass(frozen=True, slots=True)
class Edge(Node):
    """An edge of a pattern; with neither direction, it matches both."""

    name: str
    forward: bool
    backward: bool
    length: tuple[int, int] = (1, 1)
    """Least and greatest number of edges on the way."""


@dataclass(frozen=True, slots=True)
class Path(Node):
    """A path of a pattern: ``(a)-[e]->(b)…``."""

    nodes: tuple[str, ...]
    """Names of the nodes; empty texts for nodes without a name."""
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class GraphMatch(Operator):
    """``graph-match paths where predicate project items``, or ``graph-shortest-paths``."""

    cycles: str
    """``all``, ``none`` or ``unique_edges``: which nodes or edges may occur again in a match."""
    paths: tuple[Path, ...]
    predicate: Expr | None
    items: tuple[Named, ...]
    shortest: str = ""
    """Paths to keep of each pair of ends: ``any`` shortest one, ``all`` shortest ones; empty for graph-match."""


@dataclass(frozen=True, slots=True)
class GraphMarkComponents(Operator):
    """``graph-mark-components kind=weak with_component_id=name``."""

    strong: bool = False
    """Whether a component needs paths both ways; else the direction of edges does not count."""
    name: str = "ComponentId"
    """Name of the nodes' new property."""


@dataclass(frozen=True, slots=True)
class GraphToTable(Operator):
    """``graph-to-table nodes`` or ``edges``, with hashes of the nodes' identifiers."""

    what: str
    ids: tuple[tuple[str, str], ...] = ()
    """Pairs of ``with_node_id``, ``with_source_id`` or ``with_target_id`` and the name of the new column."""


@dataclass(frozen=True, slots=True)
class Unsupported(Operator):
    """An operator that the parser knows and the binder refuses; its text is kept for the printer."""

    op: str
    text: str
