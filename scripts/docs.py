"""Write the reference pages that are derived from code; ``--check`` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from driftline.events import TABLES, Table
from scripts import server_docs

ROOT = Path(__file__).parent.parent / "docs" / "reference"
HEAD = """# Hunting tables

Made from `driftline/events/` by `python -m scripts.docs`. Columns that Defender's advanced hunting
has come first, with its names, order and types; driftline's own follow. Times are UTC.
"""


def tables() -> str:
    """Give the page of the hunting tables."""
    return "\n".join([HEAD, *(_section(table) for table in TABLES.values())])


def _section(table: Table) -> str:
    rows = [f"| `{column.name}` | {column.type} | {column.description} |" for column in table.columns]
    return "\n".join([f"## {table.name}", "", table.description + ".", "", "| column | type | meaning |",
                      "| --- | --- | --- |", *rows, ""])  # fmt: skip


PAGES = {ROOT / "tables.md": tables, **server_docs.pages(ROOT)}


def stale() -> list[Path]:
    """List the pages that are not what the code says."""
    return [path for path, page in PAGES.items() if not path.exists() or path.read_text() != page()]


def main() -> None:
    """Write or check all pages."""
    if "--check" in sys.argv:
        sys.exit("\n".join(f"stale: {path}; run python -m scripts.docs" for path in stale()) or 0)
    for path, page in PAGES.items():
        path.write_text(page())


if __name__ == "__main__":
    main()
