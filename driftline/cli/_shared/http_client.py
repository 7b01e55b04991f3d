"""Client of a server's HTTP API: requests, pages, and problem documents as driftline's errors."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import httpx
import pyarrow as pa

from driftline.cli._shared.credentials import Credentials, load_credentials
from driftline.errors import (
    Conflict,
    DriftlineError,
    Forbidden,
    InvalidInput,
    InvalidQuery,
    NotFound,
    Problem,
    QueryProblem,
    Refused,
    ServerUnreachable,
    TooMany,
    Unauthenticated,
)

__all__ = ["Client", "Rows", "connect"]

# A hunt takes at most 60 s by default (the server's setting hunt_seconds); the rest is for the transfer.
_TIMEOUT_SECONDS = 90.0
_ERROR_BY_STATUS: dict[int, type[DriftlineError]] = {
    kind.status: kind for kind in (Unauthenticated, Forbidden, NotFound, Conflict)
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a hunt."""

    rows: pa.Table
    truncated: bool
    """``True`` if the query has more rows than the limit of the request, which were left out."""


def connect(credentials: Credentials | None = None) -> Client:
    """Return a client, to be used in a ``with`` statement.

    Without ``credentials`` those of the environment or of ``driftline login`` are used; raises as
    ``load_credentials`` does.
    """
    return Client(credentials or load_credentials())


class Client:
    """A client of ``/api/v1`` of one server, which raises the server's errors as driftline's classes.

    Raises ``InvalidInput`` for a URL or a certificate file that cannot be used.
    """

    def __init__(self, credentials: Credentials) -> None:
        headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}
        try:
            self._http = httpx.Client(
                base_url=credentials.server.rstrip("/") + "/api/v1",
                headers=headers,
                timeout=_TIMEOUT_SECONDS,
                verify=_tls_context(credentials.ca),
            )
        except (httpx.InvalidURL, OSError) as error:
            raise InvalidInput(f"cannot use the server {credentials.server!r}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, body: Any = None, **parameters: Any) -> Any:
        """Return the decoded JSON of an endpoint's response; ``None`` if the response has no body.

        ``path`` is relative to ``/api/v1``; ``body`` is sent as JSON, ``parameters`` in the query string.

        Raises the error that the server's problem document describes (``InvalidInput``, ``InvalidQuery``,
        ``TooMany`` or another ``Refused``), and ``ServerUnreachable`` without a valid response.
        """
        try:
            response = self._http.request(method, path, json=body, params=parameters or None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnreachable(f"no answer from {self._http.base_url}: {error}") from error
        if response.is_error:
            raise _error(response)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise ServerUnreachable(
                f"the response of {self._http.base_url} is not JSON; is it a driftline server?"
            ) from error

    def arrow(self, path: str, body: Any) -> Rows:
        """Return the rows that an endpoint sends as an Arrow IPC stream; raises as ``call`` does."""
        headers = {"Accept": "application/vnd.apache.arrow.stream"}
        try:
            response = self._http.post(path, json=body, headers=headers)
            if response.is_error:
                raise _error(response)
            rows = pa.ipc.open_stream(response.content).read_all()
        except (httpx.HTTPError, pa.ArrowException) as error:
            raise ServerUnreachable(f"no complete answer from {self._http.base_url}: {error}") from error
        return Rows(rows, truncated=response.headers.get("X-Truncated") == "true")

    def items(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a paged list, requesting one page after the other; raises as ``call`` does."""
        cursor = ""
        while True:
            page = self.call("GET", path, **parameters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return


def _tls_context(ca: str) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=ca) if ca else True


# The exit code follows from the class of the error (``main``): an error in the input is distinguished
# from a failure of the server by status 400, a query from other input by the problem's type, because only
# its places carry spans that can be underlined.
def _error(response: httpx.Response) -> DriftlineError:
    try:
        problem = response.json()
        detail, places = str(problem["detail"]), problem.get("errors", ())
    except (ValueError, KeyError, TypeError):
        # A proxy, or another kind of server: its answer is no problem document (RFC 9457).
        return ServerUnreachable(f"{response.request.url} answered {response.status_code}; is it a driftline server?")
    if str(problem.get("type", "")).endswith(":invalid-query") and places:
        return InvalidQuery(*map(_query_problem, places))
    if response.status_code == 400:
        return InvalidInput(*(map(_problem, places) if places else (detail,)))
    if response.status_code == TooMany.status:
        return TooMany(detail, seconds=float(response.headers.get("Retry-After", "1")))
    kind = _ERROR_BY_STATUS.get(response.status_code)
    return kind(detail) if kind else Refused(f"{problem.get('title', response.status_code)}: {detail}")


def _query_problem(place: dict[str, Any]) -> QueryProblem:
    return QueryProblem(
        str(place["detail"]),
        place.get("line", 0),
        place.get("column", 0),
        str(place.get("source", "")),
        place.get("offset", 0),
        place.get("length", 0),
    )


def _problem(place: dict[str, Any]) -> Problem:
    pointer = place.get("pointer", "")
    message = f"{pointer.removeprefix('#/')}: {place['detail']}" if pointer else place["detail"]
    return Problem(message, place.get("line", 0), place.get("column", 0))
