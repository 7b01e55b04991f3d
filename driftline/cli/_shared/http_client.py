"""Talking to a server: where it is, as whom, and its errors as ours."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pyarrow as pa

from driftline.errors import (
    Conflict,
    DriftlineError,
    Forbidden,
    InvalidInput,
    InvalidQuery,
    NotFound,
    Problem,
    Refused,
    ServerUnreachable,
    TooMany,
    Unauthenticated,
)
from driftline.kql import QueryProblem

__all__ = ["Client", "Credentials", "Rows", "connect", "credentials_file", "load_credentials", "save_credentials"]

_SECONDS = 90.0
_KINDS: dict[int, type[DriftlineError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A server and what opens it. ``ca`` is a PEM file of its authority; empty: the system's."""

    server: str
    token: str = ""
    ca: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer to a hunt, and whether there were more rows than asked for."""

    rows: pa.Table
    truncated: bool


def credentials_file() -> Path:
    """Give where credentials lie: ``DRIFTLINE_CREDENTIALS``, else below the XDG configuration."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    given = os.environ.get("DRIFTLINE_CREDENTIALS")
    return Path(given) if given else Path(config).expanduser() / "driftline" / "credentials.json"


def load_credentials(server: str = "") -> Credentials:
    """Read ``DRIFTLINE_SERVER`` and ``DRIFTLINE_TOKEN``, else what ``driftline login`` kept.

    Raises ``Unauthenticated`` if there are none, or none for ``server``: a token goes to its own
    server only.
    """
    found = _kept()
    if server and server.rstrip("/") != found.server.rstrip("/"):
        raise Unauthenticated(f"logged in to {found.server}; use `driftline login --server {server}`")
    return found


def _kept() -> Credentials:
    environ = os.environ
    if environ.get("DRIFTLINE_SERVER") and environ.get("DRIFTLINE_TOKEN"):
        return Credentials(environ["DRIFTLINE_SERVER"], environ["DRIFTLINE_TOKEN"], environ.get("DRIFTLINE_CA", ""))
    path = credentials_file()
    try:
        return Credentials(**json.loads(path.read_text()))
    except FileNotFoundError as error:
        raise Unauthenticated("not logged in; use `driftline login --server URL`") from error
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path}: {error}; `driftline login` writes it anew") from error


def save_credentials(credentials: Credentials) -> None:
    """Keep credentials for this user alone."""
    path = credentials_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(credentials), file)
    temporary.replace(path)


def connect(credentials: Credentials | None = None) -> Client:
    """Make a client, to be used in a ``with`` statement, by default with the credentials that are kept."""
    return Client(credentials or load_credentials())


class Client:
    """A server's API, whose refusals are raised as errors of ours."""

    def __init__(self, credentials: Credentials) -> None:
        headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}
        try:
            self._http = httpx.Client(
                base_url=credentials.server.rstrip("/") + "/api/v1",
                headers=headers,
                timeout=_SECONDS,
                verify=_context(credentials.ca),
            )
        except (httpx.InvalidURL, OSError) as error:
            raise InvalidInput(f"cannot use the server {credentials.server!r}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, body: Any = None, **parameters: Any) -> Any:
        """Call an endpoint and give its JSON; raises what the server's problem document says."""
        try:
            answer = self._http.request(method, path, json=body, params=parameters or None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnreachable(f"no answer from {self._http.base_url}: {error}") from error
        if answer.is_error:
            raise _error(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ServerUnreachable(f"{self._http.base_url} answers no JSON; is it a driftline server?") from error

    def arrow(self, path: str, body: Any) -> Rows:
        """Ask for rows as an Arrow stream, and read them; raises as ``call`` does."""
        headers = {"Accept": "application/vnd.apache.arrow.stream"}
        try:
            answer = self._http.post(path, json=body, headers=headers)
            if answer.is_error:
                raise _error(answer)
            rows = pa.ipc.open_stream(answer.content).read_all()
        except (httpx.HTTPError, pa.ArrowException) as error:
            raise ServerUnreachable(f"no whole answer from {self._http.base_url}: {error}") from error
        return Rows(rows, truncated=answer.headers.get("X-Truncated") == "true")

    def items(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Go through all pages of a list."""
        cursor = ""
        while True:
            page = self.call("GET", path, **parameters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if not cursor:
                return


def _context(ca: str) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=ca) if ca else True


def _error(answer: httpx.Response) -> DriftlineError:
    try:
        problem = answer.json()
        detail, places = str(problem["detail"]), problem.get("errors", ())
    except (ValueError, KeyError, TypeError):
        return ServerUnreachable(f"{answer.request.url} answered {answer.status_code}; is it a driftline server?")
    if str(problem.get("type", "")).endswith(":invalid-query") and places:
        return InvalidQuery(*map(_query_place, places))
    if answer.status_code == 400:
        return InvalidInput(*(map(_place, places) if places else (detail,)))
    if answer.status_code == 429:
        return TooMany(detail, seconds=float(answer.headers.get("Retry-After", "1")))
    kind = _KINDS.get(answer.status_code)
    return kind(detail) if kind else Refused(f"{problem.get('title', answer.status_code)}: {detail}")


def _query_place(place: dict[str, Any]) -> QueryProblem:
    return QueryProblem(
        str(place["detail"]),
        place.get("line", 0),
        place.get("column", 0),
        str(place.get("source", "")),
        place.get("offset", 0),
        place.get("length", 0),
    )


def _place(place: dict[str, Any]) -> Problem:
    pointer = place.get("pointer", "")
    message = f"{pointer.removeprefix('#/')}: {place['detail']}" if pointer else place["detail"]
    return Problem(message, place.get("line", 0), place.get("column", 0))
