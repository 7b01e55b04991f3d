"""Hunts that a server runs for ``driftline hunt --server``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.cli._shared import credentials
from driftline.errors import InvalidInput
from driftline.store.query.hunt_store import Explanation

if TYPE_CHECKING:
    from driftline.cli._shared.http_client import Client

__all__ = ["ServerHunt", "server_columns"]

_MAX_ROWS = 1_000_000  # the API's maximum for "limit"


def server_columns(server: str) -> Mapping[str, Mapping[str, str]]:
    """Return the Kusto types of the columns of a server's tables, by table; raises the errors of ``Client.call``."""
    with _connected(server) as client:
        tables = client.call("GET", "/tables")
    return {table["name"]: {column["name"]: column["type"] for column in table["columns"]} for table in tables}


@dataclass(frozen=True, slots=True)
class ServerHunt:
    """A request to the endpoint ``POST /hunt`` of a server.

    Either ``query`` has the text, or ``run`` the name of a hunt that the server has; the other is empty.
    """

    server: str
    """URL of the server, which must be the one that the user is logged in to."""
    query: str
    run: str
    parameters: Mapping[str, str]
    """Values of the query's declared parameters by name."""
    timespan: str
    """Only rows of this span back from now, such as ``7d``; empty for all."""
    rows: int
    """Maximum number of rows."""

    def hunt(self) -> pa.Table:
        """Return the rows; raises ``InvalidInput`` for more than ``rows``, and the errors of ``Client.call``."""
        with _connected(self.server) as client:
            found = client.arrow("/hunt", self._body())
        if found.truncated:
            raise InvalidInput(f"the answer has more than {self.rows:,} rows; add a 'summarize' or a 'take'")
        return found.rows

    def explain(self) -> Explanation:
        """Raise ``InvalidInput``: the API does not reveal the plan, which shows how the store is laid out."""
        raise InvalidInput("--explain: a server does not explain hunts; use --store on the machine of the store")

    def _body(self) -> dict[str, Any]:
        text = {"run": self.run} if self.run else {"query": self.query}
        limit = min(self.rows, _MAX_ROWS)
        return {**text, "parameters": dict(self.parameters), "timespan": self.timespan, "limit": limit}


def _connected(server: str) -> Client:
    from driftline.cli._shared import http_client  # noqa: PLC0415 -- hunts over a store do not load httpx

    return http_client.connect(credentials.load_credentials(server))
