"""The event store; the only package that imports DuckDB.

The sensor hands rows to the store's own process (``process.writer`` to ``process.service``).
Readers send requests to that process (``process.reader``), or open the files if no process has
them open. ``hunt`` runs KQL over tables of the caller (``query.hunt_tables``).

Folders, from the outside inwards; each may import those after it, never those before it:
``process/``, ``files/``, ``query/``, ``udf/`` and ``term_index/``, ``schema``.

Importing this package imports nothing else, so that the sensor can write without DuckDB and Arrow
in its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from driftline.store.query.limits import Limits, OnHunt, Stop

__all__ = ["hunt"]


def hunt(
    text: str,
    tables: Mapping[str, pa.Table | str | Path],
    *,
    schema: Mapping[str, Mapping[str, str]] | None = None,
    parameters: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a KQL query over tables by name; see ``driftline.store.query.hunt_tables.hunt``."""
    from driftline.store.query import hunt_tables  # noqa: PLC0415 -- see the module's docstring

    return hunt_tables.hunt(
        text, tables, schema=schema, parameters=parameters, limits=limits, stop=stop, on_hunt=on_hunt
    )
