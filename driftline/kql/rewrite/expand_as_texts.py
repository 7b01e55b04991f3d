"""Expand an array into texts directly where its elements are only converted to text.

::

    T | mv-expand d | summarize count() by tostring(d)
    expand expand_list(d), tostring(element)   →   expand expand_texts(d), text_or_empty(element)

An element of a dynamic array is a JSON document, which ``tostring`` parses again, row by row. ``expand_texts`` casts
the array to a list of texts, with one parse.

Precondition: every use of the element, in the projection or aggregation right above the expansion and in the filters
between them, is ``tostring(element)``. Runs after ``merge_projects``, which brings ``tostring`` right above the
expansion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from driftline.kql import functions
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Aggregate, Call, Col, Column, Expand, Filter, Plan, Project, Scalar

__all__ = ["expand_as_texts"]


def expand_as_texts(node: Plan) -> Plan:
    """Return a plan whose expansions yield texts where only the elements' text is used."""
    return walk.bottom_up(node, _change)


# The element's column ends at a projection or an aggregation, so all its uses are known there.
def _change(node: Plan) -> Plan:
    if not isinstance(node, (Project, Aggregate)):
        return node
    stack = list(_down_to_expand(node))
    found = stack[-1]
    if not isinstance(found, Expand):
        return node
    values = [value for part in stack[:-1] for value in walk.scalars(part)]
    pairs = zip(found.elements, found.arrays, strict=True)
    texts = {each.id for each, array in pairs if _is_plain(array) and _only_as_text(each, values)}
    return _rebuilt(stack, texts) if texts else node


def _is_plain(array: Scalar) -> bool:
    return isinstance(array, Call) and array.function == "expand_list"


# The node, the filters below it and the node below these. Filters pass all columns on, so the scalars of this stack are
# all readers of the elements, if the last node is an expansion.
def _down_to_expand(node: Project | Aggregate) -> Iterator[Plan]:
    yield node
    inner = node.input
    while isinstance(inner, Filter):
        yield inner
        inner = inner.input
    yield inner


# As many references to the element as there are calls ``tostring(element)``.
def _only_as_text(element: Column, values: list[Scalar]) -> bool:
    uses = sum(isinstance(part, Col) and part.id == element.id for value in values for part in walk.nodes(value))
    texts = sum(_is_text(part, {element.id}) for value in values for part in walk.nodes(value))
    return uses == texts


def _is_text(value: Plan | Scalar, ids: set[str]) -> bool:
    if not isinstance(value, Call) or value.function != "tostring":
        return False
    (inner,) = value.args
    return isinstance(inner, Col) and inner.id in ids


def _rebuilt(stack: list[Plan], ids: set[str]) -> Plan:
    def change(value: Scalar) -> Scalar:
        if _is_text(value, ids) and isinstance(value, Call) and isinstance(value.args[0], Col):
            return Call("text_or_empty", (Col(value.args[0].id, "string"),), "string")
        return walk.map_scalars(value, change)

    *above, expand = stack
    assert isinstance(expand, Expand)
    made: Plan = _expand_texts(expand, ids)
    for part in reversed(above):
        made = walk.map_plans(walk.map_scalars(part, change), lambda _, made=made: made)  # type: ignore[misc] # bound at once
    return made


def _expand_texts(node: Expand, ids: set[str]) -> Plan:
    arrays = tuple(
        _texts(array) if element.id in ids else array for array, element in zip(node.arrays, node.elements, strict=True)
    )
    elements = tuple(dataclasses.replace(each, type="string") if each.id in ids else each for each in node.elements)
    return dataclasses.replace(node, arrays=arrays, elements=elements)


# An array that is read from a property (``d.list``) is a fresh JSON value, which has a cheaper cast.
def _texts(array: Scalar) -> Scalar:
    assert isinstance(array, Call)
    (of,) = array.args
    read = isinstance(of, Call) and functions.find(of.function).reads_property
    return dataclasses.replace(array, function="expand_member_texts" if read else "expand_texts")
