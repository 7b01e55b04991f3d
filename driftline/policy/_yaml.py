"""YAML with places: what PyYAML's safe loader gives, and where each part of it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from driftline.errors import InvalidPolicy, Problem

__all__ = ["Places", "load"]

Path = tuple[str | int, ...]
Places = dict[Path, tuple[int, int]]
"""Line and column, from 1, of each value by its path; keys by their path and the word ``#key``."""

MAX_BYTES = 4 << 20
MAX_DEPTH = 20


def load(text: str, *, source: str) -> tuple[Any, Places]:
    """Parse one document; raises ``InvalidPolicy``."""
    if len(text) > MAX_BYTES:
        raise InvalidPolicy(Problem(f"expected at most {MAX_BYTES} characters, got {len(text)}", source=source))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_aliases(text, source)
        places: Places = {}
        problems = [Problem(message, *place, source) for message, place in _walk(node, (), places)] if node else []
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise InvalidPolicy(Problem(f"not YAML: {error.problem or error.context}", *place, source)) from error
    except yaml.YAMLError as error:
        raise InvalidPolicy(Problem(f"not YAML: {error}", source=source)) from error
    if problems:
        raise InvalidPolicy(*problems)
    return yaml.safe_load(text), places


# An alias makes a document larger than its text: a policy has no need of them.
def _refuse_aliases(text: str, source: str) -> None:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidPolicy(Problem("aliases (*name) are not supported", *_place(event), source))


def _walk(node: yaml.Node, path: Path, places: Places) -> Iterator[tuple[str, tuple[int, int]]]:
    places[path] = _place(node)
    if len(path) > MAX_DEPTH:
        yield f"nested deeper than {MAX_DEPTH}", _place(node)
    elif isinstance(node, yaml.MappingNode):
        yield from _walk_mapping(node, path, places)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, number), places)


def _walk_mapping(node: yaml.MappingNode, path: Path, places: Places) -> Iterator[tuple[str, tuple[int, int]]]:
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        if name in seen:
            yield f"{name!r} is given twice", _place(key)
        seen.add(name)
        places[(*path, name, "#key")] = _place(key)
        yield from _walk(value, (*path, name), places)


def _place(part: yaml.Node | yaml.Event) -> tuple[int, int]:
    mark = part.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)
