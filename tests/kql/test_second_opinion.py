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
    "core: a missing property or element is null": "null inside of a dynamic is null to isnull",
    "core: tostring of each type": "a whole real has no fraction as text; true and false are written as JSON has them",
    "core: substring, indexof, split, replace_string, extract, trim": "trim takes off all leading and trailing"
    " matches, not one",
    "core: timespans as text": "totimespan reads the literals (1.5h) and days",
    "core: has_any and has_all with a list column: empty lists, nulls, empty words, numbers": "a list from a"
    " column counts by its elements; the other compares with its text",
    "core: has_any with concatenated arrays, and with words next to a list": "a list from a column counts by its"
    " elements",
    "core: make_list keeps the sort order and skips nulls": "the second argument bounds the list",
    "json: zip of arrays of different lengths": "zip of a null is null: the other takes it for an empty array",
    "json: arrays are sorted by value, nulls last either way": "numbers are sorted by value, not as text",
    "json: parse_json of valid and invalid JSON": "what is no JSON is a dynamic string of that text",
    "membership: has_any: more than a hundred words, some with separators, some empty": "an array of words"
    " from a let counts by its elements",
    "datetime: weeks, days and parts": "the part millisecond is that of the second, not of the minute",
    "datetime: datetime_diff counts boundaries": "weeks begin on Sundays",
    "ip_addresses: parse_ipv6 is empty for invalid addresses": "three colons are no address",
    "join: null keys match nothing, empty strings match each other": "null keys are equal to nothing",
    "mv-expand: mv-expand parses a text of an array": "what is no JSON is a dynamic string of that text",
    "order: the average of no values is NaN, which is not greater than a number": "the mean of nothing is NaN",
    "order: NaN is neither larger nor smaller than a number": "DuckDB takes NaN for the largest number",
    "parse: typed columns between texts; empty without a match": "the literal 1h is a timespan",
    "sources: range: downwards, of reals": "a negative step counts down",
    "union: inner keeps the columns that all tables have, by name and type": "a column of another type is another"
    " column",
    "union: isfuzzy=true skips unknown tables": "the source's name is the name it was given by let",
    "texts: extract_all without a match is null": "without a match there is no array",
    "texts: parse_url of URLs without some parts": "a parameter without a value is there, with an empty one",
    "texts: hash functions": "the digest of nothing is the digest of no bytes",
    "texts: replace_regex with groups, and trim": "trim_start and trim_end take off all matches, as trim does",
    "arithmetic: ages": "a truth as text is True or False",
    "arrays: array_sum": "an array with other things than numbers has no sum",
    "arrays: packed values of every type": "an infinite number in a dynamic is written as text",
    "conditions: iff takes a null condition for false": "a truth as text is True or False",
    "conditions: isnull and isempty of dynamic values": "a null inside of a dynamic is null to isnull, and empty",
    "mixed: arg_max: a named column keeps its name, the star's column is numbered": "a name that is said"
    " goes before one that is not",
    "mixed: arg_min(x, *) next to a count named like a column": "a name that is said goes before one that is not",
    "mixed: withsource with the name of a column": "the source's name is the name it was given by let",
    "literals: datetime literals in RFC 822, RFC 850 and American forms": "datetimes are read in these forms too",
    "literals: todatetime of RFC 822, RFC 850 and American forms, and of invalid texts": "datetimes are read in these"
    " forms too",
    "literals: UTC offsets in literals, texts and dynamic values": "an offset may do without a colon",
    "literals: datetime() is the present time": "datetime() is the present time",
    "math: logarithms and roots of zero and negative numbers": "what is not a number is null",
    "math: sign is a real": "the sign of null is null",
    "math: abs and ceiling name their column after the argument, sign does not": "the sign of null is null",
    "math: ceiling keeps the type": "ceiling keeps the type",
    "math: rounding to tens keeps whole numbers whole": "rounding keeps the type of whole numbers",
    "math: expressions with infinite results": "null is neither finite nor infinite",
    "math: functions that name their column after the argument": "more functions give their column its name",
    "datetime: bins of datetimes, timespans and numbers": "bins of datetimes count from the year 1, a Monday",
    "datetime: parts of datetimes are ints and do not name their column": "parts of datetimes are ints",
    "datetime: formats of datetimes": "a fraction has as many digits as the format has letters",
    "datetime: datetimes written in other forms": "datetimes are read in these forms too",
    "strings: toguid of several text forms": "the same; a guid is another type there",
    "strings: hash functions of a column": "the digest of nothing is the digest of no bytes",
    "strings: toreal and tobool of texts": "spaces make no truth of a number",
    "text_details: countof: an empty match counts once at each position": "no empty match follows another at its end",
    "text_details: extract_all: unmatched groups are empty": "texts of digits are texts",
    "text_details: replace: arguments in the old order": "the old function's text is its last argument",
    "text_details: replace of columns, next to the new functions": "the old function's text is its last argument",
    "text_details: replace and replace_regex of matches that are empty": "the old function's text is its last argument",
    "text_details: regular expressions: classes know Unicode": "classes know Unicode, and texts have escapes",
    "text_details: string literals: pieces side by side, verbatim, hidden and over lines": "texts have escapes"
    " and kinds",
    "text_details: tostring of reals writes exponents as .NET does": "an exponent is a capital E",
    "text_details: tostring of NaN, infinities and null": "an infinite number is Infinity",
    "text_details: in an array of several types, only texts equal a text": "a number is no text",
    "details: sort: the previous sort decides among equal keys, and NaN is sorted with the nulls": "NaN is not"
    " a number",
    "details: sort descending: numbers, then NaN, then nulls": "DuckDB takes NaN for the largest number",
    "details: top: NaN is not the greatest number": "DuckDB takes NaN for the largest number",
    "details: print spreads an array over columns": "the other keeps the array whole",
    "strings: hash functions of numbers, bools and constants": "a truth is hashed as it is written",
    "lenient: zero characters in texts and patterns": "\\0 is an escape of the zero character",
    "lenient: todatetime of a number counts ticks of 100 ns since the year 1": "a number of ticks is a datetime",
    "lenient: datetimes of parts with commas between": "parts with commas between are a datetime",
    "conversions: Named arguments, and positional ones in the remaining places": "the other counts places as if"
    " nothing was named",
    "conversions: toguid reads the first 32 digits, with or without dashes": "what follows the digits is"
    " not looked at; the other gives guids as such, not as text",
    "conversions: Guid literals without dashes, and their equality": "guids as such, not as text",
    "conversions: American dates may have dashes": "a time of day with PM is read, too",
    "conversions: tobool of dynamic values": "true is true in any letters",
    "conversions: Conversions of invalid texts": "1.5.2 is no date; the other reads the year 2",
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


pytestmark = pytest.mark.timeout(400)  # the first of the tests runs all fixtures


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


def test_all_differences_are_known() -> None:
    assert {title for title, agrees in agreement().items() if not agrees} == DIFFERENT.keys()
