"""Write the files that are generated from code; ``--check`` only compares them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from driftline.events import TABLES, VIEW_COLUMNS, VIEWS, Table, View
from driftline.hunts.schema import column_types
from driftline.policy import reference, schema
from scripts import _hunts_page, server_docs

TREE = Path(__file__).parent.parent
ROOT = TREE / "docs" / "reference"
HEAD = """# Hunting tables

Made from `driftline/events/` by `python -m scripts.docs`. Columns that Defender's advanced hunting
has come first, with its names, order and types; driftline's own follow. Times are UTC.
"""


VIEWS_HEAD = """## Views

Tables that published queries read, made from the hunting tables by the queries below.
"""


def tables() -> str:
    """Return the page of the hunting tables."""
    sections = [*map(_section, TABLES.values()), VIEWS_HEAD, *map(_view_section, VIEWS.values())]
    return "\n".join([HEAD, *sections])


def _section(table: Table) -> str:
    """Return the section of one table, with a row for each column."""
    rows = [f"| `{column.name}` | {column.type} | {column.description} |" for column in table.columns]
    types = column_types(table.name)
    defined = [f"`{name}` ({types[name]}) = `{value}`" for name, value in VIEW_COLUMNS[table.name].items()]
    return "\n".join([f"## {table.name}", "", table.description + ".", "", "| column | type | meaning |",
                      "| --- | --- | --- |", *rows, "",
                      "A query that mentions them also gets:", "", *(f"- {each}" for each in defined), ""])  # fmt: skip


def _view_section(view: View) -> str:
    """Return the section of one view, with its columns and its definition."""
    columns = ", ".join(f"`{name}` ({kind})" for name, kind in column_types(view.name).items())
    return "\n".join([f"### {view.name}", "", view.description + ".", "", f"Columns: {columns}.", "",
                      "```kql", view.query.strip(), "```", ""])  # fmt: skip


def crd() -> str:
    """Return the CustomResourceDefinition of drift policies."""
    head = "# Made from driftline/policy/ by `python -m scripts.docs`.\n"
    return head + yaml.safe_dump(schema.custom_resource_definition(), sort_keys=False, width=120)


def json_schema() -> str:
    """Return the JSON schema of policy files."""
    return json.dumps(schema.json_schema(), indent=2) + "\n"


PAGES = {
    ROOT / "tables.md": tables,
    ROOT / "policy.md": reference.page,
    ROOT / "hunts.md": _hunts_page.page,
    **server_docs.pages(ROOT),
    TREE / "deploy" / "crds" / "driftpolicies.yaml": crd,
    TREE / "deploy" / "crds" / "driftpolicy.schema.json": json_schema,
}


def stale() -> list[Path]:
    """Return the files that differ from what the code generates."""
    return [path for path, page in PAGES.items() if not path.exists() or path.read_text() != page()]


def main() -> None:
    """Write all files, or with ``--check`` exit with an error that lists the stale ones."""
    if "--check" in sys.argv:
        sys.exit("\n".join(f"stale: {path}; run python -m scripts.docs" for path in stale()) or 0)
    for path, page in PAGES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(page())


if __name__ == "__main__":
    main()
