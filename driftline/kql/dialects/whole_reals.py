"""Reals without a fraction within ClickHouse's JSON: 42.0 stays 42.0.

``JSONExtractArrayRaw`` and its kin parse a document and serialize its parts again, which turns 42.0 into 42, so that a
real becomes a long. Each such number is therefore written as a marked string before, and back behind the call. A
document without ``.0`` is left as it is.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp, parse_one

__all__ = ["kept"]

MARK = "\ue000"  # a character of private use, which no name or text of a document is expected to hold
EDGE = "\x01"  # a control character, which JSON has in no place without an escape
STRING = '"(?:[^"\\\\\\\\]|\\\\\\\\.)*"'
NUMBER = "(-?[0-9]+)[.]0+([,}\\\\s\\\\]]|$)"
MARKED = f"""
    arrayElement(
        arrayMap(
            r -> if(
                position(r, '.0') = 0,
                r,
                replaceRegexpAll(
                    replaceAll(
                        replaceRegexpAll(r, '({STRING})|{NUMBER}', '\\\\1{EDGE}\\\\2{EDGE}\\\\3'), '{EDGE}{EDGE}', ''
                    ),
                    '{EDGE}([^{EDGE}]*){EDGE}',
                    '"{MARK}\\\\1"'
                )
            ),
            [_0]
        ),
        1
    )"""
BACK = f"""replaceRegexpAll(_0, '"{MARK}(-?[0-9]+)"', '\\\\1.0')"""
WRITTEN = {
    "jsonextractraw": BACK.replace("_0", "_call"),
    "jsonextractarrayraw": f"arrayMap(r -> {BACK.replace('_0', 'r')}, _call)",
    "jsonextractkeysandvaluesraw": f"""
        arrayMap(r -> tuple(tupleElement(r, 1), {BACK.replace("_0", "tupleElement(r, 2)")}), _call)""",
}


def kept(tree: Any) -> Any:
    """Return a template of ClickHouse in which all calls that serialize parts of JSON again keep reals as they are."""
    calls: list[Any] = [node for node in tree.find_all(exp.Func) if node.name.lower() in WRITTEN]
    # The innermost calls first, because they are within the arguments of the others.
    for call in reversed(calls):
        document = call.expressions[0]
        document.replace(_filled(MARKED, "_0", document.copy()))
        made = _filled(WRITTEN[call.name.lower()], "_call", call.copy())
        if call is tree:
            tree = made
        else:
            call.replace(made)
    return tree


def _filled(sql: str, place: str, argument: exp.Expression) -> Any:
    tree = parse_one(sql, dialect="clickhouse")
    for column in list(tree.find_all(exp.Column)):
        if column.name == place:
            column.replace(argument)
    return tree
