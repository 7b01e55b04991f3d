"""The event store; the only importer of DuckDB.

``process.writer`` hands rows to the store's own process (``process.service``), ``process.reader`` reads them,
``hunt`` runs KQL over tables (``query.hunt_tables``). Nothing is imported here: the sensor writes without
DuckDB and Arrow in its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from driftline.store.query.hunt_tables import Engine
    from driftline.store.query.limits import Limits, OnHunt, Stop

__all__ = ["hunt"]


def hunt(
    text: str,
    tables: Mapping[str, pa.Table | str | Path],
    engine: Engine = "duckdb",
    *,
    schema: Mapping[str, Mapping[str, str]] | None = None,
    parameters: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a KQL query over tables by name; see ``driftline.store.query.hunt_tables.hunt``."""
    from driftline.store.query import hunt_tables  # noqa: PLC0415 -- see above

    return hunt_tables.hunt(
        text, tables, engine, schema=schema, parameters=parameters, limits=limits, stop=stop, on_hunt=on_hunt
    )
