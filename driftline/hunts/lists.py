"""Lists that an administrator uploads for hunts: a CSV file as a saved hunt that returns its rows; pure.

A hunt reads a list with ``_GetWatchlist('name')`` or ``externaldata (…) ["…/name.csv"]``. Values are texts. The column
``SearchKey``, by which Microsoft Sentinel's hunts look up a list, repeats one column of the file.
https://learn.microsoft.com/azure/sentinel/watchlists-queries
"""

from __future__ import annotations

import csv
import io

from driftline.errors import InvalidInput
from driftline.kql.text.literals import string

__all__ = ["MOST_VALUES", "SEARCH_KEY", "datatable"]

MOST_VALUES = 15_000  # values of one list, with those of SearchKey: a hunt binds 20,000 parts
MOST_CHARACTERS = 300_000  # of the text of one list, of the 500,000 of a hunt
SEARCH_KEY = "SearchKey"


def datatable(text: str, search_key: str = "") -> str:
    """Return the rows of a CSV text (RFC 4180) with a header as KQL.

    ``search_key`` names the column of ``SearchKey``; empty means the first one. Raises ``InvalidInput`` with the line
    for a text that is no such file, and for a list that is too long.
    """
    header, rows = _read(text)
    key = search_key or header[0]
    if key not in header:
        raise InvalidInput(f"search_key: the list has no column {key!r}; it has {', '.join(header)}")
    columns, place = [*header], header.index(key)
    if SEARCH_KEY not in header:
        columns.append(SEARCH_KEY)
        rows = [[*row, row[place]] for row in rows]
    if len(rows) * len(columns) > MOST_VALUES:
        raise InvalidInput(f"csv: a list of {len(rows) * len(columns):,} values; at most {MOST_VALUES:,} are possible")
    declared = ", ".join(f"[{string(name)}]: string" for name in columns)
    made = f"datatable ({declared}) [{', '.join(string(value) for row in rows for value in row)}]"
    if len(made) > MOST_CHARACTERS:
        raise InvalidInput(f"csv: a list of {len(made):,} characters; at most {MOST_CHARACTERS:,} are possible")
    return made


def _read(text: str) -> tuple[list[str], list[list[str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise InvalidInput(f"csv: line {reader.line_num}: {error}") from error
    if not lines:
        raise InvalidInput("csv: expected a header and rows, got an empty text")
    header = [name.strip() for name in lines[0][1]]
    if not all(header) or len(set(header)) < len(header):
        raise InvalidInput("csv: line 1: expected a header of different names")
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise InvalidInput(f"csv: line {number}: expected {len(header)} values, got {len(row)}")
    return header, [row for _, row in lines[1:]]
