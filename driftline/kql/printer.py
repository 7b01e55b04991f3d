"""From the syntax tree back to text, in one canonical form; a pipeline has a step a line.

What the tree does not hold is not printed: hints, which change no answer, and how a constant was
spelt. Comments are no part of the tree; ``formatted`` keeps each, on lines of its own above the step
or statement that it trailed, stood in or stood before.

Parsing what is printed gives the same tree, and printing that the same text;
``tests/kql/test_printer.py`` holds both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from driftline import errors
from driftline.kql import syntax
from driftline.kql.expressions import CONSTANTS
from driftline.kql.parse import OPERATORS, SOURCES, parse
from driftline.kql.printing import comments, constants
from driftline.kql.problems import QueryProblem
from driftline.kql.syntax import Expr, Operator

__all__ = ["formatted", "printed"]

WIDEST = 100
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

PIPE, OR, AND, COMPARISON, SUM, PRODUCT, SIGN, POSTFIX = range(8)
SUMS, PRODUCTS = ("+", "-"), ("*", "/", "%")
TABULAR = (syntax.Pipe, syntax.Datatable, syntax.Range, syntax.Print, syntax.Union, syntax.Find, syntax.Search)


def printed(query: syntax.Query) -> str:
    """Write a query as canonical text, which ends in no newline."""
    return Printer({}).query(query)


def formatted(text: str) -> str:
    """Give a query's canonical text, with its comments; raises ``InvalidQuery`` if it cannot be parsed."""
    query = parse(text)
    try:
        kept, last = comments.placed(text, query)
        return "\n".join([Printer(kept).query(query), *last])
    except RecursionError:
        raise errors.InvalidQuery(QueryProblem("not supported: a query nested so deeply", 1, 1)) from None


def named(name: str) -> str:
    """Write a name where a plain one could be taken for something else in brackets."""
    return name if PLAIN.fullmatch(name) and name not in RESERVED else f"[{constants.string(name)}]"


def value_of(text: str) -> str:
    """Write a setting's value, of which the tree has the text alone."""
    return text if re.fullmatch(r"[A-Za-z_]\w*|\d+", text) else constants.string(text)


def indented(text: str) -> str:
    """Indent all lines but the first. No constant is printed on two lines, so none is changed."""
    return text.replace("\n", "\n" + INDENT)


def block(text: str) -> str:
    """Write lines to stand between brackets."""
    return indented("\n" + text) + "\n"


class Printer:
    """Print nodes, each kind by a row of the tables below."""

    def __init__(self, kept: Mapping[int, Sequence[str]]) -> None:
        self.kept = kept

    def query(self, query: syntax.Query) -> str:
        return self.lines(query.statements, query.body)

    def lines(self, statements: Iterable[syntax.Statement], body: Expr) -> str:
        parts = [self.noted(each) + STATEMENTS[type(each)](self, each) + ";" for each in statements]
        return "\n".join([*parts, self.pipeline(body)])

    def noted(self, node: syntax.Node) -> str:
        """Write the comments that stand above a node."""
        return "".join(line + "\n" for line in self.kept.get(id(node), ()))

    # Pipelines

    def pipeline(self, node: Expr) -> str:
        """Write a pipeline a step a line."""
        return self.noted(source_of(node)) + self.steps(node)

    def steps(self, node: Expr) -> str:
        if not isinstance(node, syntax.Pipe):
            return self.expr(node)
        rest = (self.noted(each) + "| " + self.operator(each) for each in node.operators)
        return "\n".join([self.expr(node.source, OR if not is_head(node.source) else PIPE), *rest])

    def operator(self, node: Operator) -> str:
        return OPERATOR_FORMS[type(node)](self, node)

    def inner(self, node: Expr) -> str:
        """Write what stands in brackets: a pipeline with steps on lines of its own."""
        broken = isinstance(node, syntax.Pipe) or id(source_of(node)) in self.kept
        return block(self.pipeline(node)) if broken else self.expr(node)

    def body(self, operators: tuple[Operator, ...]) -> str:
        first, *rest = operators
        lines = [
            self.noted(first) + self.operator(first),
            *(self.noted(each) + "| " + self.operator(each) for each in rest),
        ]
        return "(" + block("\n".join(lines)) + ")"

    # Lists

    def many(self, items: Iterable[Any], write: Callable[[Any], str] | None = None) -> str:
        """Write items with commas between, each on a line of its own if they are too long for one."""
        parts = [(write or self.expr)(item) for item in items]
        line = ", ".join(parts)
        if len(line) <= WIDEST or len(parts) == 1:
            return line
        return indented("\n" + ",\n".join(parts))

    def sole(self, items: Sequence[Expr]) -> Callable[[Expr], str]:
        """Give how to write them: a pipeline beside others in brackets, or its last step would take these in."""
        return self.inner if len(items) == 1 else self.value

    def typed(self, column: syntax.TypedName) -> str:
        return f"{named(column.name)}: {column.type}"

    def settings(self, parameters: Iterable[syntax.Parameter]) -> str:
        return "".join(f" {each.name}={value_of(each.value)}" for each in parameters)

    # Expressions

    def expr(self, node: Expr, least: int = PIPE) -> str:
        """Write an expression, in brackets if it binds less than ``least``."""
        if level(node) < least:
            return f"({self.inner(node)})"
        return EXPRESSION_FORMS[type(node)](self, node)

    def value(self, node: Expr) -> str:
        """Write a scalar expression, which is no pipeline unless in brackets."""
        return self.expr(node, OR)

    def table(self, node: Expr) -> str:
        return self.expr(node, POSTFIX)


def source_of(node: Expr) -> Expr:
    return node.source if isinstance(node, syntax.Pipe) else node


def is_head(node: Expr) -> bool:
    return isinstance(node, TABULAR) and not isinstance(node, syntax.Pipe)


def level(node: Expr) -> int:
    """Say how strongly a node holds together."""
    if isinstance(node, TABULAR):
        return PIPE
    if isinstance(node, syntax.Junction):
        return OR if node.op == "or" else AND
    if isinstance(node, syntax.Binary):
        return SUM if node.op in SUMS else PRODUCT if node.op in PRODUCTS else COMPARISON
    if isinstance(node, (syntax.In, syntax.Between)):
        return COMPARISON
    return SIGN if isinstance(node, syntax.Unary) else POSTFIX


# Expressions


def junction(to: Printer, node: syntax.Junction) -> str:
    inner = AND if node.op == "or" else COMPARISON
    parts = [to.expr(each, inner) for each in node.operands]
    line = f" {node.op} ".join(parts)
    if len(line) <= WIDEST:
        return line
    return indented(f"\n{node.op} ".join(parts))


def binary(to: Printer, node: syntax.Binary) -> str:
    own = level(node)
    return f"{to.expr(node.left, own)} {node.op} {to.expr(node.right, own + 1)}"


def within(to: Printer, node: syntax.In) -> str:
    return f"{to.expr(node.left, COMPARISON)} {node.op} ({to.many(node.items, to.sole(node.items))})"


def between(to: Printer, node: syntax.Between) -> str:
    return f"{to.expr(node.left, COMPARISON)} {node.op} ({to.value(node.low)} .. {to.value(node.high)})"


def based(to: Printer, node: Expr) -> str:
    text = to.table(node)
    return f"({text})" if isinstance(node, syntax.Literal) and node.type not in {"string", "dynamic"} else text


def member(to: Printer, node: syntax.Member) -> str:
    plain = PLAIN.fullmatch(node.name)
    return f"{based(to, node.base)}.{node.name if plain else named(node.name)}"


def call(to: Printer, node: syntax.Call) -> str:
    write = to.sole(node.arguments)
    arguments = to.many(node.arguments, lambda each: argument(to, each, write))
    bare = node.name in LEXED and "(" not in arguments
    return f"{node.name}(({arguments}))" if bare else f"{node.name}({arguments})"


# The name of an argument is a plain word to the parser, whatever else it means elsewhere.
def argument(to: Printer, node: Expr, write: Callable[[Expr], str]) -> str:
    if isinstance(node, syntax.Named) and len(node.names) == 1:
        return f"{node.names[0]}={to.value(node.value)}"
    return write(node)


def assigned(to: Printer, node: syntax.Named) -> str:
    if not node.names:
        return to.value(node.value)
    names = f"({', '.join(node.names)})" if len(node.names) > 1 else named(node.names[0])
    return f"{names} = {to.value(node.value)}"


def datatable(to: Printer, node: syntax.Datatable) -> str:
    width = len(node.columns)
    rows = [node.values[at : at + width] for at in range(0, len(node.values), width)] if width else [node.values]
    lines = [", ".join(map(to.value, row)) for row in rows if row]
    head = f"datatable({', '.join(map(to.typed, node.columns))}) "
    if len(lines) <= 1:
        return f"{head}[{''.join(lines)}]"
    return head + "[" + block(",\n".join(lines)) + "]"


def range_(to: Printer, node: syntax.Range) -> str:
    return f"range {node.name} from {to.value(node.start)} to {to.value(node.stop)} step {to.value(node.step)}"


def union(to: Printer, node: syntax.Union) -> str:
    return f"union{to.settings(node.parameters)} {to.many(node.tables, to.table)}"


def among(to: Printer, tables: tuple[Expr, ...]) -> str:
    return f" in ({to.many(tables, to.table)})" if tables else ""


def find(to: Printer, node: syntax.Find) -> str:
    items = ", ".join("pack(*)" if isinstance(each, syntax.Star) else found(to, each) for each in node.items)
    start = f"find{to.settings(node.parameters)}{among(to, node.tables)} where {to.value(node.predicate)}"
    return f"{start} project {items}" if items else start


def found(to: Printer, node: Expr) -> str:
    return to.typed(node) if isinstance(node, syntax.TypedName) else to.expr(node)


def search(to: Printer, node: syntax.Search) -> str:
    everything = node.predicate == syntax.Literal("bool", value=True)
    predicate = "*" if everything else to.value(node.predicate)
    return f"search{to.settings(node.parameters)}{among(to, node.tables)} {predicate}"


def function(to: Printer, node: syntax.Function) -> str:
    parameters = ", ".join(parameter(to, each) for each in node.parameters)
    view = "view " if node.view else ""
    return f"{view}({parameters}) {{{block(to.lines(node.statements, node.body))}}}"


def parameter(to: Printer, node: syntax.FunctionParameter) -> str:
    if node.columns is not None:
        return f"{named(node.name)}: ({', '.join(map(to.typed, node.columns)) or '*'})"
    default = f" = {to.value(node.default)}" if node.default is not None else ""
    return f"{named(node.name)}: {node.type}{default}"


EXPRESSION_FORMS: dict[type, Callable[[Printer, Any], str]] = {
    syntax.Literal: lambda _, node: constants.literal(node.type, node.value),
    syntax.Name: lambda _, node: named(node.name),
    syntax.Star: lambda _, node: f"{node.pattern} {node.order}".rstrip(),
    syntax.Member: member,
    syntax.Index: lambda to, node: f"{based(to, node.base)}[{to.value(node.index)}]",
    syntax.Call: call,
    syntax.Unary: lambda to, node: node.op + to.expr(node.operand, SIGN),
    syntax.Binary: binary,
    syntax.Junction: junction,
    syntax.In: within,
    syntax.Between: between,
    syntax.Named: assigned,
    syntax.TypedName: lambda to, node: to.typed(node),
    syntax.Pipe: lambda to, node: to.steps(node),
    syntax.Datatable: datatable,
    syntax.Range: range_,
    syntax.Print: lambda to, node: f"print {to.many(node.items)}",
    syntax.Union: union,
    syntax.Find: find,
    syntax.Search: search,
    syntax.Elsewhere: lambda _, node: node.text,
    syntax.Function: function,
}


# Operators


def columns(to: Printer, node: syntax.Columns) -> str:
    return f"{node.op} {to.many(node.items)}"


def summarize(to: Printer, node: syntax.Summarize) -> str:
    return f"summarize{after(to, node.aggregates)}{by(to, node.groups)}"


def after(to: Printer, items: Sequence[Expr]) -> str:
    return f" {to.many(items)}" if items else ""


def by(to: Printer, groups: Sequence[Expr]) -> str:
    return f" by {to.many(groups)}" if groups else ""


def key(to: Printer, node: syntax.Key) -> str:
    nulls = f" nulls {node.nulls}" if node.nulls else ""
    return to.value(node.value) + direction(node.descending) + nulls


def direction(descending: bool | None) -> str:
    return {None: "", True: " desc", False: " asc"}[descending]


def keys(to: Printer, found: Sequence[syntax.Key]) -> str:
    return to.many(found, lambda each: key(to, each))


def nested_level(to: Printer, node: syntax.NestedLevel) -> str:
    count = f" {to.value(node.count)}" if node.count is not None else ""
    others = f" with others = {to.value(node.others)}" if node.others is not None else ""
    order = f" by {to.expr(node.aggregate)}{direction(node.descending)}"
    return f"top-nested{count} of {to.expr(node.value)}{others}{order}"


def top_hitters(to: Printer, node: syntax.TopHitters) -> str:
    weight = f" by {to.value(node.weight)}" if node.weight is not None else ""
    return f"top-hitters {to.value(node.count)} of {to.value(node.value)}{weight}"


def join(to: Printer, node: syntax.Join) -> str:
    conditions = f" on {to.many(node.conditions, to.value)}" if node.conditions else ""
    return f"{node.op}{to.settings(node.parameters)} {to.table(node.table)}{conditions}"


def expanded(to: Printer, node: syntax.Expanded) -> str:
    return to.expr(node.item) + (f" to typeof({node.type})" if node.type else "")


def expansion(to: Printer, op: str, node: syntax.MvExpand | syntax.MvApply) -> str:
    limit = f" limit {to.value(node.limit)}" if node.limit is not None else ""
    return f"{op}{to.settings(node.parameters)} {to.many(node.items, lambda each: expanded(to, each))}{limit}"


def parse_(to: Printer, node: syntax.Parse) -> str:
    pattern = " ".join(pattern_part(to, part) for part in node.pattern)
    return f"{node.op}{to.settings(node.parameters)} {to.value(node.value)} with {pattern}"


def pattern_part(to: Printer, part: Expr) -> str:
    if isinstance(part, syntax.TypedName):
        return named(part.name) if part.type == "string" else f"{named(part.name)}:{part.type}"
    return to.expr(part)


def parse_kv(to: Printer, node: syntax.ParseKv) -> str:
    settings = f" with ({to.many(node.settings)})" if node.settings else ""
    return f"parse-kv {to.value(node.value)} as ({', '.join(map(to.typed, node.columns))}){settings}"


def series(to: Printer, node: syntax.Series) -> str:
    return to.expr(node.aggregate) + (f" default={to.value(node.default)}" if node.default is not None else "")


def make_series(to: Printer, node: syntax.MakeSeries) -> str:
    start = f" from {to.value(node.start)}" if node.start is not None else ""
    stop = f" to {to.value(node.stop)}" if node.stop is not None else ""
    made = to.many(node.series, lambda each: series(to, each))
    axis = f" on {to.expr(node.axis)}{start}{stop} step {to.value(node.step)}"
    return f"make-series{to.settings(node.parameters)} {made}{axis}{by(to, node.groups)}"


def partition(to: Printer, node: syntax.Partition) -> str:
    return f"partition{to.settings(node.parameters)} by {to.expr(node.column)} {to.body(node.body)}"


def declared(to: Printer, column: syntax.TypedName, default: Expr | None) -> str:
    return to.typed(column) + (f" = {to.value(default)}" if default is not None else "")


def scan(to: Printer, node: syntax.Scan) -> str:
    columns = ", ".join(declared(to, *each) for each in node.declared)
    steps = "\n".join(scan_step(to, each) for each in node.steps)
    head = f"scan{to.settings(node.parameters)}" + (f" declare ({columns})" if columns else "")
    return f"{head} with ({block(steps)})"


def scan_step(to: Printer, node: syntax.ScanStep) -> str:
    optional = " optional" if node.optional else ""
    output = f" output={node.output}" if node.output != "all" else ""
    assignments = f" => {to.many(node.assignments)}" if node.assignments else ""
    return f"step {named(node.name)}{optional}{output}: {to.value(node.condition)}{assignments};"


def render(_: Printer, node: syntax.Render) -> str:
    settings = ", ".join(f"{name}={value_of(value)}" for name, value in node.settings)
    return f"render {node.kind}" + (f" with ({settings})" if settings else "")


def evaluate(to: Printer, node: syntax.Evaluate) -> str:
    columns = ["*"] * node.whole + [to.typed(each) for each in node.schema]
    return f"evaluate {to.expr(node.call)}" + (f" : ({', '.join(columns)})" if columns else "")


def make_graph(to: Printer, node: syntax.MakeGraph) -> str:
    tables = ", ".join(f"{to.table(table)} on {named(key)}" for table, key in node.nodes)
    nodes = f" with {tables}" if tables else f" with_node_id={named(node.node_id)}" if node.node_id else ""
    return f"make-graph {named(node.source)} --> {named(node.target)}{nodes}"


def graph_match(to: Printer, node: syntax.GraphMatch) -> str:
    cycles = f" cycles={node.cycles}" if node.cycles != "unique_edges" else ""
    paths = ", ".join(map(path, node.paths))
    predicate = f" where {to.value(node.predicate)}" if node.predicate is not None else ""
    return f"graph-match{cycles} {paths}{predicate} project {to.many(node.items)}"


def path(node: syntax.Path) -> str:
    nodes = [f"({named(name) if name else ''})" for name in node.nodes]
    return nodes[0] + "".join(edge(each) + after for each, after in zip(node.edges, nodes[1:], strict=True))


def edge(node: syntax.Edge) -> str:
    length = "*{}..{}".format(*node.length) if node.length != (1, 1) else ""
    inner = (named(node.name) if node.name else "") + length
    return ("<" if node.backward else "") + (f"-[{inner}]-" if inner else "--") + (">" if node.forward else "")


OPERATOR_FORMS: dict[type, Callable[[Printer, Any], str]] = {
    syntax.Where: lambda to, node: f"where {to.value(node.predicate)}",
    syntax.Columns: columns,
    syntax.Summarize: summarize,
    syntax.Sort: lambda to, node: f"sort by {keys(to, node.keys)}",
    syntax.Top: lambda to, node: f"top {to.value(node.count)} by {keys(to, node.keys)}",
    syntax.TopNested: lambda to, node: to.many(node.levels, lambda each: nested_level(to, each)),
    syntax.TopHitters: top_hitters,
    syntax.Limit: lambda to, node: f"{node.op} {to.value(node.count)}",
    syntax.SampleDistinct: lambda to, node: f"sample-distinct {to.value(node.count)} of {to.value(node.value)}",
    syntax.Plain: lambda _, node: node.op,
    syntax.Serialize: lambda to, node: f"serialize{after(to, node.items)}",
    syntax.Join: join,
    syntax.Union: union,
    syntax.MvExpand: lambda to, node: expansion(to, "mv-expand", node),
    syntax.MvApply: lambda to, node: f"{expansion(to, 'mv-apply', node)} on {to.body(node.body)}",
    syntax.Parse: parse_,
    syntax.ParseKv: parse_kv,
    syntax.MakeSeries: make_series,
    syntax.As: lambda _, node: f"as {named(node.name)}",
    syntax.Partition: partition,
    syntax.Scan: scan,
    syntax.Render: render,
    syntax.Evaluate: evaluate,
    syntax.Invoke: lambda to, node: f"invoke {to.expr(node.call)}",
    syntax.Search: search,
    syntax.MakeGraph: make_graph,
    syntax.GraphMatch: graph_match,
    syntax.GraphToTable: lambda _, node: f"graph-to-table {node.what}",
    syntax.Unsupported: lambda _, node: f"{node.op} {node.text}".rstrip(),
}


# Statements


def let(to: Printer, node: syntax.Let) -> str:
    value = to.expr(node.value)
    return f"let {named(node.name)} = {indented(value) if isinstance(node.value, syntax.Pipe) else value}"


def declare(to: Printer, node: syntax.Declare) -> str:
    return f"declare query_parameters ({', '.join(parameter(to, each) for each in node.parameters)})"


STATEMENTS: dict[type, Callable[[Printer, Any], str]] = {
    syntax.Let: let,
    syntax.Declare: declare,
    syntax.Set: lambda _, node: f"set {node.name}" + (f" = {value_of(node.value)}" if node.value else ""),
}
