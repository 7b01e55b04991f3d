"""Errors as problem documents (RFC 9457, ``application/problem+json``).

``type`` is a stable name for programs, ``title`` and ``detail`` are for people. ``errors`` has the single
errors with their place: a JSON pointer for a field of the body or a parameter; line, column and span for a
text, such as a query or a policy.

Endpoints raise driftline's errors; ``_KINDS`` alone decides on their status. An error of another class is a
bug: it is logged with its traceback and answered by status 500 without details, because its message may
contain data that the caller may not see.
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

# Error class, HTTP status, last part of ``type``, title. The first row that an error is an instance of
# decides, so a subclass stands before its base.
_KINDS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (errors.InvalidQuery, 400, "invalid-query", "Invalid query"),
    (errors.InvalidPolicy, 400, "invalid-policy", "Invalid policy"),
    (errors.InvalidInput, 400, "invalid-input", "Invalid request"),
    (errors.Unauthenticated, errors.Unauthenticated.status, "unauthenticated", "Not authenticated"),
    (errors.Forbidden, errors.Forbidden.status, "forbidden", "Not allowed"),
    (errors.NotFound, errors.NotFound.status, "not-found", "Not found"),
    (errors.Conflict, errors.Conflict.status, "conflict", "Conflict"),
    (errors.TooMany, errors.TooMany.status, "too-many", "Too many requests"),
    (errors.StoreBusy, 503, "store-busy", "Event store busy"),
    (errors.StoreFull, 507, "store-full", "Event store full"),
    (errors.StoreError, 422, "store-refused", "Event store error"),
    (errors.ServerUnreachable, 502, "provider-unreachable", "OpenID provider unreachable"),
    (errors.StateError, 503, "state-unavailable", "Server database unavailable"),
)
_TITLES = {404: "Not found", 405: "Method not allowed", 413: "Too large", 415: "Unsupported media type"}


class Place(BaseModel):
    """One error of the request, and its place."""

    detail: str = Field(description="Error message")
    source: str | None = Field(
        default=None, description="Name of the saved hunt with the error; absent if it is in the text of the request"
    )
    pointer: str | None = Field(
        default=None, description="JSON pointer to the field of the body, or #/query/NAME for a query parameter"
    )
    line: int | None = Field(default=None, description="Line in the text, counted from 1")
    column: int | None = Field(default=None, description="Column in the line, counted from 1")
    offset: int | None = Field(default=None, description="Start of the erroneous span, in characters from 0")
    length: int | None = Field(default=None, description="Length of the erroneous span in characters")


class ProblemDocument(BaseModel):
    """Body of every error response (RFC 9457)."""

    type: str = Field(description="Stable name of the kind of error", examples=["urn:driftline:problem:not-found"])
    title: str = Field(description="Kind of error in words", examples=["Not found"])
    status: int = Field(description="HTTP status", examples=[404])
    detail: str = Field(description="Error message", examples=["no alert '7f'"])
    instance: str = Field(
        default="", description="Id of the request, as in the server's log and the header X-Request-Id"
    )
    errors: list[Place] = Field(default=[], description="Single errors with their place; empty if none has a place")


def _problem_response(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: _problem_response("Invalid request"),
    401: _problem_response("No credentials, or invalid or expired ones"),
    403: _problem_response("Not permitted by the role, the token's scopes or the granted clusters"),
    404: _problem_response("No such object, or none that the caller may see"),
    409: _problem_response("Conflict with the present state, such as an existing name or a newer version"),
    422: _problem_response("The query exceeded a limit of the event store, or failed there"),
    429: _problem_response("Too many requests; see Retry-After"),
    503: _problem_response("A part of the server is temporarily unavailable; try again"),
}
"""Error responses of every endpoint by status, for the OpenAPI document."""


def install(app: FastAPI) -> None:
    """Install exception handlers, so that every error response of an app is a problem document."""
    handlers: Mapping[Any, Any] = {
        errors.DriftlineError: _on_driftline_error,
        RequestValidationError: _on_validation,
        HTTPException: _on_http,
        Exception: _on_bug,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def kind_of(error: errors.DriftlineError) -> str:
    """Return the stable name of an error, the last part of ``type``; ``internal`` for an unexpected one."""
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
    """Return the response with a problem document.

    ``kind`` is the last part of ``type``; ``places`` are the single errors, ``headers`` additional headers.
    """
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


def _on_driftline_error(request: Request, error: errors.DriftlineError) -> JSONResponse:
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


# WWW-Authenticate is required with 401 (RFC 9110, section 11.6.1); Retry-After is in whole seconds (10.2.3).
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
    return response(request, status=400, kind="invalid-input", title="Invalid request", detail=detail, places=places)


def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    title = _TITLES.get(error.status_code, "Refused")
    kind = title.lower().replace(" ", "-")
    return response(
        request, status=error.status_code, kind=kind, title=title, detail=str(error.detail), headers=error.headers
    )


def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = "internal error; the server's log has the details under the id of this request"
    return response(request, status=500, kind="internal", title="Internal error", detail=detail)
