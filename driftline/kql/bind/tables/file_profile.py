"""``invoke FileProfile(…)``: what the fleet knows of a file, by its SHA-256.

In Defender a service answers that sees files of the whole world. Here the answer is a summary of the fleet's
``CloudProcessEvents`` for the hash. The limit of records, which protects that service, is accepted without effect.
Sensors record SHA-256 only: for a column of SHA-1, the column of SHA-256 beside it is looked up, and without one the
profile is missing.

https://learn.microsoft.com/defender-xdr/advanced-hunting-fileprofile-function
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.outputs import Output, kept, projected, ref
from driftline.kql.parse import parse
from driftline.kql.plan.nodes import Call, Column, Const, Join, Scalar

__all__ = ["FUNCTIONS"]

EVENTS = "CloudProcessEvents"
NEEDED = frozenset(["Timestamp", "SHA256", "ContainerId", "FileSize", "DriftSubject"])
MOST_RECORDS = 10_000
PROFILES = f"""
{EVENTS}
| where isnotempty(SHA256)
| summarize FileSize = max(FileSize), GlobalPrevalence = toint(count_distinctif(ContainerId, isnotempty(ContainerId))),
    GlobalFirstSeen = min(Timestamp), GlobalLastSeen = max(Timestamp),
    IsExecutable = countif(DriftSubject in ("binary", "library", "loader")) > 0 by SHA256 = tolower(SHA256)
"""
# Defender's columns in their order. A Linux program carries no signature, and no service names it.
COLUMNS: dict[str, Const] = {
    "SHA1": Const("string", ""),
    "SHA256": Const("string", ""),
    "MD5": Const("string", ""),
    "FileSize": Const("long", None),
    "GlobalPrevalence": Const("int", None),
    "GlobalFirstSeen": Const("datetime", None),
    "GlobalLastSeen": Const("datetime", None),
    "Signer": Const("string", ""),
    "Issuer": Const("string", ""),
    "SignerHash": Const("string", ""),
    "IsCertificateValid": Const("bool", None),
    "IsRootSignerMicrosoft": Const("bool", None),
    "SignatureState": Const("string", "Unknown"),
    "IsExecutable": Const("bool", None),
    "ThreatName": Const("string", ""),
    "Publisher": Const("string", ""),
    "SoftwareName": Const("string", ""),
}


def bind_file_profile(node: syntax.Invoke, relation: Relation, scope: Scope) -> Relation:
    """Add the profile of each row's file; a column that the table has already stays as it is."""
    arguments = node.call.arguments
    if len(arguments) > 2:
        scope.fail("expected FileProfile(column, records)", node.call.span)
    if len(arguments) == 2:
        _check_records(arguments[1], scope)
    known = _profiles(node, scope)
    found = {column.name: column for column in known.columns}
    key = scope.session.hidden("string")
    sought = Call("tolower", (ref(_hash_column(node, scope)),), "string")
    outer = projected(relation, [*kept(relation.columns), (key, sought)])
    joined = Join("left", outer.plan, known.plan, Call("==filter", (ref(key), ref(found["SHA256"])), "bool"))
    outputs = kept(relation.columns)
    outputs += _added(found, {column.name for column in relation.columns}, scope)
    # Not among the columns of the summary: it tells whether there is a summary.
    if "ProfileAvailability" not in {column.name for column in relation.columns}:
        outputs.append((scope.session.column("ProfileAvailability", "string"), _availability(key, found)))
    return projected(outer.over(joined), outputs)


def _check_records(node: syntax.Expr, scope: Scope) -> None:
    """Note a problem for a limit of records outside of Defender's range."""
    records = constant(node, scope, "long")
    if not isinstance(records, int) or not 1 <= records <= MOST_RECORDS:
        scope.fail(f"expected a number of records from 1 to {MOST_RECORDS:,}", node.span)


def _profiles(node: syntax.Invoke, scope: Scope) -> Relation:
    """Bind the query that summarizes events by hash; note a problem if the events' table lacks a column it needs."""
    if EVENTS not in scope.session.schema and EVENTS not in scope.names:
        scope.fail(
            f"FileProfile summarizes the table {EVENTS}, which is not among these tables; "
            f"it needs {', '.join(sorted(NEEDED))}",
            node.call.span,
        )
    # The summary is KQL: what may be read, and how, is decided as for any query.
    events = scope.with_row(None).table(syntax.Name(EVENTS, span=node.call.span))
    missing = NEEDED - {column.name for column in events.columns}
    if missing:
        scope.fail(f"FileProfile needs the columns {', '.join(sorted(missing))} in {EVENTS}", node.call.span)
    return scope.with_row(None).table(parse(PROFILES).body)


def _hash_column(node: syntax.Invoke, scope: Scope) -> Column:
    """Find the column of hashes that the first argument means: of SHA-256 if the table has it."""
    arguments = node.call.arguments
    name = _column_name(arguments[0], scope) if arguments else "SHA1"
    # InitiatingProcessSHA1 means InitiatingProcessSHA256.
    sha256 = name.removesuffix("SHA1") + "SHA256" if name.endswith("SHA1") else name
    column = scope.column(sha256)
    span = arguments[0].span if arguments else node.call.span
    if column is None and sha256 != name:
        column = scope.column(name)  # no file is known by its SHA-1: the profile is missing
    if column is None:
        scope.unknown_column(sha256 if arguments else "SHA256", span)
    if column.type != "string":
        scope.fail(f"expected a column of hashes, '{sha256}' is a {column.type}", span)
    return column


def _column_name(node: syntax.Expr, scope: Scope) -> str:
    """Return the name of a column, given as a name or as a constant string."""
    return node.name if isinstance(node, syntax.Name) else str(constant(node, scope, "string"))


def _added(found: dict[str, Column], taken: set[str], scope: Scope) -> list[Output]:
    """Return Defender's columns that the table lacks, with their values or constants."""
    outputs: list[Output] = []
    for name, nothing in COLUMNS.items():
        if name not in taken:
            value = types.converted(ref(found[name]), nothing.type) if name in found else nothing
            if nothing.type == "string" and name in found:
                value = Call("text_or_empty", (value,), "string")
            outputs.append((scope.session.column(name, nothing.type), value))
    return outputs


def _availability(key: Column, found: dict[str, Column]) -> Scalar:
    """Return ``Available`` or ``Missing``; the empty text for a row without a hash."""
    empty = Call("==string", (ref(key), Const("string", "")), "bool")
    there = Call("isnotnull", (ref(found["GlobalLastSeen"]),), "bool")
    answer = Call("choose", (there, Const("string", "Available"), Const("string", "Missing")), "string")
    return Call("choose", (empty, Const("string", ""), answer), "string")


FUNCTIONS = {"FileProfile": bind_file_profile}
"""Built-in tabular functions that invoke may call."""
