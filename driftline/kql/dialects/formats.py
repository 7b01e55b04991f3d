"""Formats of ``format_datetime`` and ``format_timespan``: the runs of one letter that they are made of.

``driftline.kql.bind.texts`` has checked a format before a dialect emits it. The letters are those of
https://learn.microsoft.com/kusto/query/format-datetime-function and format-timespan-function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

__all__ = ["DAY", "FRACTION_DIGITS", "UNITS", "runs", "timespan_template"]

DAY = 864_000_000_000
"""Ticks of 100 ns in a day."""
UNITS = {"H": (36_000_000_000, 24), "h": (36_000_000_000, 24), "m": (600_000_000, 60), "s": (10_000_000, 60)}
"""Letters of a timespan's format: ticks of 100 ns in the unit, and units in the next larger one."""
DELIMITERS = frozenset(" /-:,._[]")
FRACTION_DIGITS = 7


def runs(form: str) -> Iterator[str]:
    """Split a format into runs of one repeated character."""
    return ("".join(run) for _, run in itertools.groupby(form))


def timespan_template(
    form: str, padded: Callable[[str, int], str], quotient: Callable[[int], str], trimmed: Callable[[str], str]
) -> str:
    """Return the template that writes a timespan ``_0`` by a format; a null one gives the empty string.

    The three functions write SQL of a dialect: ``padded`` a number as text with zeros up to a length, ``quotient``
    the absolute timespan divided by ticks, ``trimmed`` a text without zeros at its end.
    """

    def piece(run: str) -> str:
        letter = run[0]
        if letter in DELIMITERS:
            return f"'{run}'"
        if letter == "d":
            return padded(quotient(DAY), len(run))
        if letter in UNITS:
            ticks, size = UNITS[letter]
            return padded(f"{quotient(ticks)} % {size}", len(run))
        digits = f"substring({padded('abs(_0) % 10000000', FRACTION_DIGITS)}, 1, {len(run)})"
        return digits if letter == "f" else trimmed(digits)

    pieces = [piece(run) for run in runs(form)] or ["''"]
    return f"CASE WHEN _0 IS NULL THEN '' ELSE concat('', {', '.join(pieces)}) END"
