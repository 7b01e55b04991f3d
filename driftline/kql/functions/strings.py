"""String functions and operators. A Kusto string is never null, so no result is."""

from __future__ import annotations

from driftline.kql.functions.encodings import PLAIN
from driftline.kql.functions.row import Function, Growth, rows
from driftline.kql.functions.sql_lists import lets

__all__ = ["STRINGS"]


def valid(text: str) -> str:
    """Return ClickHouse's template of a string that is empty if its bytes are not valid UTF-8."""
    return f"if(isValidUTF8({text}), {text}, '')"


def escaped(duck: str, click: str) -> tuple[str, str]:
    """Return templates of a URL-encoded string with escapes in lower case, as Kusto writes them."""
    low = "concat(lower(substring(p, 1, 2)), substring(p, 3))"
    return (
        f"""
            array_to_string(
                list_transform(string_split({duck}, '%'), lambda p, i: CASE WHEN i = 1 THEN p ELSE {low} END),
                '%'
            )""",
        f"""
            arrayStringConcat(
                arrayMap(
                    (p, i) -> if(i = 1, p, {low}), splitByChar('%', {click}),
                    arrayEnumerate(splitByChar('%', {click}))
                ),
                '%'
            )""",
    )


TOO_LONG = "a text of more than a megabyte"
# Terms are separated by the characters of ASCII other than letters and digits.
SEPARATOR = "[^0-9A-Za-z\\x80-\\x{10FFFF}]"
WORDS = (
    "CASE WHEN json_type(_1) = 'ARRAY' THEN CAST(_1 AS VARCHAR[]) WHEN _1 IS NULL THEN [] ELSE [_1 ->> '$'] END",
    """
        multiIf(
            _1 IS NULL, [], startsWith(_1, '['),
            arrayMap(
                x -> if(startsWith(x, '"'), JSONExtractString(x), x), JSONExtractArrayRaw(ifNull(_1, '[]'))
            ),
            startsWith(_1, '"'), [JSONExtractString(ifNull(_1, ''))], [ifNull(_1, '')]
        )""",
)


def bounded() -> tuple[str, str]:
    """Return the templates of the pattern of a term ``e`` between separators.

    A term that itself begins or ends with a separator needs no other one at that side.
    """
    duck, click = SEPARATOR, SEPARATOR.replace("\\", "\\\\")
    return (
        f"""
            concat(
                CASE WHEN regexp_matches(e, '^{duck}') THEN '' ELSE '(?:^|{duck})' END, regexp_escape(e),
                CASE WHEN regexp_matches(e, '{duck}$') THEN '' ELSE '(?:$|{duck})' END
            )""",
        f"""
            concat(
                if(match(e, '^{click}'), '', '(?:^|{click})'), regexpQuoteMeta(e),
                if(match(e, '{click}$'), '', '(?:$|{click})')
            )""",
    )


def listed(*, any_word: bool) -> tuple[str, str]:
    """Return the templates of ``has_any`` or ``has_all`` for a list that is not constant.

    Every text has the empty term.
    """
    duck, click = bounded()
    if not any_word:
        return (
            f"len(list_filter({WORDS[0]}, lambda e: e <> '' AND NOT regexp_matches(_0, concat('(?i)', {duck})))) = 0",
            f"empty(arrayFilter(e -> e <> '' AND NOT match(_0, concat('(?i)', {click})), {WORDS[1]}))",
        )
    # One pattern of all terms: the engines compile a pattern that is not constant for each row.
    ducks = f"array_to_string(list_transform({WORDS[0]}, lambda e: {duck}), '|')"
    clicks = f"arrayStringConcat(arrayMap(e -> {click}, {WORDS[1]}), '|')"
    return (
        f"len({WORDS[0]}) > 0 AND (list_contains({WORDS[0]}, '') OR regexp_matches(_0, concat('(?i)', {ducks})))",
        f"notEmpty({WORDS[1]}) AND (has({WORDS[1]}, '') OR match(_0, concat('(?i)', {clicks})))",
    )


def first_listed() -> tuple[str, str]:
    """Return the templates of the index of the first term of a list that a text has; every text has the empty term."""
    duck, click = bounded()
    return (
        f"""
            coalesce(
                list_position(
                    list_transform({WORDS[0]}, lambda e: e = '' OR regexp_matches(_0, concat('(?i)', {duck}))),
                    TRUE
                ),
                0
            ) - 1""",
        f"toInt64(arrayFirstIndex(e -> e = '' OR match(_0, concat('(?i)', {click})), {WORDS[1]})) - 1",
    )


# Noncharacters of Unicode, which no text should have.
MARK, END = "\U0010ffff", "\U0010fffe"


def parted(text: str) -> tuple[str, str]:
    """Return the templates that split a text before each match of ``_1``.

    The first piece is the text before all matches.

    ClickHouse reports an empty match at the end of another match, which is removed, and takes an empty pattern for
    no pattern, hence the group around it.
    """
    marked = f"replaceRegexpAll({text}, concat('(?:', _1, ')'), '{MARK}\\\\0{END}')"
    single = f"replaceRegexpAll({marked}, '([^{MARK}]{END}){MARK}{END}', '\\\\1')"
    return (
        f"string_split(regexp_replace({text}, _1, '{MARK}\\0', 'g'), '{MARK}')",
        f"splitByString('{MARK}', replaceAll({single}, '{END}', ''))",
    )


# A pattern that can match the empty string: matches are marked, and the additional empty ones are removed.
BETWEEN = "\U0001ffff"
ADDITIONAL = f"({MARK}[^{BETWEEN}]+{BETWEEN}[^{END}]*{END}){MARK}{BETWEEN}[^{END}]*{END}"
# ClickHouse reads a digit behind two backslashes as a group as well.
BACKSLASH = "\U0002ffff"
REWRITE = f"replaceAll(_2, '\\\\\\\\', '{BACKSLASH}')"
REPLACED = f"""
        replaceAll(
            if(
                match('', _1),
                replaceRegexpAll(
                    replaceRegexpAll(
                        replaceRegexpAll(
                            _0, concat('(?:', _1, ')'), concat('{MARK}\\\\0{BETWEEN}', {REWRITE}, '{END}')
                        ),
                        '{ADDITIONAL}', '\\\\1'
                    ),
                    '{MARK}[^{BETWEEN}]*{BETWEEN}([^{END}]*){END}', '\\\\1'
                ),
                replaceRegexpAll(_0, _1, {REWRITE})
            ),
            '{BACKSLASH}', '\\\\'
        )"""
MANY = 1 << 31
# A search from one occurrence to the next, each within a window of characters; -2 marks the end.
NTH = lets(
    (
        """
            CASE
            WHEN _3 < -1 OR _2 IS NULL THEN NULL
            ELSE greatest(
                list_reduce(
                    range(0, _4),
                    lambda p, k: CASE
                    WHEN p = -2 THEN p
                    ELSE list_extract(
                        list_transform(
                            [instr(substring(_0, p + 2, w), _1)],
                            lambda f: CASE WHEN _1 = '' THEN p + 1 WHEN f = 0 THEN -2 ELSE p + f END
                        ),
                        1
                    )
                    END,
                    s - 1
                ),
                -1
            )
            END""",
        """
            if(
                _3 < -1 OR _2 IS NULL, NULL,
                greatest(
                    arrayFold(
                        (p, k) -> if(
                            p = -2, p,
                            arrayElement(
                                arrayMap(
                                    f -> if(f = 0, toInt64(-2), p + toInt64(f)),
                                    [positionUTF8(substringUTF8(_0, p + 2, w), _1)]
                                ),
                                1
                            )
                        ),
                        range(toUInt64(assumeNotNull(_4))), s - 1
                    ),
                    -1
                )
            )""",
    ),
    s=(
        "CASE WHEN _2 < 0 THEN greatest(length(_0) + _2, 0) ELSE coalesce(_2, 0) END",
        "toInt64(if(ifNull(_2, 0) < 0, greatest(toInt64(lengthUTF8(_0)) + ifNull(_2, 0), 0), ifNull(_2, 0)))",
    ),
    w=(
        f"CASE WHEN _3 < 0 THEN {MANY} ELSE coalesce(_3, {MANY}) END",
        f"toInt64(if(ifNull(_3, -1) < 0, {MANY}, ifNull(_3, {MANY})))",
    ),
)
NTH_MATCH = lets(
    (
        """
            CASE
            WHEN _2 < 0 OR _2 IS NULL OR _3 < -1 THEN NULL
            WHEN len(t) <= _4 THEN -1
            ELSE _2 + CAST(list_sum(list_transform(t[1:_4], lambda p: length(p))) AS BIGINT)
            END""",
        """
            multiIf(
                _2 IS NULL OR _2 < 0 OR _3 < -1, NULL, length(t) <= _4, -1,
                _2 + toInt64(arraySum(p -> lengthUTF8(p), arraySlice(t, 1, toInt64(assumeNotNull(_4)))))
            )""",
    ),
    t=(
        parted(
            f"""
                substring(
                    _0, greatest(coalesce(_2, 0), 0) + 1,
                    CASE WHEN _3 < 0 THEN {MANY} ELSE coalesce(_3, {MANY}) END
                )"""
        )[0],
        parted(
            f"""
                substringUTF8(
                    _0, toInt64(greatest(ifNull(_2, 0), 0)) + 1,
                    toInt64(if(ifNull(_3, -1) < 0, {MANY}, ifNull(_3, {MANY})))
                )"""
        )[1],
    ),
)
# Code points of Unicode without the surrogates.
POINT = "c BETWEEN 1 AND 1114111 AND c NOT BETWEEN 55296 AND 57343"
OF_POINTS = lets(
    (
        f"""
            CASE
            WHEN len(list_filter(p, lambda c: coalesce(NOT ({POINT}), TRUE))) = 0
                THEN coalesce(array_to_string(list_transform(p, lambda c: chr(c)), ''), '')
            ELSE ''
            END""",
        f"""
            arrayStringConcat(
                arrayMap(
                    c -> convertCharset(
                        char(bitAnd(c, 255), bitAnd(bitShiftRight(c, 8), 255), bitShiftRight(c, 16), 0),
                        'UTF-32LE', 'UTF-8'
                    ),
                    if(arrayAll(c -> {POINT}, p), p, [])
                ),
                ''
            )""",
    ),
    p=(
        """
            list_transform(
                TRY_CAST(_0 AS JSON[]),
                lambda e: CASE
                WHEN json_type(e) IN ('UBIGINT', 'BIGINT') THEN TRY_CAST(CAST(e AS TEXT) AS INT)
                END
            )""",
        "arrayMap(c -> toUInt32OrZero(c), JSONExtractArrayRaw(ifNull(_0, '[]')))",
    ),
)
# Longest result: one megabyte.
REPEATED = lets(
    (
        f"""
            CASE
            WHEN coalesce(n, 0) = 0 THEN ''
            WHEN (strlen(_0) + strlen(_2)) * n > 1 << 20 THEN error('{TOO_LONG}')
            ELSE concat(repeat(concat(_0, _2), n - 1), _0)
            END""",
        f"""
            if(
                ifNull(n, 0) = 0, '',
                concat(
                    repeat(
                        concat(_0, _2),
                        toUInt32(n - 1 + throwIf((length(_0) + length(_2)) * n > 1048576, '{TOO_LONG}'))
                    ),
                    _0
                )
            )""",
    ),
    n=("least(greatest(_1, 0), 1024)", "least(greatest(_1, 0), 1024)"),
)
STRINGS = rows(
    [
        Function(
            "strlen",
            "string",
            "long",
            duckdb="length(_0)",
            clickhouse="toInt64(lengthUTF8(_0))",
            column_name="strlen_{0}",
            doc="Return the number of characters of a string.",
        ),
        Function(
            "string_size",
            "string",
            "long",
            duckdb="strlen(_0)",
            clickhouse="toInt64(length(_0))",
            column_name="string_size_{0}",
            doc="Return the size of a string in bytes of UTF-8.",
        ),
        Function(
            "tolower",
            "text",
            "string",
            duckdb="lower(_0)",
            clickhouse="lowerUTF8(_0)",
            changes_case_only=True,
            doc="Convert a string to lower case.",
        ),
        Function(
            "toupper",
            "text",
            "string",
            duckdb="upper(_0)",
            clickhouse="upperUTF8(_0)",
            changes_case_only=True,
            doc="Convert a string to upper case.",
        ),
        Function("strcat", "text*", "string", both="concat(_all)", doc="Concatenate values as one string."),
        Function(
            "strcat_delim",
            "text text text*",
            "string",
            duckdb="concat_ws(_all)",
            clickhouse="concatWithSeparator(_all)",
            growth=Growth.DELIMITED_ARGUMENTS,
            doc="Concatenate values as one string, with a delimiter between them.",
        ),
        Function(
            "strrep",
            "text long string?",
            "string",
            growth=Growth.REPEATED,
            doc="Repeat a string up to 1,024 times, with an optional delimiter.",
        ),
        Function("repeat_text", "string long string", "string", sql=REPEATED, growth=Growth.REPEATED),
        Function(
            "reverse",
            "text",
            "string",
            duckdb="reverse(_0)",
            clickhouse="reverseUTF8(_0)",
            doc="Reverse the order of the characters.",
        ),
        Function(
            "substring",
            "text long long?",
            "string",
            duckdb="""
                substring(
                    _0, CASE WHEN _1 < 0 THEN greatest(length(_0) + _1, 0) ELSE coalesce(_1, 0) END + 1,
                    greatest(coalesce(_2, 2147483647), 0)
                )""",
            clickhouse="""
                substringUTF8(
                    _0,
                    toInt64(
                        assumeNotNull(if(_1 < 0, greatest(toInt64(lengthUTF8(_0)) + _1, 0), ifNull(_1, 0)))
                    ) + 1,
                    toInt64(assumeNotNull(greatest(ifNull(_2, 2147483647), 0)))
                )""",
            doc="Return the part of a string from a start position, counted from 0 or, if negative, from the end.",
        ),
        Function(
            "indexof",
            "text text long? long? long?",
            "long",
            duckdb="CASE WHEN _1 = '' THEN 0 ELSE instr(_0, _1) - 1 END",
            clickhouse="toInt64(positionUTF8(_0, _1)) - 1",
            doc="Return the position of a substring, or -1. Optional: start, length, occurrence.",
        ),
        Function("indexof_nth", "string string long long long", "long", sql=NTH),
        Function(
            "indexof_regex",
            "text regex long? long? long?",
            "long",
            duckdb="""
                CASE
                WHEN regexp_matches(_0, _1) THEN length(regexp_extract(_0, concat('(?s)^(.*?)(?:', _1, ')'), 1))
                ELSE -1
                END""",
            clickhouse="if(match(_0, _1), toInt64(lengthUTF8(extract(_0, concat('(?s)^(.*?)(?:', _1, ')')))), -1)",
            doc="Return the position of a match of a regular expression, or -1; arguments as in indexof.",
        ),
        Function("indexof_regex_nth", "string string long long long", "long", sql=NTH_MATCH),
        Function(
            "has_any_index",
            "string dynamic",
            "long",
            doc="Return the index of the first array element that the string has as a term, or -1 for none.",
        ),
        Function("has_any_index_list", "string dynamic", "long", sql=first_listed()),
        Function(
            "replace",
            "regex string string",
            "string",
            doc="Deprecated form of replace_regex, with the order regular expression, replacement, text.",
        ),
        Function(
            "translate",
            "string string string",
            "string",
            doc="Replace each character of a list by the character at the same position of another list.",
        ),
        Function(
            "translate_plain",
            "string string string",
            "string",
            duckdb="translate(_2, _0, _1)",
            clickhouse="translateUTF8(_2, _0, _1)",
        ),
        Function(
            "extract_all",
            "string dynamic? string",
            "dynamic",
            aliases=("extractall",),
            doc="Return all matches of a regular expression, nested arrays for several groups; null for none.",
        ),
        Function("around", "any any any", "bool", doc="Return true if a value is within a distance of a center."),
        Function(
            "replace_string",
            "string string string",
            "string",
            duckdb="CASE WHEN _1 = '' THEN _0 ELSE replace(_0, _1, _2) END",
            clickhouse="if(_1 = '', _0, replaceAll(_0, _1, _2))",
            growth=Growth.REPLACED_TEXT,
            doc="Replace all occurrences of a substring.",
        ),
        Function(
            "replace_regex",
            "string regex string",
            "string",
            duckdb="regexp_replace(_0, _1, _2, 'g')",
            clickhouse=REPLACED,
            growth=Growth.REPLACED_PATTERN,
            doc="Replace all matches of a regular expression; \\1 refers to the first group.",
        ),
        Function(
            "trim",
            "regex string",
            "string",
            duckdb="regexp_replace(regexp_replace(_1, concat('^(?:', _0, ')+'), ''), concat('(?:', _0, ')+$'), '')",
            clickhouse="""
                replaceRegexpOne(
                    replaceRegexpOne(_1, concat('^(?:', _0, ')+'), ''), concat('(?:', _0, ')+$'), ''
                )""",
            doc="Remove matches of a regular expression from both ends of a string.",
        ),
        Function(
            "trim_start",
            "regex string",
            "string",
            duckdb="regexp_replace(_1, concat('^(?:', _0, ')+'), '')",
            clickhouse="replaceRegexpOne(_1, concat('^(?:', _0, ')+'), '')",
            doc="Remove matches of a regular expression from the start of a string.",
        ),
        Function(
            "trim_end",
            "regex string",
            "string",
            duckdb="regexp_replace(_1, concat('(?:', _0, ')+$'), '')",
            clickhouse="replaceRegexpOne(_1, concat('(?:', _0, ')+$'), '')",
            doc="Remove matches of a regular expression from the end of a string.",
        ),
        Function(
            "countof",
            "string string string?",
            "long",
            doc='Count the occurrences of a substring, or the matches of a regular expression (kind "regex").',
        ),
        Function(
            "countof_normal",
            "string string",
            "long",
            duckdb="len(regexp_extract_all(_0, regexp_escape(_1)))",
            clickhouse="toInt64(countSubstrings(_0, _1))",
        ),
        Function(
            "countof_overlapping",
            "string string",
            "long",
            duckdb="""
                CASE
                WHEN _1 = '' THEN 0
                ELSE len(
                    list_filter(
                        range(1, length(_0) - length(_1) + 2), lambda i: substring(_0, i, length(_1)) = _1
                    )
                )
                END""",
            clickhouse=(
                """
                    if(
                        _1 = '', 0,
                        toInt64(
                            arrayCount(
                                i -> substring(_0, i, length(_1)) = _1,
                                range(1, toUInt64(greatest(toInt64(length(_0)) - toInt64(length(_1)) + 2, 1)))
                            )
                        )
                    )"""
            ),
        ),
        Function(
            "countof_regex",
            "string string",
            "long",
            duckdb=f"len({parted('_0')[0]}) - 1",
            clickhouse=f"toInt64(length({parted('_0')[1]})) - 1",
        ),
        Function(
            "isempty",
            "any",
            "bool",
            both={"string": "_0 = ''", "dynamic": "coalesce(_0 = '\"\"', TRUE)", "*": "_0 IS NULL"},
            doc="Return true if a value is an empty string or null.",
        ),
        Function(
            "isnotempty",
            "any",
            "bool",
            both={"string": "_0 <> ''", "dynamic": "coalesce(_0 <> '\"\"', FALSE)", "*": "_0 IS NOT NULL"},
            aliases=("notempty",),
            doc="Return true if a value is neither an empty string nor null.",
        ),
        Function(
            "isnull",
            "any",
            "bool",
            both={"string": "FALSE", "*": "_0 IS NULL"},
            doc="Return true if a value is null; a string never is.",
        ),
        Function(
            "isnotnull",
            "any",
            "bool",
            both={"string": "TRUE", "*": "_0 IS NOT NULL"},
            aliases=("notnull",),
            doc="Return true if a value is not null.",
        ),
        Function(
            "isutf8",
            "string",
            "bool",
            duckdb="TRUE",
            clickhouse="isValidUTF8(_0) = 1",
            doc="Return true if a string is valid UTF-8.",
        ),
        Function(
            "isascii",
            "string",
            "bool",
            duckdb="length(_0) = strlen(_0)",
            clickhouse="lengthUTF8(_0) = length(_0)",
            doc="Return true if a string is valid ASCII.",
        ),
        Function(
            "extract_plain",
            "string long string",
            "string",
            duckdb="coalesce(regexp_extract(_2, _0, CAST(_1 AS INT)), '')",
            clickhouse="""
                if(
                    match(_2, _0),
                    ifNull(arrayElement(extractGroups(_2, concat('(', _0, ')')), _1 + 1), ''),
                    ''
                )""",
        ),
        Function(
            "split_all",
            "string string",
            "dynamic",
            duckdb="to_json(CASE WHEN _1 = '' THEN [_0] ELSE string_split(_0, _1) END)",
            clickhouse="toJSONString(if(_1 = '', [_0], splitByString(_1, _0)))",
        ),
        Function(
            "extract_all_one",
            "string string",
            "dynamic",
            duckdb="""
                CASE
                WHEN regexp_matches(_1, _0)
                    THEN to_json(list_transform(regexp_extract_all(_1, _0, 1), lambda g: coalesce(g, '')))
                END""",
            clickhouse="if(match(_1, _0), toJSONString(extractAll(_1, _0)), NULL)",
        ),
        Function(
            "base64_encode_tostring",
            "string",
            "string",
            duckdb="base64(encode(_0))",
            clickhouse="base64Encode(_0)",
            aliases=("base64_encodestring",),
            growth=2,
            doc="Encode a string as base64.",
        ),
        Function(
            "base64_decode_tostring",
            "string",
            "string",
            duckdb=f"coalesce(TRY(decode(from_base64({PLAIN}))), '')",
            clickhouse=valid("tryBase64Decode(_0)"),
            aliases=("base64_decodestring",),
            doc="Decode base64 to a string; empty for invalid base64 or UTF-8.",
        ),
        Function(
            "url_encode",
            "string",
            "string",
            sql=escaped("replace(url_encode(_0), '%20', '+')", "encodeURLFormComponent(_0)"),
            growth=3,
            doc="Encode a string for a URL, with a plus sign for a space.",
        ),
        Function(
            "url_encode_component",
            "string",
            "string",
            sql=escaped("url_encode(_0)", "encodeURLComponent(_0)"),
            growth=3,
            doc="Encode a string for a part of a URL, with %20 for a space.",
        ),
        Function(
            "url_decode",
            "string",
            "string",
            duckdb="coalesce(TRY(url_decode(replace(_0, '+', ' '))), '')",
            clickhouse=valid("decodeURLFormComponent(_0)"),
            doc="Decode a string from a URL; empty for invalid UTF-8.",
        ),
        Function(
            "hash_md5",
            "text",
            "string",
            duckdb="md5(_0)",
            clickhouse="lower(hex(MD5(_0)))",
            doc="Return the MD5 hash in hexadecimal.",
        ),
        Function(
            "hash_sha1",
            "text",
            "string",
            duckdb="sha1(_0)",
            clickhouse="lower(hex(SHA1(_0)))",
            doc="Return the SHA-1 hash in hexadecimal.",
        ),
        Function(
            "hash_sha256",
            "text",
            "string",
            duckdb="sha256(_0)",
            clickhouse="lower(hex(SHA256(_0)))",
            doc="Return the SHA-256 hash in hexadecimal.",
        ),
        Function(
            "strcmp",
            "text text",
            "long",
            both="CAST(CASE WHEN _0 < _1 THEN -1 WHEN _0 > _1 THEN 1 ELSE 0 END AS BIGINT)",
            doc="Compare two strings: -1, 0 or 1.",
        ),
        Function(
            "unicode_codepoints_to_string",
            "any*",
            "string",
            aliases=("make_string",),
            doc="Return the string of Unicode code points, given as numbers or arrays; empty if one is invalid.",
        ),
        Function("text_of_points", "dynamic", "string", sql=OF_POINTS),
        Function(
            "regex_quote",
            "text",
            "string",
            duckdb="regexp_escape(_0)",
            clickhouse="regexpQuoteMeta(_0)",
            doc="Escape the characters that have a meaning in a regular expression.",
        ),
        Function(
            "new_guid",
            "",
            "guid",
            duckdb="CAST(uuid() AS TEXT)",
            clickhouse="toString(generateUUIDv4())",
            volatile=True,
            doc="Return a random guid.",
        ),
        # Operators, under the names that the binder uses.
        Function(
            "matches regex",
            "string regex",
            "bool",
            duckdb="regexp_matches(_0, _1)",
            clickhouse="match(_0, _1)",
            doc="Return true if a string has a match of a regular expression (RE2).",
        ),
        Function(
            "contains_cs",
            "string string",
            "bool",
            duckdb="contains(_0, _1)",
            clickhouse="position(_0, _1) > 0",
            false_if_empty=True,
            term_bounds=(False, False),
            doc="Return true if a string contains another one, case-sensitive.",
        ),
        Function(
            "contains",
            "string string",
            "bool",
            duckdb="contains(lower(_0), lower(_1))",
            clickhouse="positionCaseInsensitiveUTF8(_0, _1) > 0",
            false_if_empty=True,
            term_bounds=(False, False),
            doc="Return true if a string contains another one, case-insensitive.",
        ),
        Function(
            "startswith_cs",
            "string string",
            "bool",
            duckdb="starts_with(_0, _1)",
            clickhouse="startsWith(_0, _1)",
            false_if_empty=True,
            term_bounds=(True, False),
            doc="Return true if a string starts with another one, case-sensitive.",
        ),
        Function(
            "startswith",
            "string string",
            "bool",
            duckdb="starts_with(lower(_0), lower(_1))",
            clickhouse="startsWith(lowerUTF8(_0), lowerUTF8(_1))",
            false_if_empty=True,
            term_bounds=(True, False),
            doc="Return true if a string starts with another one, case-insensitive.",
        ),
        Function(
            "endswith_cs",
            "string string",
            "bool",
            duckdb="ends_with(_0, _1)",
            clickhouse="endsWith(_0, _1)",
            false_if_empty=True,
            term_bounds=(False, True),
            doc="Return true if a string ends with another one, case-sensitive.",
        ),
        Function(
            "endswith",
            "string string",
            "bool",
            duckdb="ends_with(lower(_0), lower(_1))",
            clickhouse="endsWith(lowerUTF8(_0), lowerUTF8(_1))",
            false_if_empty=True,
            term_bounds=(False, True),
            doc="Return true if a string ends with another one, case-insensitive.",
        ),
        Function(
            "=~",
            "string string",
            "bool",
            duckdb="lower(_0) = lower(_1)",
            clickhouse="lowerUTF8(_0) = lowerUTF8(_1)",
            false_if_empty=True,
            equality=True,
            term_bounds=(True, True),
            doc="Return true if two strings are equal, case-insensitive.",
        ),
        Function(
            "!~",
            "string string",
            "bool",
            duckdb="lower(_0) <> lower(_1)",
            clickhouse="lowerUTF8(_0) <> lowerUTF8(_1)",
            doc="Return true if two strings are not equal, case-insensitive.",
        ),
        Function(
            "term",
            "string string string",
            "bool",
            duckdb="regexp_matches(_0, _1) AND contains(lower(_0), _2)",
            clickhouse="positionCaseInsensitiveUTF8(_0, _2) > 0 AND match(_0, _1)",
            false_if_empty=True,
            term_bounds="pattern",
            among_few_rows="term_of_few",
        ),
        Function(
            "term_cs",
            "string string string",
            "bool",
            duckdb="contains(_0, _2) AND regexp_matches(_0, _1)",
            clickhouse="position(_0, _2) > 0 AND match(_0, _1)",
            false_if_empty=True,
            term_bounds="pattern",
        ),
        Function("term_pattern", "string string", "bool", duckdb="regexp_matches(_0, _1)", clickhouse="match(_0, _1)"),
        Function("token", "string string", "bool", clickhouse="hasTokenCaseInsensitive(_0, _1)", only_on="clickhouse"),
        Function("token_cs", "string string", "bool", clickhouse="hasToken(_0, _1)", only_on="clickhouse"),
        Function("has_any_list", "string dynamic", "bool", sql=listed(any_word=True)),
        Function("has_all_list", "string dynamic", "bool", sql=listed(any_word=False)),
    ]
)
