"""YAML documents, parsed with PyYAML's safe loader, and the position of each value in the text.

Times stay text, which the policy model parses: YAML's own timestamp type
(https://yaml.org/type/timestamp.html) takes a time without a zone as UTC without a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from driftline.errors import InvalidPolicy, Problem

__all__ = ["FieldPath", "Positions", "load"]

FieldPath = tuple[str | int, ...]
"""Path of a value in a document: keys of mappings and indexes of lists (from 0), outermost first."""
Positions = dict[FieldPath, tuple[int, int]]
"""Line and column, from 1, of each value by its path. The path of a key is its value's path and ``#key``."""

MAX_CHARACTERS = 4 << 20
"""Maximum length of a document in characters."""
MAX_DEPTH = 20
"""Maximum nesting depth of mappings and lists."""

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

# The loader based on libyaml is six times as fast as the Python one. PyYAML may be built without libyaml.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# The base class without the resolvers that turn text into timestamps.
class _Loader(_Base):  # type: ignore[misc] # the base class is known at run time only
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


def load(text: str, *, source: str) -> tuple[Any, Positions]:
    """Parse one YAML document.

    Return the document as mappings, lists and scalars, and the positions of its values; an empty
    text is ``None``. ``source`` is the name of the text in messages. Raises ``InvalidPolicy`` for a
    text that is no YAML, is too large or nested too deeply, or has aliases, tags, duplicate keys or
    keys that are no text.
    """
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


# Checks the event stream before any object is built. Refused are aliases, because nested ones make a
# document exponentially larger than its text ("billion laughs"); deep nesting, because the loader
# recurses and would exhaust the stack; and tags, because they request types that policies do not have.
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


# Records the positions of a node and all below it; yields each problem as a message and its position.
def _walk(node: yaml.Node, path: FieldPath, positions: Positions) -> Iterator[tuple[str, tuple[int, int]]]:
    positions[path] = _position(node)
    if isinstance(node, yaml.MappingNode):
        yield from _walk_mapping(node, path, positions)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, number), positions)
    elif node.tag in _NUMBERS:
        yield from _check_number(node)


# Some scalars match YAML's pattern of a number and cannot be converted: 0b_ has no digit, and int()
# takes 4,300 digits at most (sys.set_int_max_str_digits).
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
