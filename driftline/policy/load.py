"""Loading of policies from YAML, with every error reported at its line and column.

pydantic validates the parsed document and reports errors by path; ``_yaml`` maps each path to its
position in the text. All errors of a policy are reported at once; a text that is no YAML has no others.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pydantic

from driftline.errors import InvalidPolicy, Problem
from driftline.policy import _yaml, model
from driftline.policy.model import Policy
from driftline.printable import escape_unprintable

__all__ = ["API_VERSION", "KIND", "load", "load_file"]

API_VERSION = "driftline.dev/v1alpha1"
KIND = "DriftPolicy"
_MESSAGE_MAX = 500
_MANIFEST = ("apiVersion", "kind", "metadata", "spec", "status")


def load_file(path: Path) -> Policy:
    """Load a policy from a UTF-8 file.

    The file is the policy itself or a Kubernetes manifest, as for ``load``. Raises ``InvalidPolicy`` with
    every error in the file, or if the file cannot be read.
    """
    # Reads one character more than is allowed, so that the parser refuses a longer file without all
    # of it being read (the file may be endless, like /dev/zero).
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_yaml.MAX_CHARACTERS + 1)
    except OSError as error:
        raise InvalidPolicy(f"cannot read the policy {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidPolicy(f"cannot read the policy {path}: expected UTF-8 text") from error
    return load(text, source=str(path))


def load(text: str, *, source: str) -> Policy:
    """Load a policy from YAML text: the policy itself or a Kubernetes manifest with it under ``spec``.

    A document with ``apiVersion`` or ``kind`` is a manifest. ``source`` is the name of the text in messages,
    a file name for example. Raises ``InvalidPolicy`` with every error, by line and column.
    """
    document, positions = _yaml.load(text, source=source)
    spec, prefix = _spec(document, positions, source)
    try:
        return Policy.model_validate(spec, by_alias=True, by_name=False)
    except pydantic.ValidationError as error:
        problems = {_problem(item, prefix, positions, source) for item in error.errors(include_url=False)}
        problems |= {_located(path, reason, prefix, positions, source) for path, reason in _duplicates(spec)}
        order = sorted(problems, key=lambda problem: (problem.line, problem.column, problem.message))
        raise InvalidPolicy(*order) from error


# Returns the policy's part of the document and its path: the whole document, or ``spec`` of a manifest.
def _spec(document: Any, positions: _yaml.Positions, source: str) -> tuple[Any, _yaml.FieldPath]:
    if not isinstance(document, dict):
        raise InvalidPolicy(Problem("expected a mapping with the key rules", 1, 1, source))
    if "apiVersion" not in document and "kind" not in document:
        return document, ()
    unknown = [name for name in document if name not in _MANIFEST]
    if unknown:
        hints = ((name, f"unknown field{_suggestion(name, _MANIFEST)}") for name in unknown)
        raise InvalidPolicy(*(_located((name, "#key"), hint, (), positions, source) for name, hint in hints))
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise InvalidPolicy(Problem(f"expected apiVersion {API_VERSION} and kind {KIND}", 1, 1, source))
    if "spec" not in document:
        raise InvalidPolicy(Problem("expected the policy under spec", 1, 1, source))
    return document["spec"], ("spec",)


# The model's own check for duplicates runs only after all fields are valid (pydantic skips "after"
# validators otherwise). This one reports duplicates together with the other errors.
def _duplicates(spec: Any) -> Iterable[tuple[_yaml.FieldPath, str]]:
    rules = spec.get("rules") if isinstance(spec, dict) else None
    if not isinstance(rules, list):
        return ()
    pairs = [(_key(rule, "name", number), _key(rule, "priority", number)) for number, rule in enumerate(rules)]
    return model.duplicates(pairs)


# A missing value or one of another type is an error of its own, not a duplicate: it gets a unique key.
def _key(rule: Any, what: str, number: int) -> object:
    value = rule.get(what) if isinstance(rule, dict) else None
    return value if isinstance(value, str | int) else (number,)


def _problem(item: Any, prefix: _yaml.FieldPath, positions: _yaml.Positions, source: str) -> Problem:
    path = item["loc"]
    if item["type"] == "extra_forbidden":
        return _located((*path, "#key"), f"unknown field{_hint(path)}", prefix, positions, source)
    return _located(path, _reason(item), prefix, positions, source)


# Cuts long messages: an unknown field's name may be as long as the file.
def _located(
    path: _yaml.FieldPath, reason: str, prefix: _yaml.FieldPath, positions: _yaml.Positions, source: str
) -> Problem:
    # Names of unknown fields come from the file and may contain control characters for terminals.
    where = escape_unprintable(".".join(str(part) for part in path if part != "#key"))
    line, column = _position((*prefix, *path), positions)
    message = f"{where}: {reason}" if where else reason
    return Problem(message if len(message) <= _MESSAGE_MAX else message[:_MESSAGE_MAX] + " …", line, column, source)


# A missing field has no position of its own: the nearest enclosing value that has one is taken.
def _position(path: _yaml.FieldPath, positions: _yaml.Positions) -> tuple[int, int]:
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, (1, 1))


_REASONS: Mapping[str, str] = {
    "missing": "expected this field",
    "too_long": "expected at most {max_length}, got {actual_length}",
    "too_short": "expected at least {min_length}, got {actual_length}",
    "string_too_long": "expected at most {max_length} characters",
    "string_too_short": "expected at least {min_length} characters",
    "string_type": "expected text, got {got}",
    "timezone_aware": "expected a time with its zone, like 2026-12-31T00:00:00Z",
    "model_type": "expected a mapping, got {got}",
    "tuple_type": "expected a list, got {got}",
    "bool_type": "expected true or false, got {got}",
    "int_type": "expected a whole number, got {got}",
    "enum": "expected {expected}, got {got}",
    "literal_error": "expected {expected}, got {got}",
    "string_pattern_mismatch": "expected 64 lower-case hexadecimal digits",
}
"""Messages by pydantic's error types (https://docs.pydantic.dev/latest/errors/validation_errors/).

Errors of other types keep pydantic's message.
"""

_KINDS = {dict: "a mapping", list: "a list", type(None): "nothing"}


def _reason(item: Any) -> str:
    given = item["input"]
    # YAML writes true and null in lower case, repr() does not.
    got = _KINDS.get(type(given)) or (repr(given) if isinstance(given, str) else f"{given!r}".lower())
    # An unquoted account id or version is a number in YAML, an unquoted yes is a boolean.
    if item["type"] == "string_type" and isinstance(given, bool | int | float):
        got += "; put it into quotes"
    known = _REASONS.get(item["type"])
    if known:
        return known.format(got=got, **item.get("ctx", {}))
    return str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")


# The default rule is a special case, because a field of ordinary rules is a likely mistake there.
def _hint(path: _yaml.FieldPath) -> str:
    if path[0] == "defaultRule":
        return "; the default rule has an action and nothing else"
    return _suggestion(str(path[-1]), _field_names())


def _suggestion(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close and close[0] != name else ""


@cache
def _field_names() -> Sequence[str]:
    schema = Policy.model_json_schema(by_alias=True)
    parts = [schema, *schema["$defs"].values()]
    return sorted({name for part in parts for name in part.get("properties", {})})
