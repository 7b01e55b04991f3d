"""The events that ``driftline policy simulate`` and ``suggest`` replay, and the output of their results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline.cli._shared import store_rows
from driftline.errors import InvalidInput
from driftline.events import CloudProcessEvent
from driftline.policy import Difference, FieldChange, Simulation, Suggestion, Suggestions
from driftline.printable import escape_unprintable
from driftline.store.query.row_query import MAX_ROWS, Filter, RowQuery

__all__ = ["print_difference", "print_simulation", "print_suggestions", "read_events"]


def read_events(store: Path, since: str, until: str) -> Iterator[CloudProcessEvent]:
    """Yield the stored executions with drift ``yes`` or ``unknown`` in a time range.

    ``since`` and ``until`` have the format of ``store_rows.time_filters``. Raises ``InvalidInput`` for
    ``MAX_ROWS`` executions or more: a part of them would give a wrong simulation.
    """
    from driftline.store.process.reader import open_reader  # noqa: PLC0415 -- the other policy commands do not load DuckDB

    where = [Filter("Drift", "in", ["yes", "unknown"]), *store_rows.time_filters(since, until)]
    with open_reader(store) as reader:
        rows = reader.select(RowQuery(table="CloudProcessEvents", where=where, limit=MAX_ROWS))
    if rows.num_rows >= MAX_ROWS:
        raise InvalidInput(f"there are more than {MAX_ROWS} such executions; narrow the range with --since or --until")
    for batch in rows.to_batches(max_chunksize=_BATCH):
        for row in store_rows.decode_dynamic(batch.to_pylist(), ("AdditionalFields", "PodLabels")):
            yield msgspec.convert({name: value for name, value in row.items() if value is not None}, CloudProcessEvent)


_BATCH = 4096  # rows converted at a time
_KINDS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def print_difference(difference: Difference) -> None:
    """Print a line for each rule that differs, with a line for each of its fields, then the moved rules."""
    console = Console(soft_wrap=True, highlight=False)
    for change in difference.rules:
        sign, style = _KINDS[change.kind]
        console.print(Text(escape_unprintable(f"{sign} {change.rule}"), style=style))
        for field in change.fields:
            console.print(Text(escape_unprintable(f"    {field.field}: {_field(field)}")))
    for move in difference.moved:
        line = f"> {move.rule}: asked as number {move.new}, was {move.old}"
        console.print(Text(escape_unprintable(line), style="cyan"))
    if not difference.rules and not difference.moved:
        console.print("no difference")


def _field(change: FieldChange) -> str:
    if change.old is None:
        return f"+ {_value(change.new)}"
    if change.new is None:
        return f"- {_value(change.old)}"
    return f"{_value(change.old)} -> {_value(change.new)}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_OUTCOMES = {
    "blocked": ("would be blocked", "bold red"),
    "alerts": ("would alert", "red"),
    "silent": ("would go silent", "yellow"),
}


def print_simulation(simulation: Simulation) -> None:
    """Print a table of the changed outcomes by workload, then the totals with the unchanged executions."""
    shown = Table(box=None, header_style="dim")
    for name in ("outcome", "workload", "program", "content", "count", "was", "rule"):
        shown.add_column(name, overflow="fold", no_wrap=name in ("outcome", "content", "count"))
    for effect in simulation.effects:
        if effect.outcome in _OUTCOMES:
            words, style = _OUTCOMES[effect.outcome]
            was = f"{effect.old_action or 'not decided'} {effect.old_rule}".rstrip()
            cells = (words, effect.workload, effect.program, effect.content, str(effect.count), was, effect.new_rule)
            shown.add_row(*(Text(escape_unprintable(cell)) for cell in cells), style=style)
    console = Console(soft_wrap=True, highlight=False)
    if shown.row_count:
        console.print(shown)
    totals = ", ".join(f"{simulation.totals[name]} {words}" for name, (words, _) in _OUTCOMES.items())  # type: ignore[index] # the keys are outcomes
    console.print(f"{simulation.executions} executions: {totals}, {simulation.totals['same']} stay as they are")


def print_suggestions(suggestions: Suggestions) -> None:
    """Print allow lists as YAML; comments name the programs, the reasons and what is left out."""
    if not suggestions.allow:
        print("# No recurring execution has a known reason.")
    else:
        print("# Put each list under the rule of that name, if you want to allow these programs.\nrules:")
    for rule, entries in groupby(suggestions.allow, lambda each: each.rule):
        print(f"  - name: {json.dumps(rule)}\n    allow:")
        for entry in entries:
            _print_entry(entry)
    if suggestions.left_out:
        print("# Left out:")
    for left in suggestions.left_out:
        subject = escape_unprintable(f"{left.program} in {left.workload}")
        print(f"#   {subject}, {left.count} times: {left.why}")


def _print_entry(entry: Suggestion) -> None:
    programs, workloads = ", ".join(entry.programs), ", ".join(entry.workloads)
    print(f"      # {escape_unprintable(programs)} in {escape_unprintable(workloads)}, {entry.count} times")
    print(f"      # {escape_unprintable(entry.reason)}")
    if entry.sha256:
        print(f"      - sha256: {entry.sha256}")
    else:
        print("      # its content keeps changing: this allows any program at this path")
        print(f"      - path: {json.dumps(entry.path)}")
