"""Encodings of bytes, guids, code points and numbers, local times, and sets as sorted lists."""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import lets

__all__ = ["ENCODINGS", "PLAIN"]

PLAIN = "translate(_0, concat(' ', chr(9), chr(10), chr(13)), '')"  # white space in base64 is ignored
BYTES = (
    """
        to_json(
            list_transform(
                range(0, octet_length(b)),
                lambda i: CAST(concat('0x', substring(hex(b), CAST(2 * i + 1 AS BIGINT), 2)) AS BIGINT)
            )
        )""",
    "toJSONString(arrayMap(i -> reinterpretAsUInt8(substring(b, i + 1, 1)), range(length(b))))",
)
BYTE = "CASE WHEN json_type(e) IN ('UBIGINT', 'BIGINT') THEN json_extract_string(e, '$') END"
# An element that is not a number from 0 to 255 makes the result empty.
FROM_BYTES = (
    f"""
        CASE
        WHEN json_type(_0) = 'ARRAY'
        AND len(
            list_filter(
                TRY_CAST(_0 AS JSON[]), lambda e: coalesce(try_cast({BYTE} AS INT), -1) NOT BETWEEN 0 AND 255
            )
        ) = 0
            THEN to_base64(
                unhex(
                    array_to_string(
                        list_transform(
                            TRY_CAST(_0 AS JSON[]), lambda e: printf('%02x', try_cast({BYTE} AS INT))
                        ),
                        ''
                    )
                )
            )
        ELSE ''
        END""",
    """
        if(
            startsWith(ifNull(_0, ''), '[')
            AND arrayAll(
                e -> ifNull(toInt64OrNull(e), -1) BETWEEN 0 AND 255, JSONExtractArrayRaw(ifNull(_0, '[]'))
            ),
            base64Encode(
                arrayStringConcat(
                    arrayMap(e -> char(toUInt8OrZero(e)), JSONExtractArrayRaw(ifNull(_0, '[]'))), ''
                )
            ),
            ''
        )""",
)
# The first three parts of a guid are stored little-endian, the other two as they are written.
PAIRS = (7, 5, 3, 1, 11, 9, 15, 13)


def _turned(digits: str) -> str:
    """Return the expression that moves the hexadecimal digits of a guid into the order of its bytes, or back."""
    return f"concat({', '.join(f'substring({digits}, {at}, 2)' for at in PAIRS)}, substring({digits}, 17))"


TO_GUID = lets(
    (
        "CASE WHEN octet_length(b) = 16 THEN CAST(CAST(" + _turned("lower(hex(b))") + " AS UUID) AS TEXT) END",
        "if(length(b) = 16, toString(toUUIDOrNull(replaceRegexpOne("
        + _turned("lower(hex(b))")
        + ", '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '\\\\1-\\\\2-\\\\3-\\\\4-\\\\5'))), NULL)",
    ),
    b=(f"TRY(from_base64({PLAIN}))", "tryBase64Decode(_0)"),
)
GUID_DIGITS = ("replace(_0, '-', '')", "replaceAll(ifNull(_0, ''), '-', '')")
FROM_GUID = (
    f"coalesce(to_base64(unhex({_turned(GUID_DIGITS[0])})), '')",
    f"base64Encode(unhex({_turned(GUID_DIGITS[1])}))",
)
POINTS = (
    "to_json(list_transform(regexp_extract_all(_0, '(?s).'), lambda c: unicode(c)))",
    """
        toJSONString(
            arrayMap(
                c -> reinterpretAsUInt32(reverse(convertCharset(c, 'UTF-8', 'UTF-32BE'))),
                extractAll(_0, '(?s).')
            )
        )""",
)
UNITS = ("Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def sized() -> tuple[str, str]:
    """Return the templates that write a number of bytes in a unit.

    ``_1`` is the number of digits, ``_2`` the unit (empty for the largest one that fits), ``_3`` the base.
    """
    names = ", ".join(f"'{unit}'" for unit in UNITS)
    places = " + ".join(f"(abs(n) >= pow(k, {power}))" for power in range(1, len(UNITS)))
    ducks = places.replace("(abs", "CAST(abs").replace("))", ") AS INT)")
    chosen = f"CASE WHEN _2 = '' THEN {ducks} ELSE list_position([{names}], _2) - 1 END"
    clicks = f"if(_2 = '', {places}, indexOf([{names}], _2) - 1)"
    written = """
        regexp_replace(
            printf('%.*f', CAST(_1 AS INT), round(n / pow(k, p), CAST(_1 AS INT))), '\\.0+$|(\\.[0-9]*[1-9])0+$',
            '\\1'
        )"""
    duck, click = lets(
        (
            f"concat({written}, ' ', [{names}][CAST(p AS INT) + 1])",
            f"concat(toString(round(n / pow(k, p), assumeNotNull(_1))), ' ', [{names}][p + 1])",
        ),
        n=("CAST(_0 AS DOUBLE)", "toFloat64(assumeNotNull(_0))"),
        k=("CAST(_3 AS DOUBLE)", "toFloat64(assumeNotNull(_3))"),
        p=(chosen, clicks),
    )
    return f"CASE WHEN _0 IS NULL THEN '' ELSE {duck} END", f"if(_0 IS NULL, '', {click})"


def equal_sets() -> tuple[str, str]:
    """Return the templates that compare two arrays as sets; false if one is not an array."""
    ducks = [
        f"""
            list_sort(
                list_distinct(
                    list_transform(
                        CAST(CASE WHEN json_type({x}) = 'ARRAY' THEN {x} END AS JSON[]),
                        lambda e: coalesce(CAST(e AS TEXT), 'null')
                    )
                )
            )"""
        for x in ("_0", "_1")
    ]
    clicks = [f"arraySort(arrayDistinct(JSONExtractArrayRaw(ifNull({x}, '[]'))))" for x in ("_0", "_1")]
    return (
        f"coalesce(json_type(_0) = 'ARRAY' AND json_type(_1) = 'ARRAY' AND {ducks[0]} = {ducks[1]}, FALSE)",
        f"startsWith(ifNull(_0, ''), '[') AND startsWith(ifNull(_1, ''), '[') AND {clicks[0]} = {clicks[1]}",
    )


def hexadecimal(number: str) -> tuple[str, str]:
    """Return the templates of a number in hexadecimal of at least ``_1`` digits; empty for null."""
    duck = f"lower(hex({number}))"
    click = f"replaceRegexpOne(lower(hex(assumeNotNull({number}))), '^0+([0-9a-f])', '\\\\1')"
    length = f"toUInt64(greatest(ifNull(_1, 0), toInt64(length({click}))))"
    return (
        f"""
            CASE
            WHEN _0 IS NULL THEN ''
            ELSE lpad({duck}, CAST(greatest(coalesce(_1, 0), length({duck})) AS INT), '0')
            END""",
        f"if(_0 IS NULL, '', leftPad({click}, {length}, '0'))",
    )


ENCODINGS = rows(
    [
        Function(
            "tohex",
            "number long?",
            "string",
            duckdb={"int": hexadecimal("CAST(_0 AS BIGINT) & 4294967295")[0], "long": hexadecimal("_0")[0]},
            clickhouse={"int": hexadecimal("reinterpretAsUInt32(assumeNotNull(_0))")[1], "long": hexadecimal("_0")[1]},
            column_name="{0}",
            doc="Convert a number to hexadecimal of a minimum length; a negative int has 8 digits, a negative long 16.",
        ),
        Function(
            "base64_decode_toarray",
            "string",
            "dynamic",
            duckdb=lets((BYTES[0], ""), b=(f"TRY(from_base64({PLAIN}))", ""))[0],
            clickhouse=lets(("", f"if(b = '' AND _0 <> '', NULL, {BYTES[1]})"), b=("", "tryBase64Decode(_0)"))[1],
            growth=3,
            doc="Decode base64 to an array of bytes; null if it is invalid.",
        ),
        Function(
            "base64_encode_fromarray",
            "dynamic",
            "string",
            sql=FROM_BYTES,
            growth=2,
            doc="Encode an array of bytes as base64; empty if it is invalid.",
        ),
        Function(
            "base64_encode_fromguid", "guid", "string", sql=FROM_GUID, doc="Encode the 16 bytes of a guid as base64."
        ),
        Function(
            "base64_decode_toguid", "string", "guid", sql=TO_GUID, doc="Decode base64 to a guid; null if it is invalid."
        ),
        Function(
            "unicode_codepoints_from_string",
            "text",
            "dynamic",
            sql=POINTS,
            aliases=("to_utf8",),
            growth=8,
            doc="Return an array of the Unicode code points of a string.",
        ),
        Function("format_bytes_by", "number long string long", "string", sql=sized()),
        Function(
            "format_bytes",
            "number long? string? long?",
            "string",
            column_name="{0}",
            doc="Format a number of bytes. Optional: digits (0), unit from Bytes to EB (the best), base 1024 or 1000.",
        ),
        Function(
            "datetime_utc_to_local",
            "datetime string",
            "datetime",
            duckdb="timezone(_1, timezone('UTC', _0))",
            clickhouse="toDateTime64(toString(toTimeZone(_0, _1)), 6, 'UTC')",
            doc="Convert a UTC datetime to the local time of a time zone such as Europe/Berlin.",
        ),
        Function(
            "datetime_local_to_utc",
            "datetime string",
            "datetime",
            duckdb="timezone('UTC', timezone(_1, _0))",
            clickhouse="""
                toTimeZone(
                    parseDateTime64BestEffortOrNull(formatDateTime(_0, '%Y-%m-%d %H:%i:%S.%f'), 6, _1), 'UTC'
                )""",
            doc="Convert a local time of a time zone such as Europe/Berlin to a UTC datetime.",
        ),
        Function(
            "datetime_utc_to_local_of",
            "datetime string",
            "datetime",
            duckdb="timezone(known_zone(_1), timezone('UTC', _0))",
            only_on="duckdb",
        ),
        Function(
            "datetime_local_to_utc_of",
            "datetime string",
            "datetime",
            duckdb="timezone('UTC', timezone(known_zone(_1), _0))",
            only_on="duckdb",
        ),
        Function(
            "set_equals",
            "dynamic dynamic",
            "bool",
            sql=equal_sets(),
            doc="Return true if two arrays have the same distinct elements.",
        ),
    ]
)
