"""Connected components of a graph, for ``graph-mark-components``.

https://learn.microsoft.com/kusto/query/graph-mark-components-operator
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["mark_components"]

_MOST_EDGES = 1_000_000  # edges and nodes; ``kql`` passes one more

Edges = Mapping[str, Sequence[str]]  # targets of each node


def mark_components(edges: str | None, strong: bool | None) -> str:
    """Find the connected components of a graph.

    ``edges`` is a JSON array of pairs, the identifiers of source and target as texts; a node without edges stands as
    an edge to itself. In a weak component the direction of edges does not count; in a strong one (``strong``) there
    are paths between each two nodes both ways.

    Returns a JSON array of pairs: identifier of a node, and number of its component from 0. Components are in the
    order of their least identifiers. Raises ``ValueError`` for more than a million edges and nodes.
    """
    pairs = json.loads(edges or "[]")
    if len(pairs) > _MOST_EDGES:
        raise ValueError(f"graph-mark-components takes a graph of at most {_MOST_EDGES:,} edges and nodes")
    ahead: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for source, target in pairs:
        for here, there, to in ((ahead, source, target), (back, target, source)):
            here.setdefault(there, []).append(to)
            here.setdefault(to, [])
    parts = _strong(ahead, back) if strong else _reached(sorted(ahead), (ahead, back))
    ordered = sorted((sorted(part) for part in parts), key=lambda part: part[0])
    found = [[node, number] for number, part in enumerate(ordered) for node in part]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _reached(starts: Iterable[str], directions: Sequence[Edges]) -> Iterator[list[str]]:
    """Yield the nodes that each start reaches over edges in the directions, without those of earlier starts."""
    seen: set[str] = set()
    for start in starts:
        if start in seen:
            continue
        seen.add(start)
        part = [start]
        for node in part:  # grows meanwhile
            new = {to for edges in directions for to in edges[node]} - seen
            seen |= new
            part += new
        yield part


# Kosaraju's algorithm: nodes in the reverse order in which a search in depth leaves them, searched backwards.
def _strong(ahead: Edges, back: Edges) -> Iterator[list[str]]:
    return _reached(reversed(_left_in_order(ahead)), (back,))


def _left_in_order(edges: Edges) -> list[str]:
    """Return the nodes in the order in which a search in depth leaves them."""
    seen: set[str] = set()
    left: list[str] = []
    for start in edges:
        if start in seen:
            continue
        seen.add(start)
        path = [(start, iter(edges[start]))]
        while path:
            rest = path[-1][1]
            following = next((to for to in rest if to not in seen), None)
            if following is None:
                left.append(path.pop()[0])
            else:
                seen.add(following)
                path.append((following, iter(edges[following])))
    return left
