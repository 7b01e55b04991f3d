"""Policies over a store: the events to replay, and what came of them for people."""

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
from driftline.cli._shared.alert_text import safe
from driftline.errors import InvalidInput
from driftline.events import CloudProcessEvent
from driftline.policy import Difference, FieldChange, Simulation, Suggestion, Suggestions
from driftline.store.query.row_query import MAX_ROWS, Filter, RowQuery

__all__ = ["print_difference", "print_simulation", "print_suggestions", "read_events"]


def read_events(store: Path, since: str, until: str) -> Iterator[CloudProcessEvent]:
    """Read the executions that drifted or could not be verified; raises ``InvalidInput`` for too many."""
    from driftline.store.process.reader import open_reader  # noqa: PLC0415 -- policy check does not wait for DuckDB

    where = [Filter("Drift", "in", ["yes", "unknown"]), *store_rows.time_filters(since, until)]
    with open_reader(store) as reader:
        rows = reader.select(RowQuery(table="CloudProcessEvents", where=where, limit=MAX_ROWS))
    if rows.num_rows >= MAX_ROWS:
        raise InvalidInput(f"there are more than {MAX_ROWS} such executions; give a --since or --until with fewer")
    for batch in rows.to_batches(max_chunksize=_BATCH):
        for row in store_rows.decode_dynamic(batch.to_pylist(), ("AdditionalFields", "PodLabels")):
            yield msgspec.convert({name: value for name, value in row.items() if value is not None}, CloudProcessEvent)


_BATCH = 4096
_KINDS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def print_difference(difference: Difference) -> None:
    """Print a line for each rule that differs, and one for each field of it."""
    console = Console(soft_wrap=True, highlight=False)
    for change in difference.rules:
        sign, style = _KINDS[change.kind]
        console.print(Text(safe(f"{sign} {change.rule}"), style=style))
        for field in change.fields:
            console.print(Text(safe(f"    {field.field}: {_field(field)}")))
    for move in difference.moved:
        console.print(Text(safe(f"> {move.rule}: asked as number {move.new}, was {move.old}"), style="cyan"))
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
    """Print what a draft changes, by workload; what stays as it is only as a number."""
    shown = Table(box=None, header_style="dim")
    for name in ("outcome", "workload", "program", "content", "count", "was", "rule"):
        shown.add_column(name, overflow="fold", no_wrap=name in ("outcome", "content", "count"))
    for effect in simulation.effects:
        if effect.outcome in _OUTCOMES:
            words, style = _OUTCOMES[effect.outcome]
            was = f"{effect.old_action or 'not decided'} {effect.old_rule}".rstrip()
            cells = (words, effect.workload, effect.program, effect.content, str(effect.count), was, effect.new_rule)
            shown.add_row(*(Text(safe(cell)) for cell in cells), style=style)
    console = Console(soft_wrap=True, highlight=False)
    if shown.row_count:
        console.print(shown)
    totals = ", ".join(f"{simulation.totals[name]} {words}" for name, (words, _) in _OUTCOMES.items())  # type: ignore[index] # the keys are outcomes
    console.print(f"{simulation.executions} executions: {totals}, {simulation.totals['same']} stay as they are")


def print_suggestions(suggestions: Suggestions) -> None:
    """Print allow lists as YAML, and as comments whatever there is to know of them."""
    if not suggestions.allow:
        print("# Nothing recurs and is explained.")
    else:
        print("# Put each list under the rule of that name, if what it allows is what you want to run.\nrules:")
    for rule, entries in groupby(suggestions.allow, lambda each: each.rule):
        print(f"  - name: {json.dumps(rule)}\n    allow:")
        for entry in entries:
            _print_entry(entry)
    if suggestions.left_out:
        print("# Left out:")
    for left in suggestions.left_out:
        print(f"#   {safe(left.program)} in {safe(left.workload)}, {left.count} times: {left.why}")


def _print_entry(entry: Suggestion) -> None:
    print(f"      # {safe(', '.join(entry.programs))} in {safe(', '.join(entry.workloads))}, {entry.count} times")
    print(f"      # {safe(entry.reason)}")
    if entry.sha256:
        print(f"      - sha256: {entry.sha256}")
    else:
        print("      # its bytes keep changing: whatever is put there is allowed")
        print(f"      - path: {json.dumps(entry.path)}")
