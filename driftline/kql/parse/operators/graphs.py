"""Parse graph operators: make-graph, graph-match, graph-shortest-paths, graph-to-table.

A pattern reads ``(a)-[e]->(b)<-[f*1..3]-(c), (c)-->(d)``; names may be left out.
https://learn.microsoft.com/kusto/query/graph-match-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.cursor import Stuck
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS"]


def parse_make_graph(parser: Parser, start: Token) -> Operator:
    """Parse ``make-graph source --> target with nodes on key``.

    https://learn.microsoft.com/kusto/query/make-graph-operator
    """
    parser.parse_parameters()
    source = parser.parse_name()
    parser.expect_symbol("-")
    parser.expect_symbol("-")
    parser.expect_symbol(">")
    target = parser.parse_name()
    node_id = ""
    nodes: tuple[tuple[Expr, str], ...] = ()
    if parser.take_word("with_node_id"):
        parser.expect_symbol("=")
        node_id = parser.parse_name()
    elif parser.take_word("with"):
        nodes = parser.separated(lambda: parse_nodes(parser))
    # A graph for each value of a column.
    if parser.is_word("partitioned"):
        parser.fail("the end of make-graph ('partitioned-by' is not supported)")
    return syntax.MakeGraph(source, target, nodes, node_id, span=parser.since(start))


def parse_nodes(parser: Parser) -> tuple[Expr, str]:
    """Parse ``table on key``."""
    table = parser.parse_bracketed() if parser.is_symbol("(") else parser.parse_postfix()
    parser.expect_word("on")
    return table, parser.parse_name()


def parse_graph_match(parser: Parser, start: Token) -> Operator:
    """Parse ``graph-match paths where predicate project columns``."""
    cycles = "unique_edges"
    if parser.is_word("cycles"):
        parser.advance()
        parser.expect_symbol("=")
        cycles = parser.expect_word("all", "none", "unique_edges").text
    paths = parser.separated(lambda: parse_path(parser))
    predicate = parser.parse_expression() if parser.take_word("where") else None
    parser.expect_word("project")
    items = parser.separated(parser.parse_named)
    return syntax.GraphMatch(cycles, paths, predicate, items, span=parser.since(start))


def parse_graph_shortest_paths(parser: Parser, start: Token) -> Operator:
    """Parse ``graph-shortest-paths output=any path where predicate project columns``.

    https://learn.microsoft.com/kusto/query/graph-shortest-paths-operator
    """
    shortest = "any"
    if parser.take_word("output"):
        parser.expect_symbol("=")
        shortest = parser.expect_word("any", "all").text
    place = parser.token
    path = parse_path(parser)
    if parser.is_symbol(",") or all(edge.length == (1, 1) for edge in path.edges):
        parser.problems.add("expected one path with an edge of variable length, such as (a)-[e*1..5]->(b)", place.span)
        raise Stuck
    predicate = parser.parse_expression() if parser.take_word("where") else None
    parser.expect_word("project")
    items = parser.separated(parser.parse_named)
    return syntax.GraphMatch("unique_edges", (path,), predicate, items, shortest, span=parser.since(start))


def parse_path(parser: Parser) -> syntax.Path:
    """Parse a path: nodes with edges between them."""
    start = parser.token
    nodes = [parse_node(parser)]
    edges = []
    while parser.is_symbol("-", "<"):
        edges.append(parse_edge(parser))
        nodes.append(parse_node(parser))
    return syntax.Path(tuple(nodes), tuple(edges), span=parser.since(start))


def parse_node(parser: Parser) -> str:
    """Parse ``(name)``; the name may be left out."""
    parser.expect_symbol("(")
    name = "" if parser.is_symbol(")") else parser.parse_name()
    parser.expect_symbol(")")
    return name


def parse_edge(parser: Parser) -> syntax.Edge:
    """Parse ``-[name*1..3]->``, ``<-[name]-``, ``--``; name and length may be left out."""
    start = parser.token
    backward = parser.take_symbol("<") is not None
    parser.expect_symbol("-")
    name, least, most = "", 1, 1
    if parser.take_symbol("["):
        name = "" if parser.is_symbol("*", "]") else parser.parse_name()
        if parser.take_symbol("*"):
            least = int(parser.expect_kind(Kind.LONG).text)
            parser.expect_symbol("..")
            most = int(parser.expect_kind(Kind.LONG).text)
        parser.expect_symbol("]")
    parser.expect_symbol("-")
    forward = not backward and parser.take_symbol(">") is not None
    return syntax.Edge(name, forward, backward, (least, most), span=parser.since(start))


def parse_graph_to_table(parser: Parser, start: Token) -> Operator:
    """Parse ``graph-to-table nodes`` or ``edges``.

    https://learn.microsoft.com/kusto/query/graph-to-table-operator
    """
    what = parser.expect_word("nodes", "edges").text
    if parser.take_word("as"):
        parser.parse_name()
    ids = []
    while parser.is_word(*IDS[what]):
        word = parser.advance().text
        parser.expect_symbol("=")
        ids.append((word, parser.parse_name()))
    if parser.is_symbol(","):
        parser.problems.add(
            "not supported: two results of one graph-to-table; name the graph by let, "
            "and use graph-to-table nodes and graph-to-table edges",
            parser.token.span,
        )
        raise Stuck
    return syntax.GraphToTable(what, tuple(ids), span=parser.since(start))


IDS = {"nodes": ("with_node_id",), "edges": ("with_source_id", "with_target_id")}
"""Parameters of graph-to-table that add a hash."""


def parse_graph_mark_components(parser: Parser, start: Token) -> Operator:
    """Parse ``graph-mark-components kind=weak with_component_id=name``.

    https://learn.microsoft.com/kusto/query/graph-mark-components-operator
    """
    kind, name = "weak", "ComponentId"
    if parser.take_word("kind"):
        parser.expect_symbol("=")
        kind = parser.expect_word("weak", "strong").text
    if parser.take_word("with_component_id"):
        parser.expect_symbol("=")
        name = parser.parse_name()
    return syntax.GraphMarkComponents(kind == "strong", name, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "make-graph": parse_make_graph,
    "graph-mark-components": parse_graph_mark_components,
    "graph-match": parse_graph_match,
    "graph-shortest-paths": parse_graph_shortest_paths,
    "graph-to-table": parse_graph_to_table,
}
