"""Conversions between types. A value that cannot be converted becomes null (a string: empty), never an error."""

from __future__ import annotations

from driftline.kql.functions.datetime import TEXT_OF_DATETIME, TEXT_OF_TIMESPAN, YEAR_ONE, ch_moment, moment
from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import CLICK_REAL, let
from driftline.kql.text.constants import BESIDE, FORMATS

__all__ = ["CONVERSION"]

TEXT = "json_extract_string(_0, '$')"
CH_TEXT = "if(startsWith(_0, '\"'), JSONExtractString(assumeNotNull(_0)), _0)"
WHOLE = r"\s*[-+]?(\d+|0[xX][0-9a-fA-F]+)\s*"
DAY, CLOCK = r"\s*\d{4}-\d{1,2}-\d{1,2}", r"([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
ISO = rf"{DAY}([T ]{CLOCK}\s*(Z|GMT|UTC)?)?\s*"
ISO_OFFSET = rf"{DAY}[T ]{CLOCK}\s*[+-]\d{{2}}:?\d{{2}}\s*"
NAMED = (
    r"\s*(([A-Za-z]+,\s*)?\d{1,2}( [A-Za-z]{3} |-[A-Za-z]{3}-)\d{2}(\d{2})?"
    r"|(0?[1-9]|1[0-2])(/\d{1,2}/|-\d{1,2}-)\d{4}|\d{4}-\d{1,2}-\d{1,2})"
    rf"( {CLOCK}( [AaPp][Mm])?\s*(Z|GMT|UTC)?)?\s*"
)
CLOCK_END = r"(?::\d+)?(?:\.\d+)?$"


def _span(x: str) -> str:
    """Return the template that reads a timespan from a string for DuckDB: ``2``, ``1.02:03:04.5`` or ``1.5h``.

    The result is in ticks of 100 ns; a whole number counts days.
    """

    def number(pattern: str) -> str:
        return f"coalesce(try_cast(regexp_extract({x}, '{pattern}', 1) AS BIGINT), 0)"

    days = number(rf"^-?(?:(\d+)[.])?\d+:\d+{CLOCK_END}")
    hours = number(rf"^-?(?:\d+[.])??(\d+):\d+{CLOCK_END}")
    minutes = number(rf"^-?(?:\d+[.])??\d+:(\d+){CLOCK_END}")
    seconds = number(r"^-?(?:\d+[.])??\d+:\d+:(\d+)(?:\.\d+)?$")
    fraction = f"coalesce(try_cast(rpad(nullif(regexp_extract({x}, '\\.(\\d+)$', 1), ''), 7, '0') AS BIGINT), 0)"
    return f"""
        CASE
        WHEN regexp_full_match({x}, '-?\\d+') THEN CAST({x} AS BIGINT) * 864000000000
        WHEN regexp_full_match({x}, '-?(\\d+[.])?\\d{{1,2}}:\\d{{1,2}}(:\\d{{1,2}}(\\.\\d{{1,7}})?)?')
        THEN (CASE WHEN starts_with({x}, '-') THEN -1 ELSE 1 END) * (
            {days} * 864000000000 + {hours} * 36000000000 + {minutes} * 600000000
            + {seconds} * 10000000 + {fraction}
        )
        WHEN regexp_full_match({x}, '-?\\d+(\\.\\d+)?(d|h|m|s|ms)')
        THEN CAST(
            try_cast(regexp_extract({x}, '^(-?\\d+(?:\\.\\d+)?)', 1) AS DOUBLE)
            * CASE regexp_extract({x}, '(d|h|ms|m|s)$', 1)
              WHEN 'd' THEN 864000000000
              WHEN 'h' THEN 36000000000
              WHEN 'm' THEN 600000000
              WHEN 's' THEN 10000000
              ELSE 10000
              END AS BIGINT
        )
        END"""


def _click_span(x: str) -> str:
    """Return the same template for ClickHouse, with backslashes doubled inside of its string literals."""

    def number(pattern: str) -> str:
        return f"ifNull(toInt64OrNull(extract(assumeNotNull({x}), '{pattern}')), 0)"

    tail = r"(?::\\d+)?(?:\\.\\d+)?$"
    days = number(r"^-?(?:(\\d+)[.])\\d+:\\d+" + tail)
    hours = number(r"^-?(?:\\d+[.])??(\\d+):\\d+" + tail)
    minutes = number(r"^-?(?:\\d+[.])??\\d+:(\\d+)" + tail)
    seconds = number(r"^-?(?:\\d+[.])??\\d+:\\d+:(\\d+)(?:\\.\\d+)?$")
    fraction = number(r"\\.(\\d+)$").replace("extract(", "rightPad(extract(", 1).replace("$')", "$'), 7, '0')", 1)
    clock = f"""
            if(startsWith({x}, '-'), -1, 1)
            * (
                {days} * 864000000000 + {hours} * 36000000000 + {minutes} * 600000000
                + {seconds} * 10000000 + {fraction}
            )"""
    amount = r"^(-?\\d+(?:\\.\\d+)?)"
    units = f"""
            toInt64(
                toFloat64OrNull(extract(assumeNotNull({x}), '{amount}'))
                * multiIf(
                    endsWith({x}, 'ms'), 10000, endsWith({x}, 'd'), 864000000000, endsWith({x}, 'h'),
                    36000000000, endsWith({x}, 'm'), 600000000, 10000000
                )
            )"""
    whole, timed = r"^-?\\d+$", r"^-?(\\d+[.])?\\d{1,2}:\\d{1,2}(:\\d{1,2}(\\.\\d{1,7})?)?$"
    measured = r"^-?\\d+(\\.\\d+)?(d|h|m|s|ms)$"
    return f"""
            multiIf(
                match({x}, '{whole}'), toInt64OrNull({x}) * 864000000000, match({x}, '{timed}'), {clock},
                match({x}, '{measured}'), {units}, NULL
            )"""


def _moment(text: str) -> str:
    """Return the template that reads a datetime from a string for DuckDB.

    DuckDB's cast ignores an offset and accepts more than dates: 'epoch', and '… PM' as if it were morning. The
    patterns therefore decide on the form first.
    """
    zoned = rf"regexp_replace({text}, '\s*([+-]\d{{2}}):?(\d{{2}})\s*$', '\1:\2')"
    return f"""
            CASE
            WHEN regexp_full_match({text}, '{ISO}') THEN try_cast({text} AS TIMESTAMP)
            WHEN regexp_full_match({text}, '{ISO_OFFSET}')
                THEN make_timestamp(epoch_us(try_cast({zoned} AS TIMESTAMPTZ)))
            WHEN regexp_full_match({text}, '{NAMED}')
                THEN try_strptime(regexp_replace({text}, '{BESIDE.pattern}', '', 'g'), {list(FORMATS)})
            END"""


def _click_moment(text: str) -> str:
    """Return the template that reads a datetime from a string for ClickHouse.

    ClickHouse reads a year of two digits as a time of day, and reads a datetime from many other texts. The century is
    therefore added (69 to 99 are of the twentieth), and the patterns decide on the form.
    """
    plain = text
    text = f"replaceRegexpAll({text}, '^\\\\s+|\\\\s+$', '')"
    for century, years in (("20", "[0-5][0-9]|6[0-8]"), ("19", "69|[7-9][0-9]"), ("", "[0-9]{4}")):
        named = f"^([A-Za-z, ]*[0-9]+)[ -]([A-Za-z]+)[ -]({years})( |$)"
        text = f"replaceRegexpOne({text}, '{named}', '\\\\1 \\\\2 {century}\\\\3\\\\4')"
    known = "|".join((ISO, ISO_OFFSET, NAMED)).replace("\\", "\\\\")
    return f"if(match({plain}, '^({known})$'), parseDateTime64BestEffortUSOrNull({text}, 6, 'UTC'), NULL)"


# As in Kusto, the first 32 digits count, with or without dashes between them; the text after them is ignored.
GUID = r"^[{]?([0-9A-Fa-f]{8})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{12})"
DASHED = "-".join(rf"\{group}" for group in range(1, 6))


def _guid(text: str) -> str:
    """Return the template that reads a guid from a string for DuckDB, in lower case and with dashes."""
    found = f"regexp_replace({text}, '{GUID}.*$', '{DASHED}', 's')"
    return f"CASE WHEN regexp_matches({text}, '{GUID}') THEN lower({found}) END"


def _click_guid(text: str) -> str:
    """Return the template that reads a guid from a string for ClickHouse, in lower case and with dashes."""
    found = f"replaceRegexpOne({text}, '(?s){GUID}.*$', '{DASHED}')".replace("\\", "\\\\")
    return f"if(match({text}, '{GUID}'), lower({found}), NULL)"


def _long(kind: str, text: str) -> str:
    """Return DuckDB's template that reads a whole number of an SQL type from the text of a dynamic value."""
    return f"""
            CASE
            WHEN regexp_full_match({text}, '{WHOLE}') THEN try_cast({text} AS {kind})
            ELSE try_cast(
                trunc(try_cast(CASE WHEN json_type(_0) = 'DOUBLE' THEN {text} END AS DOUBLE)) AS {kind}
            )
            END"""


def _whole(kind: str, click: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the templates of ``tolong`` or ``toint`` by the argument's type.

    ``kind`` and ``click`` are the names of the result's type in DuckDB and in ClickHouse.
    """
    duck = {
        "string": f"CASE WHEN regexp_full_match(_0, '{WHOLE}') THEN try_cast(trim(_0) AS {kind}) END",
        "real": f"try_cast(trunc(_0) AS {kind})",
        "dynamic": _long(kind, TEXT),
        "*": f"try_cast(_0 AS {kind})",
    }
    hexadecimal = f"""
        if(
            match(_0, '^0[xX][0-9a-fA-F]{{1,16}}$'),
            to{click}(reinterpretAsInt64(reverse(unhex(leftPad(substring(_0, 3), 16, '0'))))),
            to{click}OrNull(trim(_0))
        )"""
    number = f"toFloat64OrNull({CH_TEXT})"
    clicks = {
        "string": hexadecimal,
        "real": f"accurateCastOrNull(trunc(_0), '{click}')",
        "dynamic": f"multiIf(_0 = 'true', 1, _0 = 'false', 0, accurateCastOrNull(trunc({number}), '{click}'))",
        "datetime": f"to{click}(toUnixTimestamp64Micro(_0) * 10 + 621355968000000000)",
        "*": f"accurateCastOrNull(_0, '{click}')",
    }
    duck["datetime"] = f"CAST(epoch_us(_0) * 10 + 621355968000000000 AS {kind})"
    return duck, clicks


BOOLEAN = "CASE lower({x}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE WHEN '1' THEN TRUE WHEN '0' THEN FALSE END"
# JSON has no infinity and no NaN; Kusto writes them as strings.
INFINITE = "CASE WHEN _0 > 0 AND NOT isnan(_0) THEN 'Infinity' WHEN _0 < 0 THEN '-Infinity' ELSE 'NaN' END"
# Kusto writes reals as .NET does: 0.5, 12, 1E+20, 1.5E-07.
REAL_TEXT = (
    f"""
        CASE
        WHEN isfinite(_0) THEN upper(regexp_replace(CAST(_0 AS TEXT), '\\.0$', ''))
        WHEN _0 IS NULL THEN ''
        ELSE {INFINITE}
        END""",
    f"multiIf(_0 IS NULL, '', NOT isFinite(_0), {INFINITE}, concat(if(_0 < 0, '-', ''), "
    + let(
        "t",
        ("", "toString(abs(assumeNotNull(_0)))"),
        (
            "",
            """
                multiIf(
                    position(t, 'e') > 0,
                    concat(
                        splitByChar('e', t)[1], if(position(t, 'e-') > 0, 'E-', 'E+'),
                        leftPad(extract(t, '[0-9]+$'), greatest(2, length(extract(t, '[0-9]+$'))), '0')
                    ),
                    abs(_0) >= 1e16,
                    concat(replaceRegexpOne(t, '^(.)(.*?)0*$', '\\\\1.\\\\2'), 'E+', toString(length(t) - 1)),
                    abs(_0) < 1e-4 AND _0 <> 0,
                    concat(
                        replaceRegexpOne(t, '^0[.]0*(.)(.*)$', '\\\\1.\\\\2'), 'E-',
                        leftPad(toString(length(extract(t, '^0[.](0*)')) + 1), 2, '0')
                    ),
                    t
                )""",
        ),
    )[1]
    + "))",
)
# Removes white space outside of JSON strings: DuckDB's json() does the same.
COMPACT = "replaceRegexpAll(_0, '(\"(?:[^\"\\\\\\\\]|\\\\\\\\.)*\")|[ \\\\t\\\\r\\\\n]+', '\\\\1')"
# A number is a count of ticks of 100 ns since the year 1, as tolong(datetime) gives it.
LAST_TICK = 3_155_378_975_999_999_999
OF_TICKS = (
    f"CASE WHEN _0 BETWEEN 0 AND {LAST_TICK} THEN {moment(f'CAST(_0 AS BIGINT) // 10 - {YEAR_ONE}')} END",
    f"if(_0 BETWEEN 0 AND {LAST_TICK}, {ch_moment(f'intDiv(toInt64(assumeNotNull(_0)), 10) - {YEAR_ONE}')}, NULL)",
)
CONVERSION = rows(
    [
        Function(
            "tostring",
            "any",
            "string",
            duckdb={
                "string": "_0",
                "bool": "CASE WHEN _0 THEN 'true' WHEN NOT _0 THEN 'false' ELSE '' END",
                "real": REAL_TEXT[0],
                "datetime": f"CASE WHEN _0 IS NULL THEN '' ELSE {TEXT_OF_DATETIME[0]} END",
                "timespan": f"CASE WHEN _0 IS NULL THEN '' ELSE {TEXT_OF_TIMESPAN[0]} END",
                "dynamic": f"coalesce({TEXT}, '')",
                "decimal": "coalesce(regexp_replace(_0, '^0+([0-9])', '\\1'), '')",
                "*": "coalesce(CAST(_0 AS TEXT), '')",
            },
            clickhouse={
                "string": "_0",
                "bool": "multiIf(_0, 'true', NOT _0, 'false', '')",
                "real": f"replaceOne({REAL_TEXT[1]}, '.E', 'E')",
                "datetime": f"ifNull({TEXT_OF_DATETIME[1]}, '')",
                "timespan": f"ifNull({TEXT_OF_TIMESPAN[1]}, '')",
                "dynamic": f"ifNull({CH_TEXT}, '')",
                "decimal": "ifNull(replaceRegexpOne(_0, '^0+([0-9])', '\\\\1'), '')",
                "*": "ifNull(toString(_0), '')",
            },
            column_name="{0}",
            doc="Convert a value to a string; null becomes the empty string.",
        ),
        Function(
            "tolong",
            "any",
            "long",
            sql=_whole("BIGINT", "Int64"),
            column_name="{0}",
            doc="Convert a value to a long; null if it cannot be converted.",
        ),
        Function(
            "toint",
            "any",
            "int",
            sql=_whole("INTEGER", "Int32"),
            column_name="{0}",
            doc="Convert a value to an int; null if it cannot be converted.",
        ),
        Function(
            "toreal",
            "any",
            "real",
            duckdb={
                "dynamic": f"try_cast({TEXT} AS DOUBLE)",
                "datetime": "CAST(epoch_us(_0) * 10 + 621355968000000000 AS DOUBLE)",
                "*": "try_cast(_0 AS DOUBLE)",
            },
            clickhouse={
                "string": "toFloat64OrNull(trimBoth(_0))",
                "dynamic": f"toFloat64OrNull({CH_TEXT})",
                "datetime": "toFloat64(toUnixTimestamp64Micro(_0) * 10 + 621355968000000000)",
                "*": "toFloat64(_0)",
            },
            aliases=("todouble",),
            column_name="{0}",
            doc="Convert a value to a real; null if it cannot be converted.",
        ),
        Function(
            "tobool",
            "any",
            "bool",
            duckdb={"string": BOOLEAN.format(x="_0"), "dynamic": BOOLEAN.format(x=TEXT), "bool": "_0", "*": "_0 <> 0"},
            clickhouse={
                "string": BOOLEAN.format(x="_0"),
                "dynamic": BOOLEAN.format(x=f"({CH_TEXT})"),
                "bool": "_0",
                "*": "_0 <> 0",
            },
            aliases=("toboolean",),
            column_name="{0}",
            doc="Convert a value to a bool; null if it cannot be converted.",
        ),
        Function(
            "todatetime",
            "any",
            "datetime",
            duckdb={
                "string": _moment("_0"),
                "dynamic": _moment(TEXT),
                "datetime": "_0",
                "timespan": "CAST(NULL AS TIMESTAMP)",
                "*": OF_TICKS[0],
            },
            clickhouse={
                "string": _click_moment("_0"),
                "dynamic": _click_moment(CH_TEXT),
                "datetime": "_0",
                "timespan": "CAST(NULL AS Nullable(DateTime64(6, 'UTC')))",
                "*": OF_TICKS[1],
            },
            column_name="{0}",
            doc="Convert a value to a datetime; null if it cannot be converted.",
        ),
        Function(
            "totimespan",
            "any",
            "timespan",
            duckdb={"string": _span("_0"), "dynamic": _span(TEXT), "timespan": "_0", "long": "_0"},
            clickhouse={
                "string": _click_span("_0"),
                "timespan": "_0",
                "long": "_0",
                "dynamic": _click_span(f"({CH_TEXT})"),
            },
            aliases=("totime",),
            column_name="{0}",
            doc="Convert a value to a timespan; null if it cannot be converted.",
        ),
        Function(
            "toguid",
            "any",
            "guid",
            duckdb={
                "string": _guid("_0"),
                "dynamic": _guid(TEXT),
                "guid": "_0",
            },
            clickhouse={"string": _click_guid("_0"), "dynamic": _click_guid(CH_TEXT), "guid": "_0"},
            column_name="{0}",
            doc="Convert a value to a guid; null if it cannot be converted.",
        ),
        Function(
            "todynamic",
            "any",
            "dynamic",
            duckdb={
                "string": """
                    CASE
                    WHEN trim(_0) IN ('', 'null') THEN NULL
                    ELSE coalesce(json(try_cast(_0 AS JSON)), to_json(_0))
                    END""",
                "dynamic": "_0",
                **dict.fromkeys(("int", "long", "bool"), "to_json(_0)"),
            },
            clickhouse={
                "string": f"""
                    multiIf(
                        match(_0, '^\\\\s*(null\\\\s*)?$'), NULL, isValidJSON(_0), {COMPACT}, toJSONString(_0)
                    )""",
                "dynamic": "_0",
                **dict.fromkeys(("int", "long"), "toString(_0)"),
                "bool": "multiIf(_0, 'true', NOT _0, 'false', NULL)",
            },
            aliases=("parse_json", "parsejson", "toobject"),
            column_name="{0}",
            doc="Parse JSON; a string that is not JSON stays a string.",
        ),
        Function(
            "to_json",
            "any",
            "dynamic",
            duckdb={
                "dynamic": "_0",
                "datetime": f"CASE WHEN _0 IS NOT NULL THEN to_json({TEXT_OF_DATETIME[0]}) END",
                "timespan": f"CASE WHEN _0 IS NOT NULL THEN to_json({TEXT_OF_TIMESPAN[0]}) END",
                "real": f"""
                    CASE
                    WHEN isfinite(_0) THEN to_json(_0)
                    WHEN _0 IS NULL THEN NULL
                    ELSE to_json({INFINITE})
                    END""",
                "decimal": "CAST(regexp_replace(_0, '^0+([0-9])', '\\1') AS JSON)",
                "*": "to_json(_0)",
            },
            clickhouse={
                "dynamic": "_0",
                "string": "toJSONString(_0)",
                "guid": "toJSONString(_0)",
                "datetime": f"toJSONString({TEXT_OF_DATETIME[1]})",
                "timespan": f"toJSONString({TEXT_OF_TIMESPAN[1]})",
                "bool": "multiIf(_0, 'true', NOT _0, 'false', NULL)",
                "real": f"""
                    multiIf(
                        _0 IS NULL, NULL, isFinite(_0), {CLICK_REAL.format(x="_0")}, toJSONString({INFINITE})
                    )""",
                "decimal": "replaceRegexpOne(_0, '^0+([0-9])', '\\\\1')",
                "*": "toString(_0)",
            },
            growth=2,
        ),
        Function("null_if_missing", "dynamic", "dynamic", duckdb="nullif(_0, 'null')", clickhouse="nullIf(_0, 'null')"),
        Function("whole_to_long", "any", "long", duckdb="CAST(_0 AS BIGINT)", clickhouse="toInt64(_0)"),
        Function("whole_to_real", "any", "real", duckdb="CAST(_0 AS DOUBLE)", clickhouse="toFloat64(_0)"),
        Function(
            "real_to_span",
            "real",
            "timespan",
            duckdb="TRY_CAST(trunc(_0) AS BIGINT)",
            clickhouse="accurateCastOrNull(trunc(_0), 'Int64')",
        ),
        Function("text_or_empty", "string", "string", duckdb="coalesce(_0, '')", clickhouse="ifNull(_0, '')"),
    ]
)
