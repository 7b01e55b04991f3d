"""Connected components, by their definition on random graphs."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.store.udf.components import mark_components

NODES = [*"abcdefg"]
PAIRS = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=14)


def reachable(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the pairs of nodes with a path from the first to the second, by Warshall's algorithm."""
    paths = edges | {(node, node) for node in NODES}
    for middle, begin, end in itertools.product(NODES, repeat=3):
        if (begin, middle) in paths and (middle, end) in paths:
            paths.add((begin, end))
    return paths


@pytest.mark.parametrize("strong", [False, True])
@given(pairs=PAIRS)
def test_nodes_are_in_one_component_if_paths_join_them(*, strong: bool, pairs: list[tuple[str, str]]) -> None:
    edges = set(pairs) | {(node, node) for node in NODES}
    paths = reachable(edges if strong else edges | {(b, a) for a, b in edges})

    found = dict(json.loads(mark_components(json.dumps([*edges]), strong)))

    assert sorted(found) == NODES
    for a, b in itertools.product(NODES, repeat=2):
        assert (found[a] == found[b]) == ((a, b) in paths and (b, a) in paths)
    first = [found[node] for node in NODES]
    assert list(dict.fromkeys(first)) == list(range(max(first) + 1))


def test_a_long_chain_needs_no_deep_stack() -> None:
    chain = json.dumps([[f"{number:06}", f"{number + 1:06}"] for number in range(50_000)])

    assert {component for _, component in json.loads(mark_components(chain, False))} == {0}
    assert len({component for _, component in json.loads(mark_components(chain, True))}) == 50_001


def test_no_edges_have_no_components() -> None:
    assert mark_components(None, None) == mark_components("[]", True) == "[]"
