"""Print make-graph, graph-match, graph-to-table."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.names import named

__all__ = ["FORMS"]


def make_graph(to: Printer, node: syntax.MakeGraph) -> str:
    """Write ``make-graph source --> target with nodes on key``."""
    tables = ", ".join(f"{to.table(table)} on {named(key)}" for table, key in node.nodes)
    nodes = f" with {tables}" if tables else f" with_node_id={named(node.node_id)}" if node.node_id else ""
    return f"make-graph {named(node.source)} --> {named(node.target)}{nodes}"


def graph_match(to: Printer, node: syntax.GraphMatch) -> str:
    """Write ``graph-match paths where predicate project columns`` or ``graph-shortest-paths``."""
    cycles = f" cycles={node.cycles}" if node.cycles != "unique_edges" else ""
    paths = ", ".join(map(path, node.paths))
    predicate = f" where {to.value(node.predicate)}" if node.predicate is not None else ""
    output = " output=all" if node.shortest == "all" else ""
    head = f"graph-shortest-paths{output}" if node.shortest else f"graph-match{cycles}"
    return f"{head} {paths}{predicate} project {to.many(node.items)}"


def path(node: syntax.Path) -> str:
    """Write a path: nodes with edges between them."""
    nodes = [f"({named(name) if name else ''})" for name in node.nodes]
    return nodes[0] + "".join(edge(each) + after for each, after in zip(node.edges, nodes[1:], strict=True))


def edge(node: syntax.Edge) -> str:
    """Write an edge with its direction, name and length."""
    length = "*{}..{}".format(*node.length) if node.length != (1, 1) else ""
    inner = (named(node.name) if node.name else "") + length
    return ("<" if node.backward else "") + (f"-[{inner}]-" if inner else "--") + (">" if node.forward else "")


def graph_to_table(_: Printer, node: syntax.GraphToTable) -> str:
    """Write ``graph-to-table edges with_source_id=name``."""
    return f"graph-to-table {node.what}" + "".join(f" {word}={named(name)}" for word, name in node.ids)


def graph_mark_components(_: Printer, node: syntax.GraphMarkComponents) -> str:
    """Write ``graph-mark-components kind=strong with_component_id=name``."""
    kind = " kind=strong" if node.strong else ""
    name = f" with_component_id={named(node.name)}" if node.name != "ComponentId" else ""
    return f"graph-mark-components{kind}{name}"


FORMS: dict[type, Form] = {
    syntax.MakeGraph: make_graph,
    syntax.GraphMatch: graph_match,
    syntax.GraphMarkComponents: graph_mark_components,
    syntax.GraphToTable: graph_to_table,
}
