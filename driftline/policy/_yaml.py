"""YAML with positions: what a safe loader gives, and where each part of it stands.

Times stay text, which the model reads: YAML's own reading of them takes a missing zone silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from driftline.errors import InvalidPolicy, Problem

__all__ = ["FieldPath", "Positions", "load"]

FieldPath = tuple[str | int, ...]
Positions = dict[FieldPath, tuple[int, int]]
"""Line and column, from 1, of each value by its path; keys by their path and the word ``#key``."""

MAX_CHARACTERS = 4 << 20
MAX_DEPTH = 20

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

# libyaml composes six times as fast; a build of PyYAML without it has the same classes in Python.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # which of the two it is, is known at run time only
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


def load(text: str, *, source: str) -> tuple[Any, Positions]:
    """Parse one document; raises ``InvalidPolicy``."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidPolicy(Problem(f"expected at most {MAX_CHARACTERS} characters", 1, 1, source=source))
    try:
        _check_events(text, source)
        node = yaml.compose(text, Loader=_Loader)
        positions: Positions = {}
        problems = (
            [Problem(message, *position, source) for message, position in _walk(node, (), positions)] if node else []
        )
        document = yaml.constructor.SafeConstructor().construct_document(node) if node and not problems else None
    except yaml.MarkedYAMLError as error:
        raise InvalidPolicy(
            Problem(f"not YAML: {error.problem or error.context}", *_position(error), source)
        ) from error
    except yaml.reader.ReaderError as error:
        position = _position_at(text, int(error.position))
        raise InvalidPolicy(Problem(f"not YAML: {error.reason}", *position, source)) from error
    if problems:
        raise InvalidPolicy(*problems)
    return document, positions


# Before anything is built: an alias makes a document larger than its text, nesting the stack, and
# a tag asks for types that policies do not have.
def _check_events(text: str, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidPolicy(Problem("aliases (*name) are not supported", *_position(event), source))
        if getattr(event, "tag", None):
            raise InvalidPolicy(Problem("tags (!name) are not supported", *_position(event), source))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise InvalidPolicy(Problem(f"nested deeper than {MAX_DEPTH}", *_position(event), source))


def _walk(node: yaml.Node, path: FieldPath, positions: Positions) -> Iterator[tuple[str, tuple[int, int]]]:
    positions[path] = _position(node)
    if isinstance(node, yaml.MappingNode):
        yield from _walk_mapping(node, path, positions)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, number), positions)
    elif node.tag in _NUMBERS:
        yield from _check_number(node)


# Such as 0b_, or more digits than int() takes.
def _check_number(node: yaml.Node) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        yaml.constructor.SafeConstructor().construct_document(node)
    except ValueError:
        yield "expected a number, or text in quotes", _position(node)


def _walk_mapping(
    node: yaml.MappingNode, path: FieldPath, positions: Positions
) -> Iterator[tuple[str, tuple[int, int]]]:
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            yield "expected the name of a field", _position(key)
            continue
        if name in seen:
            yield f"{name!r} is given twice", _position(key)
        seen.add(name)
        positions[(*path, name, "#key")] = _position(key)
        yield from _walk(value, (*path, name), positions)


def _position(part: yaml.Node | yaml.Event | yaml.MarkedYAMLError) -> tuple[int, int]:
    mark = part.problem_mark if isinstance(part, yaml.MarkedYAMLError) else part.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _position_at(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - before.rfind("\n")
