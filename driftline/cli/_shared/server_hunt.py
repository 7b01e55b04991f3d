"""Hunts that a server answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from driftline.cli._shared import http_client
from driftline.errors import InvalidInput
from driftline.store.query.hunt_store import Explanation

__all__ = ["ServerAsked"]

MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class ServerAsked:
    """A query, or the name of a hunt that the server keeps (``run``), for the server at ``server``."""

    server: str
    query: str
    run: str
    parameters: Mapping[str, str]
    timespan: str
    rows: int

    def hunt(self) -> pa.Table:
        """Give the rows; raises ``InvalidInput`` for more than ``rows``, and what the server says."""
        with http_client.connect(http_client.load_credentials(self.server)) as client:
            found = client.arrow("/hunt", self._body())
        if found.truncated:
            raise InvalidInput(f"the answer has more than {self.rows:,} rows; add a 'summarize' or a 'take'")
        return found.rows

    def explain(self) -> Explanation:
        """Raise ``InvalidInput``: a server tells nobody how its store lies."""
        raise InvalidInput("--explain: a server does not explain hunts; use --store where the store is")

    def _body(self) -> dict[str, Any]:
        what = {"run": self.run} if self.run else {"query": self.query}
        limit = min(self.rows, MOST_ROWS)
        return {**what, "parameters": dict(self.parameters), "timespan": self.timespan, "limit": limit}
