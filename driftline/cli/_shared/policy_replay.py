"""The events that ``driftline policy simulate`` and ``suggest`` replay, and the output of their results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.text import Text

from driftline.cli._shared import line_table, store_rows
from driftline.errors import InvalidInput
from driftline.events import CloudProcessEvent
from driftline.policy import Difference, FieldChange, Simulation, Suggestion, Suggestions
from driftline.policy.replay import Effect
from driftline.printable import escape_unprintable
from driftline.store.query.row_query import MAX_ROWS, Filter, RowQuery

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["print_difference", "print_simulation", "print_suggestions", "read_alike", "read_events"]


def read_events(store: Path, since: str, until: str) -> Iterator[CloudProcessEvent]:
    """Yield the stored executions with drift ``yes`` or ``unknown`` in a time range.

    ``since`` and ``until`` have the format of ``store_rows.time_filters``. Raises ``InvalidInput`` for
    ``MAX_ROWS`` executions or more: a part of them would give a wrong simulation.
    """
    return _events_of(_read(store, since, until))


def read_alike(store: Path, since: str, until: str) -> Iterator[tuple[CloudProcessEvent, int]]:
    """Yield the executions of ``read_events`` that a policy cannot tell apart as one, with their number.

    A million executions of some thousand programs are read and decided in seconds then. Times, processes and
    other columns that no rule refers to are left out.
    """
    rows = _read(store, since, until)
    rows = rows.set_column(
        rows.schema.get_field_index("AdditionalFields"), "AdditionalFields", _policy_facts(rows["AdditionalFields"])
    )
    alike = rows.group_by(_DECIDING).aggregate([("Timestamp", "max"), ([], "count_all")])
    counts = [int(count or 0) for count in alike["count_all"].to_pylist()]
    alike = alike.drop_columns(["count_all"]).rename_columns({"Timestamp_max": "Timestamp"})
    return zip(_events_of(alike), counts, strict=True)


# Columns that rules, effects and workloads refer to.
_DECIDING = [
    "AzureResourceId", "AwsResourceName", "GcpFullResourceName", "ContainerImageName", "KubernetesNamespace",
    "KubernetesPodName", "KubernetesResource", "ContainerName", "ContainerId", "FileName", "FolderPath",
    "AdditionalFields", "ClusterName", "NodeName", "ImageDigest", "SHA256", "Drift", "DriftSubject", "DriftOrigin",
    "DriftContent", "PolicyRule", "PolicyAction", "PodLabels",
]  # fmt: skip


# Of the additional fields rules refer only to these two; most rows have neither, and need not be parsed.
def _policy_facts(fields: pa.ChunkedArray[pa.StringScalar]) -> pa.ChunkedArray[pa.StringScalar]:
    import pyarrow as pa  # noqa: PLC0415 -- the other policy commands do not load Arrow
    import pyarrow.compute as pc  # noqa: PLC0415

    has_facts = pc.match_substring_regex(fields, '"(ImageNames|NamespaceLabels)"')
    kept: pa.ChunkedArray[pa.StringScalar] = pc.if_else(pc.coalesce(has_facts, pa.scalar(False)), fields, pa.scalar(""))
    return kept


def _read(store: Path, since: str, until: str) -> pa.Table:
    from driftline.store.process.reader import open_reader  # noqa: PLC0415 -- the other policy commands do not load DuckDB

    where = [Filter("Drift", "in", ["yes", "unknown"]), *store_rows.time_filters(since, until)]
    with open_reader(store) as reader:
        rows = reader.select(RowQuery(table="CloudProcessEvents", where=where, limit=MAX_ROWS))
    if rows.num_rows >= MAX_ROWS:
        raise InvalidInput(f"there are more than {MAX_ROWS} such executions; narrow the range with --since or --until")
    return rows


def _events_of(rows: pa.Table) -> Iterator[CloudProcessEvent]:
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
    "unprotected": ("would lose protection", "bold red"),
    "blocked": ("would be blocked", "bold red"),
    "alerts": ("would alert", "red"),
    "silent": ("would go silent", "yellow"),
}


def print_simulation(simulation: Simulation, *, details: bool = False) -> None:
    """Print the totals, then a table of the changed outcomes.

    A row is a workload with the rules before and after, and the number of its programs and executions; with
    ``details`` it is one program.
    """
    effects = [each for each in simulation.effects if each.outcome != "same"]
    counts = Counter[str]()
    for effect in effects:
        counts[_outcome_of(effect)] += effect.count
    totals = ", ".join(f"{counts[name]} {words}" for name, (words, _) in _OUTCOMES.items())
    print(f"{simulation.executions} executions: {totals}, {simulation.totals['same']} stay as they are")
    if effects:
        effects.sort(key=lambda each: list(_OUTCOMES).index(_outcome_of(each)))
        headings, rows = _program_rows(effects) if details else _workload_rows(effects)
        line_table.print_table(headings, rows)


# Less protection is another thing than less noise: what was blocked would run.
def _outcome_of(effect: Effect) -> str:
    return "unprotected" if effect.loses_protection else effect.outcome


def _program_rows(effects: Sequence[Effect]) -> tuple[Sequence[str], Sequence[Sequence[Text]]]:
    headings = ("outcome", "workload", "program", "content", "count", "was", "rule")
    return headings, [
        _row(each, each.workload, each.program, each.content, str(each.count), _was(each), each.new_rule)
        for each in effects
    ]


def _workload_rows(effects: Sequence[Effect]) -> tuple[Sequence[str], Sequence[Sequence[Text]]]:
    groups: dict[tuple[str, ...], list[Effect]] = {}
    for each in effects:
        groups.setdefault((_outcome_of(each), each.workload, _was(each), each.new_rule), []).append(each)
    headings = ("outcome", "workload", "programs", "executions", "was", "rule")
    return headings, [
        _row(
            found[0],
            found[0].workload,
            str(len({each.program for each in found})),
            str(sum(each.count for each in found)),
            _was(found[0]),
            found[0].new_rule,
        )
        for found in groups.values()
    ]


def _was(effect: Effect) -> str:
    return f"{effect.old_action or 'not decided'} {effect.old_rule}".rstrip()


def _row(effect: Effect, *cells: str) -> Sequence[Text]:
    words, style = _OUTCOMES[_outcome_of(effect)]
    return [Text(escape_unprintable(cell), style=style) for cell in (words, *cells)]


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
