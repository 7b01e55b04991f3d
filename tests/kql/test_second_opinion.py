"""Comparison with another KQL engine, ``duckdb-kql``, on the fixtures that it accepts.

The public Kusto reference decides, not the other engine. So a difference is a question: either the fixture is wrong, or
its title is in ``DIFFERENT`` with the rule that the other engine breaks.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
from collections.abc import Callable
from typing import Any

import duckdb
import duckdb_kql
import pytest

from driftline.kql.text.constants import timespan_text
from tests.kql.test_fixtures import FIXTURES, promised

FEWEST = 180  # fixtures accepted by the other engine; 194 when this was written
DIFFERENT = {
    "core: dynamic values answer null where there is nothing": "null inside of a dynamic is null to isnull",
    "core: values as text": "a whole real has no fraction as text; true and false are written as JSON has them",
    "core: texts cut, split and found": "trim takes off all leading and trailing matches, not one",
    "core: timespans as text": "totimespan reads the literals (1.5h) and days",
    "core: has_any and has_all with a list of each row: empty lists, nulls, empty words, numbers": "a list from a"
    " column counts by its elements; the other compares with its text",
    "core: has_any with arrays joined, and with words beside a list": "a list from a column counts by its elements",
    "core: make_list takes rows in the order they were sorted in, and leaves out nulls": "the second argument bounds"
    " the list",
    "dynamics: zip of arrays of different lengths": "zip of a null is null: the other takes it for an empty array",
    "dynamics: arrays are sorted by value, nulls last either way": "numbers are sorted by value, not as text",
    "dynamics: parse_json of texts that are and are not JSON": "what is no JSON is a dynamic string of that text",
    "membership: has_any: more than a hundred words, of which some have separators or are empty": "an array of words"
    " from a let counts by its elements",
    "moments: weeks, days and parts": "the part millisecond is that of the second, not of the minute",
    "moments: datetime_diff counts boundaries": "weeks begin on Sundays",
    "network: parse_ipv6 refuses what only looks like an address": "three colons are no address",
    "join: null joins nothing, empty strings join each other": "null keys are equal to nothing",
    "mv-expand: text of an array is read": "what is no JSON is a dynamic string of that text",
    "order: the mean of nothing is no number; a filter does not take it for a large one": "the mean of nothing is NaN",
    "order: NaN is neither larger nor smaller than a number": "DuckDB takes NaN for the largest number",
    "parse: columns between texts, by type; what does not match is empty": "the literal 1h is a timespan",
    "sources: range: downwards, of reals": "a negative step counts down",
    "union: inner keeps what all have, by name and type": "a column of another type is another column",
    "union: fuzzy leaves out what nobody knows": "the source's name is the name it was given by let",
    "texts: extract_all without a match is null": "without a match there is no array",
    "texts: parse_url of what lacks parts": "a parameter without a value is there, with an empty one",
    "texts: digests": "the digest of nothing is the digest of no bytes",
    "texts: replace_regex with groups, and trim": "trim_start and trim_end take off all matches, as trim does",
    "arithmetic: ages": "a truth as text is True or False",
    "arrays: sums": "an array with other things than numbers has no sum",
    "arrays: packed values of every type": "an infinite number in a dynamic is written as text",
    "conditions: iff takes a null condition for false": "a truth as text is True or False",
    "conditions: null and empty dynamic values": "a null inside of a dynamic is null to isnull, and empty",
    "forms: what the query names keeps its name, and the star's column of that name is numbered": "a name that is said"
    " goes before one that is not",
    "forms: arg_min of everything beside a count that takes the name of a column": "a name that is said goes before one"
    " that is not",
    "forms: the table's name gets the column, a column of that name is numbered": "the source's name is the name it was"
    " given by let",
    "literals: a datetime as mail, as browsers and as Americans write it": "datetimes are read in these forms too",
    "literals: todatetime of the same, and of what is none": "datetimes are read in these forms too",
    "literals: an offset counts, in literals, texts and dynamic values": "an offset may do without a colon",
    "literals: datetime() is now": "datetime() is the present time",
    "maths: what logarithms and roots do at zero and below": "what is not a number is null",
    "maths: sign is a real": "the sign of null is null",
    "maths: abs, sign and ceiling of columns are called after them, but for sign": "the sign of null is null",
    "maths: ceiling keeps the type": "ceiling keeps the type",
    "maths: rounding to tens keeps whole numbers whole": "rounding keeps the type of whole numbers",
    "maths: what makes infinities": "null is neither finite nor infinite",
    "maths: functions of a column are called after it": "more functions give their column its name",
    "moments: bins of datetimes, timespans and numbers": "bins of datetimes count from the year 1, a Monday",
    "moments: functions of parts are ints, and are not called after their column": "parts of datetimes are ints",
    "moments: formats of datetimes": "a fraction has as many digits as the format has letters",
    "moments: datetimes written in other forms": "datetimes are read in these forms too",
    "strings: toguid of texts in their forms": "the same; a guid is another type there",
    "strings: digests of a column": "the digest of nothing is the digest of no bytes",
    "strings: numbers and truths in texts": "spaces make no truth of a number",
    "letters: countof: what matches nothing counts once for each place": "no empty match follows another at its end",
    "letters: extract_all: groups that took no part are empty": "texts of digits are texts",
    "letters: replace: the order of old": "the old function's text is its last argument",
    "letters: replace by rows, beside the new functions": "the old function's text is its last argument",
    "letters: replace and replace_regex of matches that are empty": "the old function's text is its last argument",
    "letters: regular expressions: classes know Unicode": "classes know Unicode, and texts have escapes",
    "letters: string literals: pieces side by side, verbatim, hidden and over lines": "texts have escapes and kinds",
    "letters: tostring of reals writes exponents as .NET does": "an exponent is a capital E",
    "letters: tostring of reals that are no numbers, and of null": "an infinite number is Infinity",
    "letters: in an array of several types, only texts equal a text": "a number is no text",
    "reading_b: sort: a sort before the last one decides among equals, and NaN stands with the nulls": "NaN is not"
    " a number",
    "reading_b: sort: falling, NaN is behind the numbers and before null": "DuckDB takes NaN for the largest number",
    "reading_b: top: NaN is not the greatest number": "DuckDB takes NaN for the largest number",
    "reading_b: print takes an array apart": "the other keeps the array whole",
    "strings: hash functions of numbers and truths, and of constants": "a truth is hashed as it is written",
    "conversions: Named arguments leave their places to the others": "the other counts places as if nothing was named",
    "conversions: A guid is made of the first 32 digits, dashes in their places or none": "what follows the digits is"
    " not looked at; the other gives guids as such, not as text",
    "conversions: A guid's literal needs no dashes, and is equal however it is written": "guids as such, not as text",
    "conversions: American dates may have dashes": "a time of day with PM is read, too",
    "conversions: Bools of dynamic values": "true is true in any letters",
    "conversions: Conversions of texts that are none": "1.5.2 is no date; the other reads the year 2",
}
WRITTEN: dict[type, Callable[[Any], Any]] = {
    datetime.datetime: lambda value: value.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip("."),
    datetime.timedelta: lambda value: timespan_text(value // datetime.timedelta(microseconds=1) * 10),
    float: lambda value: round(value, 9) if math.isfinite(value) else str(value),
    list: lambda value: [common(one) for one in value],
}


def read(text: str) -> Any:
    try:
        return json.loads(text, parse_float=lambda number: round(float(number), 9))
    except ValueError:
        return text


# The other engine returns null strings where Kusto's are empty, and dynamics as text.
def common(value: Any) -> Any:
    """Return a value in a form that hides these two differences."""
    if isinstance(value, str):
        return read(value) if value else None
    return WRITTEN.get(type(value), lambda same: same)(value)


@functools.cache
def agreement() -> dict[str, bool]:
    """Return whether the other engine agrees, by title of the fixtures that it accepts."""
    found = {}
    connection = duckdb_kql.connect()
    for title, query, expected in FIXTURES:
        try:
            relation = duckdb_kql.query(connection, query)
            rows = relation.fetchall()
        except (duckdb_kql.KqlError, duckdb.Error):
            continue
        names, *wanted = promised(expected)
        found[title] = (names, common(wanted)) == (", ".join(relation.columns), common([list(row) for row in rows]))
    return found


def test_the_other_engine_accepts_most_fixtures() -> None:
    assert len(agreement()) >= FEWEST


@pytest.mark.timeout(120)
def test_all_differences_are_known() -> None:
    assert {title for title, agrees in agreement().items() if not agrees} == DIFFERENT.keys()
