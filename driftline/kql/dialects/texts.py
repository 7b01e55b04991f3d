"""SQL of text functions that is made piece by piece."""

from __future__ import annotations

__all__ = ["groups_sql", "timespan_pieces"]


def groups_sql(dialect: str, groups: list[int]) -> str:
    """Give the template of ``extract_all`` with several groups: pattern ``_0``, text ``_1``.

    DuckDB knows nine groups, so each has a pattern of its own there, from ``_2`` on.
    """
    if dialect == "clickhouse":
        picked = ", ".join(f"g[{group}]" for group in groups)
        return f"if(match(_1, _0), toJSONString(arrayMap(g -> [{picked}], extractAllGroupsVertical(_1, _0))), NULL)"
    columns = ", ".join(
        f"coalesce(list_extract(regexp_extract_all(_1, _{n}, 1), i), '')" for n in range(2, 2 + len(groups))
    )
    places = "range(1, len(regexp_extract_all(_1, _2, 1)) + 1)"
    return f"CASE WHEN regexp_matches(_1, _0) THEN to_json(list_transform({places}, lambda i: [{columns}])) END"


UNITS = {"H": (36_000_000_000, 24), "h": (36_000_000_000, 24), "m": (600_000_000, 60), "s": (10_000_000, 60)}
DELIMITERS = frozenset(" /-:,._[]")


def timespan_pieces(form: str, dialect: str) -> list[str] | None:
    """Give templates for the pieces of a timespan's format, None if it has one that is unknown."""
    pieces: list[str] = []
    at = 0
    while at < len(form):
        run = len(form[at:]) - len(form[at:].lstrip(form[at]))
        piece = _piece(form[at], run, dialect)
        if piece is None:
            return None
        pieces.append(piece)
        at += run
    return pieces


def _piece(letter: str, run: int, dialect: str) -> str | None:
    text, divide, pad = (
        ("toString", "intDiv(abs(_0), {})", "leftPad") if dialect == "clickhouse" else ("", "abs(_0) // {}", "lpad")
    )

    def padded(number: str, size: int) -> str:
        made = f"{text}({number})" if text else f"CAST({number} AS TEXT)"
        length = "length" if dialect == "duckdb" else "lengthUTF8"
        return f"{pad}({made}, CAST(greatest({size}, {length}({made})) AS INT), '0')"

    if letter in DELIMITERS:
        return f"'{letter * run}'"
    if letter == "d" and run <= 8:
        return padded(divide.format(864_000_000_000), run)
    if letter in UNITS and run <= 2:
        ticks, size = UNITS[letter]
        return padded(f"{divide.format(ticks)} % {size}", run)
    if letter in "fF" and run <= 7:
        digits = f"substring({padded('abs(_0) % 10000000', 7)}, 1, {run})"
        return digits if letter == "f" else f"{'trimRight' if dialect == 'clickhouse' else 'rtrim'}({digits}, '0')"
    return None
