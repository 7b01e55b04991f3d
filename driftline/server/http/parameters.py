"""Check of the names of query parameters: an unknown one, or one given twice, is an invalid request.

A filter with a misspelt name would otherwise be passed over, and the answer would be of all objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from driftline.errors import InvalidInput, Problem
from driftline.server.http.choices import nearest

__all__ = ["KnownParameters"]


async def _check(request: Request) -> None:
    route = request.scope.get("route")
    given = Counter(name for name, _ in request.query_params.multi_items())
    if not given or not isinstance(route, APIRoute):
        return
    known = list(_names(route.dependant))
    problems = [_unknown(name, known) for name in given if name not in known]
    problems += [f"query/{name}: given {count} times; expected it once" for name, count in given.items() if count > 1]
    if problems:
        raise InvalidInput(*map(Problem, problems))


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _names(dependency)


def _unknown(name: str, known: list[str]) -> str:
    expected = f"expected one of {', '.join(known)}" if known else "this endpoint has no parameters"
    return f"query/{name}: unknown parameter; {expected}{nearest(name, known)}"


KnownParameters: Any = Depends(_check)
"""The dependency that refuses a request with unknown query parameters."""
