"""Reference page of the hunts that ship with driftline."""

from __future__ import annotations

from driftline import hunts

__all__ = ["page"]

HEAD = """# Hunts that ship with driftline

Made from `driftline/hunts/*.yaml` by `python -m scripts.docs`. `driftline hunt list` names them,
`driftline hunt show NAME` prints one, `driftline hunt --run NAME` runs it. Each has rows that it
must find and rows that it must not; the tests run every hunt on DuckDB and on ClickHouse's engine.
"""


def page() -> str:
    """Return the page as Markdown."""
    library = hunts.load().values()
    overview = ["| hunt | looks for | tactic |", "| --- | --- | --- |", *map(_row, library)]
    return "\n".join([HEAD, *overview, "", *map(_section, library)])


def _row(hunt: hunts.Hunt) -> str:
    return f"| [`{hunt.name}`](#{hunt.name}) | {hunt.title} | {hunt.tactic} |"


def _section(hunt: hunts.Hunt) -> str:
    """Return the section of one hunt: description, ATT&CK techniques, tables and query."""
    links = ", ".join(f"[{each}]({_link(each)})" for each in hunt.techniques)
    facts = f"{hunt.tactic} · {links} · {', '.join(f'`{table}`' for table in hunt.tables)}"
    return (
        f"## {hunt.name}\n\n**{hunt.title}.** {hunt.description}\n\n{facts}\n\n```kusto\n{hunt.query.rstrip()}\n```\n"
    )


def _link(technique: str) -> str:
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"
