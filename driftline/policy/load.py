"""Policy files to policies, with every error at its line and column."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pydantic

from driftline.errors import InvalidPolicy, Problem
from driftline.policy import _yaml
from driftline.policy.model import Policy

__all__ = ["load", "load_file"]

API_VERSION = "driftline.dev/v1alpha1"
KIND = "DriftPolicy"


def load_file(path: Path) -> Policy:
    """Load a policy file; raises ``InvalidPolicy`` with all that is wrong."""
    try:
        text = path.read_text()
    except OSError as error:
        raise InvalidPolicy(f"cannot read the policy {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidPolicy(f"cannot read the policy {path}: expected UTF-8 text") from error
    return load(text, source=str(path))


def load(text: str, *, source: str) -> Policy:
    """Load a policy from YAML, plain or as a Kubernetes manifest; raises ``InvalidPolicy``."""
    document, places = _yaml.load(text, source=source)
    spec, prefix = _spec(document, source)
    try:
        return Policy.model_validate(spec)
    except pydantic.ValidationError as error:
        found = (_problem(item, prefix, places, source) for item in error.errors())
        raise InvalidPolicy(*sorted(found, key=lambda problem: (problem.line, problem.column))) from error


def _spec(document: Any, source: str) -> tuple[Any, _yaml.Path]:
    if not isinstance(document, dict):
        raise InvalidPolicy(Problem("expected a mapping with the key rules", 1, 1, source))
    if "apiVersion" not in document and "kind" not in document:
        return document, ()
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, KIND):
        raise InvalidPolicy(Problem(f"expected apiVersion {API_VERSION} and kind {KIND}", 1, 1, source))
    return document.get("spec", {}), ("spec",)


def _problem(item: Any, prefix: _yaml.Path, places: _yaml.Places, source: str) -> Problem:
    path = (*prefix, *item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        message = f"unknown field{_suggestion(str(item['loc'][-1]))}"
        path = (*path, "#key")
    line, column = _place(path, places)
    return Problem(f"{where}: {message}" if where else message, line, column, source)


def _place(path: _yaml.Path, places: _yaml.Places) -> tuple[int, int]:
    while path and path not in places:
        path = path[:-1]
    return places.get(path, (0, 0))


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, _field_names(), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _field_names() -> list[str]:
    schema = Policy.model_json_schema(by_alias=True)
    parts = [schema, *schema["$defs"].values()]
    return sorted({name for part in parts for name in part.get("properties", {})})
