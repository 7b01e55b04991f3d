"""The one shape of an error: RFC 9457, ``application/problem+json``.

``type`` is a stable name for programs, ``detail`` for people. What is wrong at places stands in
``errors``: a JSON pointer for a field of the body or a parameter, line, column and span for a text.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from driftline import errors

__all__ = ["RESPONSES", "Place", "ProblemDocument", "install", "kind_of", "response"]

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:driftline:problem:"

log = logging.getLogger(__name__)

# The first that an error is an instance of decides.
_KINDS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (errors.InvalidQuery, 400, "invalid-query", "The query is wrong"),
    (errors.InvalidPolicy, 400, "invalid-policy", "The policy is wrong"),
    (errors.InvalidInput, 400, "invalid-input", "The request is wrong"),
    (errors.Unauthenticated, errors.Unauthenticated.status, "unauthenticated", "Who asks is unknown"),
    (errors.Forbidden, errors.Forbidden.status, "forbidden", "Not allowed"),
    (errors.NotFound, errors.NotFound.status, "not-found", "Not found"),
    (errors.Conflict, errors.Conflict.status, "conflict", "What is there speaks against it"),
    (errors.TooMany, errors.TooMany.status, "too-many", "Too many requests"),
    (errors.StoreBusy, 503, "store-busy", "The event store is busy"),
    (errors.StoreFull, 507, "store-full", "The event store is full"),
    (errors.StoreError, 422, "store-refused", "The event store could not answer"),
    (errors.ServerUnreachable, 502, "provider-unreachable", "Another server gives no answer"),
    (errors.StateError, 503, "state-unavailable", "The server's database does not answer"),
)
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large", 415: "Unsupported media type"}


class Place(BaseModel):
    """One thing that is wrong, and where."""

    detail: str
    source: str | None = Field(default=None, description="Name of the saved hunt it is in, if not in what was sent")
    pointer: str | None = Field(default=None, description="JSON pointer into the body, or #/query/NAME for a parameter")
    line: int | None = Field(default=None, description="Line of the text, from 1")
    column: int | None = Field(default=None, description="Column of the text, from 1")
    offset: int | None = Field(default=None, description="Where the span begins, in characters from 0")
    length: int | None = Field(default=None, description="Length of the span in characters")


class ProblemDocument(BaseModel):
    """What every error looks like (RFC 9457)."""

    type: str = Field(examples=["urn:driftline:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no alert '7f'"])
    instance: str = Field(
        default="", description="Id of the request, as in the server's log and the header X-Request-Id"
    )
    errors: list[Place] = []


def _described(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: _described("What was sent is wrong"),
    401: _described("No credentials, or none that hold"),
    403: _described("The role, the token's scopes or the clusters granted do not allow it"),
    404: _described("There is none, or none the caller may see"),
    409: _described("What is there speaks against it"),
    422: _described("The event store could not answer within its limits"),
    429: _described("Too many requests; see Retry-After"),
    503: _described("A part of the server does not answer at the moment; try again"),
}
"""The errors every endpoint may answer with, for OpenAPI."""


def install(app: FastAPI) -> None:
    """Make every error of an app come in the one shape."""
    handlers: Mapping[Any, Any] = {
        errors.DriftlineError: _on_own,
        RequestValidationError: _on_validation,
        HTTPException: _on_http,
        Exception: _on_bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def kind_of(error: errors.DriftlineError) -> str:
    """Give the stable name of an error, as at the end of ``type``."""
    return next((name for kind, _, name, _ in _KINDS if isinstance(error, kind)), "internal")


def response(
    request: Request,
    *,
    status: int,
    kind: str,
    title: str,
    detail: str,
    places: list[Place] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Make the answer."""
    document = ProblemDocument(
        type=TYPE + kind,
        title=title,
        status=status,
        detail=detail,
        instance=getattr(request.state, "request_id", ""),
        errors=places or [],
    )
    body = document.model_dump(exclude_none=True)
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _on_own(request: Request, error: errors.DriftlineError) -> JSONResponse:
    for kind, status, name, title in _KINDS:
        if isinstance(error, kind):
            return response(
                request,
                status=status,
                kind=name,
                title=title,
                detail=str(error),
                places=_places(error),
                headers=_headers(error),
            )
    return _on_bug(request, error)


def _headers(error: errors.DriftlineError) -> dict[str, str]:
    if isinstance(error, errors.Unauthenticated):
        return {"WWW-Authenticate": 'Bearer realm="driftline"'}
    if isinstance(error, errors.TooMany):
        return {"Retry-After": str(max(1, round(error.seconds)))}
    return {"Retry-After": "1"} if isinstance(error, errors.StoreBusy | errors.StateError) else {}


def _places(error: errors.DriftlineError) -> list[Place]:
    if not isinstance(error, errors.InvalidInput):
        return []
    return [
        Place(
            detail=problem.message,
            source=problem.source or None,
            line=problem.line or None,
            column=problem.column or None,
            offset=getattr(problem, "offset", None),
            length=getattr(problem, "length", None),
        )
        for problem in error.problems
    ]


def _on_validation(request: Request, error: RequestValidationError) -> JSONResponse:
    places = [Place(detail=item["msg"], pointer="#/" + "/".join(map(str, item["loc"]))) for item in error.errors()]
    detail = "; ".join(f"{place.pointer}: {place.detail}" for place in places)
    return response(
        request, status=400, kind="invalid-input", title="The request is wrong", detail=detail, places=places
    )


def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    title = _TITLES.get(error.status_code, "Refused")
    kind = title.lower().replace(" ", "-")
    return response(
        request, status=error.status_code, kind=kind, title=title, detail=str(error.detail), headers=error.headers
    )


def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = "the server failed; its log has the details under this request's id"
    return response(request, status=500, kind="internal", title="Internal error", detail=detail)
