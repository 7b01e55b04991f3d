"""Bind the graph operators: make-graph, graph-match and those that begin with graph.

A pattern is a join of edges and nodes; a graph never leaves the query. An edge of variable length is unrolled: the
result is the union of the patterns for each length. Within one match no edge is used twice, unless ``cycles`` says
otherwise.

https://learn.microsoft.com/kusto/query/graph-operators
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import bind_predicate
from driftline.kql.bind.scope import Graph, Relation, Scope
from driftline.kql.bind.tables import relations, union
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, grouped, kept, projected, ref
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Call,
    Column,
    Const,
    Distinct,
    Expand,
    Filter,
    Join,
    Key,
    Plan,
    Project,
    Scalar,
    Shared,
    Union,
    Values,
    Window,
)
from driftline.kql.text.problems import Span

__all__ = ["OPERATORS"]

LONGEST = 16  # edges in a path of variable length
MOST_PATTERNS = 64  # combinations of lengths


# make-graph


def bind_make_graph(node: syntax.MakeGraph, relation: Relation, scope: Scope) -> Relation:
    """Bind make-graph: edges from the table, nodes from the tables given or from the edges' ends.

    https://learn.microsoft.com/kusto/query/make-graph-operator
    """
    source, target = (_column(name, relation, node.span, scope) for name in (node.source, node.target))
    if source.type != target.type:
        scope.fail(f"expected two columns of one type, got {source.type} and {target.type}", node.span)
    edges, number = relations.numbered(Relation(relation.plan), scope)
    given = [_nodes(table, key, source.type, scope) for table, key in node.nodes]
    ids = [_only(edges.plan, source, scope), _only(edges.plan, target, scope)]
    ids += [_only(nodes.plan, key, scope) for nodes, key in given]
    every = scope.session.column(node.node_id, source.type) if node.node_id else scope.session.hidden(source.type)
    union_of = scope.session.hidden(source.type)
    nodes = grouped(Relation(Union(tuple(ids), (union_of,))), [(every, ref(union_of))], [])
    if given:
        nodes, every = _described(nodes, every, given, scope)
    shared = dataclasses.replace(nodes, plan=Shared(scope.session.fresh("nodes"), nodes.plan))
    return Relation(
        edges.plan, graph=Graph(edges=edges, nodes=shared, source=source, target=target, number=number, id=every)
    )


def _column(name: str, relation: Relation, span: Span, scope: Scope) -> Column:
    """Return a table's column; note a problem if it has none of the name."""
    column = next((c for c in relation.columns if c.name == name), None)
    if column is None:
        scope.with_row(relation).unknown_column(name, span)
    return column


def _nodes(table: syntax.Expr, key: str, kind: str, scope: Scope) -> tuple[Relation, Column]:
    """Bind a table of nodes with its key column."""
    relation = scope.with_row(None).table(table)
    column = _column(key, relation, table.span, scope)
    if column.type != kind:
        scope.fail(f"expected nodes by a {kind} as in the edges, got a {column.type}", table.span)
    shared = Relation(Shared(scope.session.fresh("nodes"), relation.plan))
    return shared, column


def _only(plan: Plan, column: Column, scope: Scope) -> Plan:
    """Return a plan of one column."""
    return Project(plan, (scope.session.hidden(column.type),), (ref(column),))


def _described(
    ids: Relation, every: Column, given: list[tuple[Relation, Column]], scope: Scope
) -> tuple[Relation, Column]:
    """Join each node with its columns of the tables; a node that no table has keeps its identifier alone."""
    keys = {key.name for _, key in given}
    united = union.unite([("", relations.renewed(relation, scope)) for relation, _ in given], scope)
    columns = [c for c in united.columns if c.name in keys]
    key: Scalar = ref(columns[0])
    if len(columns) > 1:  # each table's key is empty in the rows of the others
        key = Call("coalesce_text" if key.type == "string" else "coalesce_null", tuple(map(ref, columns)), key.type)
    by = scope.session.hidden(key.type)
    keyed = projected(united, [*kept(united.columns), (by, key)])
    one_each = Distinct(keyed.plan, (ref(by),))
    joined = Join("left", ids.plan, one_each, Call("==filter", (ref(every), ref(by)), "bool"))
    outputs = [(scope.session.column(c.name, c.type), _attribute(c, columns, every)) for c in united.columns]
    return projected(Relation(joined), [*outputs, (every, ref(every))]), every


def _attribute(column: Column, keys: list[Column], every: Column) -> Scalar:
    """Return a node's value of a column; a node without a row has empty strings."""
    if keys == [column]:
        return ref(every)  # every node has its identifier, with or without a row in a table
    return Call("text_or_empty", (ref(column),), "string") if column.type == "string" else ref(column)


# graph-match


@dataclass(slots=True)
class Match:
    """A pattern on its way into joins."""

    graph: Graph
    scope: Scope
    plan: Plan | None = None
    nodes: dict[str, Column] = field(default_factory=dict)  # identifiers of the nodes joined so far
    edges: list[Column] = field(default_factory=list)  # numbers of the edges joined so far
    shown: dict[str, Column] = field(default_factory=dict)  # what expressions may read, by "name.property"
    several: dict[str, int] = field(default_factory=dict)  # names of edges of variable length: their length here

    def add_node(self, name: str, at: Scalar | None, label: str = "") -> Column:
        """Join a node at the identifier ``at`` and return the column of its identifier.

        A name that occurred before must be the same node. Expressions read the node by its name or by ``label``.
        """
        known = self.nodes.get(name)
        if known is not None:
            if at is not None:
                self._keep(Call("==filter", (ref(known), at), "bool"))
            return known
        fresh = relations.renewed(self.graph.nodes, self.scope)
        column = _counterpart(self.graph.nodes, fresh, self.graph.id)
        on: Scalar = Const("bool", True) if at is None else Call("==filter", (at, ref(column)), "bool")
        self.plan = fresh.plan if self.plan is None else Join("inner", self.plan, fresh.plan, on)
        self.nodes[name or f"({len(self.nodes)}"] = column
        if name or label:
            self.shown.update({f"{name or label}.{c.name}": c for c in fresh.columns})
        return column

    def add_edge(self, edge: syntax.Edge, label: str, begin: Column) -> Scalar:
        """Join an edge that begins at a node; return the identifier of its other end."""
        edges, source, target, number = _directed(edge, self.graph, self.scope)
        near, far = (target, source) if edge.backward else (source, target)
        assert self.plan is not None
        self.plan = Join("inner", self.plan, edges.plan, Call("==filter", (ref(begin), ref(near)), "bool"))
        self.edges.append(number)
        if label:
            self.shown.update({f"{label}.{c.name}": c for c in edges.columns})
        return ref(far)

    def _keep(self, condition: Scalar) -> None:
        """Keep the matches that meet a condition."""
        assert self.plan is not None
        self.plan = Filter(self.plan, condition)

    def keep_unlike(self, columns: list[Column]) -> None:
        """Keep matches in which the columns all differ."""
        for a, b in itertools.combinations(columns, 2):
            self._keep(Call("!=string" if a.type == "string" else "!=", (ref(a), ref(b)), "bool"))


def _counterpart(relation: Relation, fresh: Relation, column: Column) -> Column:
    """Return the column of a renewed relation that belongs to a column of the original."""
    pairs = zip(relation.plan.columns, fresh.plan.columns, strict=True)
    return next(new for old, new in pairs if old.id == column.id)


def _directed(edge: syntax.Edge, graph: Graph, scope: Scope) -> tuple[Relation, Column, Column, Column]:
    """Return the edges with both ends and numbers; an edge without direction counts both ways."""
    fresh = relations.renewed(graph.edges, scope)
    ends = [_counterpart(graph.edges, fresh, c) for c in (graph.source, graph.target)]
    number = _counterpart(graph.edges, fresh, graph.number)
    made = [scope.session.hidden(c.type) for c in ends]
    columns = (*fresh.plan.columns, *made)
    # Ends get new identifiers, so that both directions can stand in one union.
    there = Project(fresh.plan, columns, tuple(map(ref, (*fresh.plan.columns, *ends))))
    if edge.forward or edge.backward:
        return Relation(there), made[0], made[1], number
    back = relations.renewed(graph.edges, scope)
    again = [_counterpart(graph.edges, back, c) for c in (graph.target, graph.source)]
    # A loop has the same ends both ways and would count twice.
    unlike = Call("!=string" if made[0].type == "string" else "!=", tuple(map(ref, again)), "bool")
    turned = Project(Filter(back.plan, unlike), columns, tuple(map(ref, (*back.plan.columns, *again))))
    return Relation(Union((there, turned), columns)), made[0], made[1], number


def bind_graph_match(node: syntax.GraphMatch, relation: Relation, scope: Scope) -> Relation:
    """Bind graph-match: one pattern for each combination of lengths.

    https://learn.microsoft.com/kusto/query/graph-match-operator
    """
    graph = relation.graph
    assert graph is not None
    outside = scope.with_row(None)
    _check_names(node, outside)
    graph = _with_degrees(node, graph, outside)
    found = [_matched(node, graph, lengths, outside) for lengths in _lengths(node, outside)]
    if node.shortest:
        return _shortest(found, node.shortest, outside)
    if len(found) == 1:
        return found[0]
    columns = tuple(scope.session.column(c.name, c.type) for c in found[0].columns)
    return Relation(Union(tuple(each.plan for each in found), columns))


def _check_names(node: syntax.GraphMatch, scope: Scope) -> None:
    """Note a problem if an edge has the name of a node or of another edge."""
    taken = {name for path in node.paths for name in path.nodes}
    for edge in (edge for path in node.paths for edge in path.edges):
        if edge.name and edge.name in taken:
            scope.fail(f"'{edge.name}' is taken; give each edge a name of its own", edge.span)
        taken.add(edge.name)


def _lengths(node: syntax.GraphMatch, scope: Scope) -> Iterator[dict[int, int]]:
    """Return each combination of lengths, by the edge's offset in the query text."""
    edges = [edge for path in node.paths for edge in path.edges]
    for edge in edges:
        least, most = edge.length
        if not least <= most <= LONGEST:
            scope.fail(f"expected a path of a length up to {LONGEST}, such as *1..3", edge.span)
    ranges = [range(edge.length[0], edge.length[1] + 1) for edge in edges]
    combinations = list(itertools.product(*ranges))
    if len(combinations) > MOST_PATTERNS:
        scope.fail(f"not supported: more than {MOST_PATTERNS} combinations of lengths", node.span)
    return (dict(zip((edge.span.offset for edge in edges), lengths, strict=True)) for lengths in combinations)


def _matched(node: syntax.GraphMatch, graph: Graph, lengths: dict[int, int], scope: Scope) -> Relation:
    """Bind the pattern for one combination of lengths."""
    # Order of the joins: as written; the engine's optimizer reorders them.
    match = Match(graph, scope)
    for path in node.paths:
        _join_path(path, match, lengths)
    # unique_edges (the default) forbids repeated edges, none also repeated nodes.
    if node.cycles != "all":
        match.keep_unlike(match.edges)
    if node.cycles == "none":
        match.keep_unlike(list(match.nodes.values()))
    assert match.plan is not None
    columns = {c.id: dataclasses.replace(c, name=label) for label, c in match.shown.items()}
    if node.shortest:  # nodes without names have no columns to show; their identifiers tell the paths apart
        columns = {**{c.id: Column(c.id, c.type) for c in match.nodes.values()}, **columns}
    named = Project(match.plan, tuple(columns.values()), tuple(map(ref, columns.values())))
    rows = Relation(named)
    properties = {c.name for c in graph.edges.columns}
    if node.predicate is not None:
        predicate = _resolved(node.predicate, match, properties, scope)
        rows = rows.over(Filter(rows.plan, bind_predicate(predicate, scope.with_row(rows))))
    names, outputs = ColumnNames(), []
    for item in node.items:
        value = scope.with_row(rows).scalar(_resolved(item.value, match, properties, scope))
        outputs.append((scope.session.column(names.of(item), value.type), value))
    if node.shortest:
        outputs += _ends(node.paths[0], match, scope)
    return projected(rows, outputs)


def _ends(path: syntax.Path, match: Match, scope: Scope) -> list[Output]:
    """Return the identifiers of both ends of the path and its number of edges, without names."""
    ids = list(match.nodes.values())
    last = match.nodes.get(path.nodes[-1], ids[-1])
    values = (ref(ids[0]), ref(last), Const("long", len(match.edges)))
    return [(scope.session.hidden(value.type), value) for value in values]


def _join_path(path: syntax.Path, match: Match, lengths: dict[int, int]) -> None:
    """Join the nodes and edges of a path, in order."""
    begin = match.add_node(path.nodes[0], None)
    for edge, end in zip(path.edges, path.nodes[1:], strict=True):
        length = lengths[edge.span.offset]
        if edge.length != (1, 1) and edge.name:
            match.several[edge.name] = length
        for place in range(length - 1):
            far = match.add_edge(edge, _label(edge, place), begin)
            begin = match.add_node("", far, _inner(edge.name, place) if edge.name else "")
        far = match.add_edge(edge, _label(edge, length - 1), begin) if length else ref(begin)
        begin = match.add_node(end, far)


def _label(edge: syntax.Edge, place: int) -> str:
    """Return the name of an edge's part; parts of an edge of variable length are numbered."""
    return edge.name if edge.length == (1, 1) or not edge.name else f"{edge.name}[{place}]"


def _inner(edge: str, place: int) -> str:
    """Return the label of an inner node of an edge of variable length."""
    return f"{edge}[{place}]()"


# graph-shortest-paths


def _shortest(found: list[Relation], kept_paths: str, scope: Scope) -> Relation:
    """Keep the shortest paths of each pair of ends; ``kept_paths`` is ``any`` or ``all``.

    Each relation's last three columns are the identifiers of both ends and the number of edges.
    """
    columns = tuple(dataclasses.replace(c, id=scope.session.fresh("path")) for c in found[0].plan.columns)
    united: Plan = Union(tuple(each.plan for each in found), columns)
    *shown, begin, end, length = columns
    pair = (ref(begin), ref(end))
    shortest = Key(ref(length), descending=False, nulls_first=True)
    if kept_paths == "any":
        united = Distinct(united, pair, (shortest,))
    else:
        least = scope.session.hidden("long")
        united = walk.widened(united, [(least, Window(Call("min", (ref(length),), "long"), (), pair))])
        united = Filter(united, Call("==filter", (ref(length), ref(least)), "bool"))
    return projected(Relation(united), kept(shown))


# Expressions over nodes and edges

DEGREES = {"node_degree_in": "target", "node_degree_out": "source"}
"""Functions of a node, and the end of the edges that they count."""


def _with_degrees(node: syntax.GraphMatch, graph: Graph, scope: Scope) -> Graph:
    """Return the graph with the degrees that the expressions read among the columns of its nodes."""
    asked: set[str] = set()
    for part in (node.predicate, *(item.value for item in node.items)):
        if part is not None:
            _note_calls(part, asked)
    for name in sorted(DEGREES.keys() & asked):
        graph = _with_degree(name, graph, scope)
    return graph


def _note_calls(node: syntax.Expr, names: set[str]) -> syntax.Expr:
    """Add the names of the functions that an expression calls; return the expression."""
    if isinstance(node, syntax.Call):
        names.add(node.name)
    return syntax.mapped(node, lambda each: _note_calls(each, names))


def _with_degree(name: str, graph: Graph, scope: Scope) -> Graph:
    """Add the number of edges at each node, as a column that only the function's name reads."""
    edges = relations.renewed(graph.edges, scope)
    end = _counterpart(graph.edges, edges, graph.target if DEGREES[name] == "target" else graph.source)
    at, count = scope.session.hidden(end.type), scope.session.hidden("long")
    counted = grouped(edges, [(at, ref(end))], [(count, Call("count", (), "long"))])
    joined = Join("left", graph.nodes.plan, counted.plan, Call("==filter", (ref(graph.id), ref(at)), "bool"))
    degree = scope.session.column(f"{name}()", "long")
    number = Call("coalesce_null", (ref(count), Const("long", 0)), "long")
    columns = graph.nodes.plan.columns
    plan = Project(joined, (*columns, degree), (*map(ref, columns), number))
    return dataclasses.replace(graph, nodes=Relation(Shared(scope.session.fresh("nodes"), plan)))


def _degree(node: syntax.Call, match: Match, scope: Scope) -> syntax.Expr:
    """Replace ``node_degree_in(node)`` or ``node_degree_out(node)`` by the column of the degree."""
    of = node.arguments[0] if len(node.arguments) == 1 else None
    label = f"{of.name}.{node.name}()" if isinstance(of, syntax.Name) else ""
    if label not in match.shown:
        scope.fail(f"expected {node.name}(node) with the name of a node of the pattern", node.span)
    return syntax.Name(label, span=node.span)


def _resolved(node: syntax.Expr, match: Match, properties: set[str], scope: Scope) -> syntax.Expr:
    """Replace ``name.property`` by a column, functions of edges of variable length by expressions of their parts."""
    if isinstance(node, syntax.Member) and isinstance(node.base, syntax.Name):
        return _property(node, node.base.name, match, scope)
    if isinstance(node, syntax.Name) and node.name in {*match.several, *_owners(match)}:
        return _whole(node, match)
    if isinstance(node, syntax.Call) and node.name in REFUSED:
        scope.fail(f"not supported: the graph function '{node.name}': {REFUSED[node.name]}", node.span)
    if isinstance(node, syntax.Call) and node.name in DEGREES:
        return _degree(node, match, scope)
    if isinstance(node, syntax.Call) and node.name in QUANTIFIERS and node.arguments:
        return _quantified(node, match, properties, scope)
    return syntax.mapped(node, lambda each: _resolved(each, match, properties, scope))


def _property(node: syntax.Member, name: str, match: Match, scope: Scope) -> syntax.Expr:
    """Replace ``name.property``; of an edge of variable length, it is an array."""
    if name in match.several:
        parts = tuple(
            syntax.Name(f"{name}[{place}].{node.name}", span=node.span) for place in range(match.several[name])
        )
        return syntax.Call("pack_array", parts, span=node.span) if parts else _EMPTY
    label = f"{name}.{node.name}"
    if label in match.shown:
        return syntax.Name(label, span=node.span)
    if name in _owners(match):
        scope.fail(f"unknown property '{node.name}' of '{name}'", node.span)
    return node


def _owners(match: Match) -> set[str]:
    """Return the names of nodes and edges that have properties."""
    return {label.split(".")[0] for label in match.shown}


def _whole(node: syntax.Name, match: Match) -> syntax.Expr:
    """Return all properties of a node or edge as a bag; of an edge of variable length, an array of bags."""
    if node.name not in match.several:
        return _bag(node.name, match, node.span)
    bags = tuple(_bag(f"{node.name}[{place}]", match, node.span) for place in range(match.several[node.name]))
    return syntax.Call("pack_array", bags, span=node.span) if bags else _EMPTY


def _bag(label: str, match: Match, span: Span) -> syntax.Expr:
    """Return all properties of one node or edge as a call of bag_pack."""
    shown = [known for known in match.shown if known.startswith(f"{label}.") and not known.endswith("()")]
    pairs = ((syntax.Literal("string", known[len(label) + 1 :]), syntax.Name(known, span=span)) for known in shown)
    return syntax.Call("bag_pack", tuple(each for pair in pairs for each in pair), span=span)


_EMPTY = syntax.Literal("dynamic", ("array", ()))
REFUSED = {
    "labels": "only the stored graph models of Kusto have labels",
    "inner_nodes": "it can only be the first argument of all(), any() and map()",
}
"""Graph functions that are refused, and why."""
QUANTIFIERS = {"all": "and", "any": "or", "map": "pack_array"}


def _quantified(node: syntax.Call, match: Match, properties: set[str], scope: Scope) -> syntax.Expr:
    """Replace ``all(edge, condition)``, ``any`` or ``map`` by the condition for each part."""
    edge, inner = node.arguments[0], False
    if isinstance(edge, syntax.Call) and edge.name == "inner_nodes" and len(edge.arguments) == 1:
        edge, inner = edge.arguments[0], True
        properties = {column.name for column in match.graph.nodes.columns}
    if not isinstance(edge, syntax.Name) or edge.name not in match.several or len(node.arguments) != 2:
        scope.fail(f"not supported: {node.name} of other than an edge of variable length and an expression", node.span)
    length = match.several[edge.name]
    labels = (
        [_inner(edge.name, place) for place in range(length - 1)]
        if inner
        else [f"{edge.name}[{place}]" for place in range(length)]
    )
    parts = tuple(
        _resolved(_of_part(node.arguments[1], label, properties), match, properties, scope) for label in labels
    )
    if node.name == "map":
        return syntax.Call("pack_array", parts, span=node.span) if parts else _EMPTY
    if not parts:
        return syntax.Literal("bool", node.name == "all", span=node.span)
    return syntax.Junction(QUANTIFIERS[node.name], parts, span=node.span)


def _of_part(node: syntax.Expr, label: str, properties: set[str]) -> syntax.Expr:
    """Let plain names in an expression mean properties of one edge or inner node of an edge of variable length."""
    if isinstance(node, syntax.Call) and node.name in DEGREES and not node.arguments:
        return syntax.Call(node.name, (syntax.Name(label, span=node.span),), span=node.span)
    if isinstance(node, syntax.Name) and node.name in properties:
        return syntax.Name(f"{label}.{node.name}", span=node.span)
    return syntax.mapped(node, lambda each: _of_part(each, label, properties))


# graph-to-table


def bind_graph_to_table(node: syntax.GraphToTable, relation: Relation, scope: Scope) -> Relation:
    """Bind graph-to-table: the nodes or the edges.

    https://learn.microsoft.com/kusto/query/graph-to-table-operator
    """
    graph = relation.graph
    assert graph is not None
    found = graph.nodes if node.what == "nodes" else graph.edges
    if not found.columns and not node.ids:
        scope.fail("these nodes have no columns; name one: make-graph a --> b with_node_id=id", node.span)
    table = relations.renewed(found, scope)
    ends = {"with_node_id": graph.id, "with_source_id": graph.source, "with_target_id": graph.target}
    hashes = [
        (scope.session.column(name, "long"), _hash(_counterpart(found, table, ends[word]), scope))
        for word, name in node.ids
    ]
    return projected(Relation(table.plan), [*hashes, *kept(table.columns)])


def _hash(column: Column, scope: Scope) -> Scalar:
    """Return the hash of a node's identifier, by the function that ``hash()`` calls."""
    name = syntax.Name(column.id, span=NOWHERE)
    row = Relation(Values((dataclasses.replace(column, name=column.id),), ()))
    return scope.with_row(row).scalar(syntax.Call("hash", (name,), span=NOWHERE))


NOWHERE = Span(0, 0)


# graph-mark-components

MOST_EDGES = 1_000_001  # the function refuses more than a million


def bind_graph_mark_components(node: syntax.GraphMarkComponents, relation: Relation, scope: Scope) -> Relation:
    """Bind graph-mark-components: one function finds the components of all edges, which the nodes are joined with.

    https://learn.microsoft.com/kusto/query/graph-mark-components-operator
    """
    graph = relation.graph
    assert graph is not None
    if any(column.name == node.name for column in graph.nodes.columns):
        scope.fail(f"the nodes have a property '{node.name}' already", node.span)
    name, number = scope.session.hidden("string"), scope.session.column(node.name, "long")
    pair, listed, row = (scope.session.hidden("dynamic") for _ in range(3))
    # A node without edges counts as an edge to itself.
    pairs = Union(
        (_pairs(graph.edges, graph.source, graph.target, scope), _pairs(graph.nodes, graph.id, graph.id, scope)),
        (pair,),
    )
    all_of = Call("list_json", (ref(pair), Const("long", MOST_EDGES)), "dynamic")
    whole = grouped(Relation(pairs), [], [(listed, all_of)])
    found = Call("marked_components", (ref(listed), Const("bool", node.strong)), "dynamic")
    expanded = Expand(whole.plan, (Call("expand_list", (found,), "dynamic"),), (row,), None)
    cells = (Call("element", (ref(row), Const("long", place)), "dynamic") for place in range(2))
    components = Project(expanded, (name, number), tuple(map(types.converted, cells, ("string", "long"))))
    text = types.converted(ref(graph.id), "string")
    joined = Join("left", graph.nodes.plan, components, Call("==filter", (text, ref(name)), "bool"))
    columns = graph.nodes.plan.columns
    nodes = Project(joined, (*columns, number), tuple(map(ref, (*columns, number))))
    marked = dataclasses.replace(graph, nodes=Relation(Shared(scope.session.fresh("nodes"), nodes)))
    return dataclasses.replace(relation, graph=marked)


def _pairs(relation: Relation, source: Column, target: Column, scope: Scope) -> Plan:
    """Return a plan of one column: arrays of the texts of both ends."""
    fresh = relations.renewed(relation, scope)
    ends = (_counterpart(relation, fresh, column) for column in (source, target))
    texts = tuple(types.converted(types.converted(ref(end), "string"), "dynamic") for end in ends)
    return Project(fresh.plan, (scope.session.hidden("dynamic"),), (Call("pack_array", texts, "dynamic"),))


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.MakeGraph: bind_make_graph,
    syntax.GraphMatch: bind_graph_match,
    syntax.GraphMarkComponents: bind_graph_mark_components,
    syntax.GraphToTable: bind_graph_to_table,
}
