"""String functions and operators. Kusto strings are never null, so neither are results."""

from __future__ import annotations

from driftline.kql.functions.encodings import PLAIN
from driftline.kql.functions.lists import lets
from driftline.kql.functions.row import rows

__all__ = ["TEXT"]


def valid(text: str) -> str:
    """Give ClickHouse's bytes if they are a text, otherwise an empty one."""
    return f"if(isValidUTF8({text}), {text}, '')"


# Kusto writes escapes in lower case.
def escaped(duck: str, click: str) -> tuple[str, str]:
    low = "concat(lower(substring(p, 1, 2)), substring(p, 3))"
    return (
        f"array_to_string(list_transform(string_split({duck}, '%'), lambda p, i: CASE WHEN i = 1 THEN p ELSE {low} END), '%')",
        f"arrayStringConcat(arrayMap((p, i) -> if(i = 1, p, {low}), splitByChar('%', {click}), arrayEnumerate(splitByChar('%', {click}))), '%')",
    )


TOO_LONG = "a text of more than a megabyte"
# Between terms: all of ASCII that is neither letter nor digit.
SEPARATOR = "[^0-9A-Za-z\\x80-\\x{10FFFF}]"
WORDS = (
    "CASE WHEN json_type(_1) = 'ARRAY' THEN CAST(_1 AS VARCHAR[]) WHEN _1 IS NULL THEN [] ELSE [_1 ->> '$'] END",
    "multiIf(_1 IS NULL, [], startsWith(_1, '['), arrayMap(x -> if(startsWith(x, '\"'), JSONExtractString(x), x),"
    " JSONExtractArrayRaw(ifNull(_1, '[]'))), startsWith(_1, '\"'), [JSONExtractString(ifNull(_1, ''))], [ifNull(_1, '')])",
)


def bounded() -> tuple[str, str]:
    """Write the pattern of a word ``e``; a separator at its end bounds it already."""
    duck, click = SEPARATOR, SEPARATOR.replace("\\", "\\\\")
    return (
        f"concat(CASE WHEN regexp_matches(e, '^{duck}') THEN '' ELSE '(?:^|{duck})' END, regexp_escape(e),"
        f" CASE WHEN regexp_matches(e, '{duck}$') THEN '' ELSE '(?:$|{duck})' END)",
        f"concat(if(match(e, '^{click}'), '', '(?:^|{click})'), regexpQuoteMeta(e),"
        f" if(match(e, '{click}$'), '', '(?:$|{click})'))",
    )


def listed(*, any_word: bool) -> tuple[str, str]:
    """Look for the terms of a list that no constant tells; an empty term is everywhere."""
    duck, click = bounded()
    if not any_word:
        return (
            f"len(list_filter({WORDS[0]}, lambda e: e <> '' AND NOT regexp_matches(_0, concat('(?i)', {duck})))) = 0",
            f"empty(arrayFilter(e -> e <> '' AND NOT match(_0, concat('(?i)', {click})), {WORDS[1]}))",
        )
    # One pattern of all words, as each pattern is compiled for each row.
    ducks = f"array_to_string(list_transform({WORDS[0]}, lambda e: {duck}), '|')"
    clicks = f"arrayStringConcat(arrayMap(e -> {click}, {WORDS[1]}), '|')"
    return (
        f"len({WORDS[0]}) > 0 AND (list_contains({WORDS[0]}, '') OR regexp_matches(_0, concat('(?i)', {ducks})))",
        f"notEmpty({WORDS[1]}) AND (has({WORDS[1]}, '') OR match(_0, concat('(?i)', {clicks})))",
    )


def first_listed() -> tuple[str, str]:
    """Give the place of the first word of a list that a text has; an empty word is everywhere."""
    duck, click = bounded()
    return (
        f"coalesce(list_position(list_transform({WORDS[0]}, lambda e: e = '' OR regexp_matches(_0, concat('(?i)', {duck}))), TRUE), 0) - 1",
        f"toInt64(arrayFirstIndex(e -> e = '' OR match(_0, concat('(?i)', {click})), {WORDS[1]})) - 1",
    )


# A character of Unicode's that no text should have.
MARK, END = "\U0010ffff", "\U0010fffe"


def parted(text: str) -> tuple[str, str]:
    """Cut a text before every match of ``_1``; what comes before the first is the first piece.

    ClickHouse takes an empty match at the end of another for one more, and an empty pattern for none.
    """
    marked = f"replaceRegexpAll({text}, concat('(?:', _1, ')'), '{MARK}\\\\0{END}')"
    single = f"replaceRegexpAll({marked}, '([^{MARK}]{END}){MARK}{END}', '\\\\1')"
    return (
        f"string_split(regexp_replace({text}, _1, '{MARK}\\0', 'g'), '{MARK}')",
        f"splitByString('{MARK}', replaceAll({single}, '{END}', ''))",
    )


# What may match nothing is replaced with marks, of which those of additional matches go.
BETWEEN = "\U0001ffff"
ADDITIONAL = f"({MARK}[^{BETWEEN}]+{BETWEEN}[^{END}]*{END}){MARK}{BETWEEN}[^{END}]*{END}"
# To ClickHouse a digit behind two backslashes is a group, too.
BACKSLASH = "\U0002ffff"
REWRITE = f"replaceAll(_2, '\\\\\\\\', '{BACKSLASH}')"
REPLACED = (
    "replaceAll(if(match('', _1), replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(_0, concat('(?:', _1, ')'),"
    f" concat('{MARK}\\\\0{BETWEEN}', {REWRITE}, '{END}')), '{ADDITIONAL}', '\\\\1'),"
    f" '{MARK}[^{BETWEEN}]*{BETWEEN}([^{END}]*){END}', '\\\\1'), replaceRegexpAll(_0, _1, {REWRITE})), '{BACKSLASH}', '\\\\')"
)
MANY = 1 << 31
# From one hit to the next, each time among so many characters; -2 when there is none any more.
NTH = lets(
    (
        "CASE WHEN _3 < -1 OR _2 IS NULL THEN NULL ELSE greatest(list_reduce(range(0, _4), lambda p, k: CASE WHEN p = -2 THEN p"
        " ELSE list_extract(list_transform([instr(substring(_0, p + 2, w), _1)], lambda f: CASE WHEN _1 = '' THEN p + 1"
        " WHEN f = 0 THEN -2 ELSE p + f END), 1) END, s - 1), -1) END",
        "if(_3 < -1 OR _2 IS NULL, NULL, greatest(arrayFold((p, k) -> if(p = -2, p, arrayElement(arrayMap(f -> if(f = 0, toInt64(-2),"
        " p + toInt64(f)), [positionUTF8(substringUTF8(_0, p + 2, w), _1)]), 1)), range(toUInt64(assumeNotNull(_4))), s - 1), -1))",
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
        "CASE WHEN _2 < 0 OR _2 IS NULL OR _3 < -1 THEN NULL WHEN len(t) <= _4 THEN -1"
        " ELSE _2 + CAST(list_sum(list_transform(t[1:_4], lambda p: length(p))) AS BIGINT) END",
        "multiIf(_2 IS NULL OR _2 < 0 OR _3 < -1, NULL, length(t) <= _4, -1,"
        " _2 + toInt64(arraySum(p -> lengthUTF8(p), arraySlice(t, 1, toInt64(assumeNotNull(_4))))))",
    ),
    t=(
        parted(
            f"substring(_0, greatest(coalesce(_2, 0), 0) + 1, CASE WHEN _3 < 0 THEN {MANY} ELSE coalesce(_3, {MANY}) END)"
        )[0],
        parted(
            f"substringUTF8(_0, toInt64(greatest(ifNull(_2, 0), 0)) + 1, toInt64(if(ifNull(_3, -1) < 0, {MANY}, ifNull(_3, {MANY}))))"
        )[1],
    ),
)
# Neither surrogates nor what lies beyond Unicode.
POINT = "c BETWEEN 1 AND 1114111 AND c NOT BETWEEN 55296 AND 57343"
OF_POINTS = lets(
    (
        f"CASE WHEN len(list_filter(p, lambda c: coalesce(NOT ({POINT}), TRUE))) = 0"
        " THEN coalesce(array_to_string(list_transform(p, lambda c: chr(c)), ''), '') ELSE '' END",
        "arrayStringConcat(arrayMap(c -> convertCharset(char(bitAnd(c, 255), bitAnd(bitShiftRight(c, 8), 255), bitShiftRight(c, 16), 0),"
        f" 'UTF-32LE', 'UTF-8'), if(arrayAll(c -> {POINT}, p), p, [])), '')",
    ),
    p=(
        "list_transform(TRY_CAST(_0 AS JSON[]), lambda e: CASE WHEN json_type(e) IN ('UBIGINT', 'BIGINT') THEN TRY_CAST(CAST(e AS TEXT) AS INT) END)",
        "arrayMap(c -> toUInt32OrZero(c), JSONExtractArrayRaw(ifNull(_0, '[]')))",
    ),
)
# A text has no more than a megabyte.
REPEATED = lets(
    (
        f"CASE WHEN coalesce(n, 0) = 0 THEN '' WHEN (strlen(_0) + strlen(_2)) * n > 1 << 20 THEN error('{TOO_LONG}')"
        " ELSE concat(repeat(concat(_0, _2), n - 1), _0) END",
        "if(ifNull(n, 0) = 0, '', concat(repeat(concat(_0, _2), toUInt32(n - 1 + throwIf((length(_0) + length(_2)) * n > 1048576,"
        f" '{TOO_LONG}'))), _0))",
    ),
    n=("least(greatest(_1, 0), 1024)", "least(greatest(_1, 0), 1024)"),
)
TEXT = rows(
    [
        ("strlen", "string", "long", "length(_0)", "toInt64(lengthUTF8(_0))", "Count the characters."),
        ("string_size", "string", "long", "strlen(_0)", "toInt64(length(_0))", "Count the bytes in UTF-8."),
        ("tolower", "text", "string", "lower(_0)", "lowerUTF8(_0)", "Give lower-case letters."),
        ("toupper", "text", "string", "upper(_0)", "upperUTF8(_0)", "Give upper-case letters."),
        ("strcat", "text*", "string", "concat(_all)", "concat(_all)", "Join values as text."),
        (
            "strcat_delim",
            "text text text*",
            "string",
            "concat_ws(_all)",
            "concatWithSeparator(_all)",
            "Join values with a delimiter.",
        ),
        ("strrep", "text long string?", "string", None, None, "Repeat text, 1,024 times at most."),
        ("repeat_text", "string long string", "string", *REPEATED, ""),
        ("reverse", "text", "string", "reverse(_0)", "reverseUTF8(_0)", "Reverse the characters."),
        (
            "substring",
            "text long long?",
            "string",
            "substring(_0, CASE WHEN _1 < 0 THEN greatest(length(_0) + _1, 0) ELSE coalesce(_1, 0) END + 1, greatest(coalesce(_2, 2147483647), 0))",
            "substringUTF8(_0, toInt64(assumeNotNull(if(_1 < 0, greatest(toInt64(lengthUTF8(_0)) + _1, 0), ifNull(_1, 0)))) + 1, toInt64(assumeNotNull(greatest(ifNull(_2, 2147483647), 0))))",
            "Cut a piece, counting from 0; a negative start counts from the end.",
        ),
        (
            "indexof",
            "text text long? long? long?",
            "long",
            "CASE WHEN _1 = '' THEN 0 ELSE instr(_0, _1) - 1 END",
            "toInt64(positionUTF8(_0, _1)) - 1",
            "Find a text, -1 if there is none: from a place on (negative: from the end), among so many characters, the n-th.",
        ),
        ("indexof_nth", "string string long long long", "long", *NTH, ""),
        (
            "indexof_regex",
            "text regex long? long? long?",
            "long",
            "CASE WHEN regexp_matches(_0, _1) THEN length(regexp_extract(_0, concat('(?s)^(.*?)(?:', _1, ')'), 1)) ELSE -1 END",
            "if(match(_0, _1), toInt64(lengthUTF8(extract(_0, concat('(?s)^(.*?)(?:', _1, ')')))), -1)",
            "Find a match of a regular expression, -1 if there is none, as indexof does; a negative place gives null.",
        ),
        ("indexof_regex_nth", "string string long long long", "long", *NTH_MATCH, ""),
        (
            "has_any_index",
            "string dynamic",
            "long",
            None,
            None,
            "Find the first of several terms that a text has, -1 if there is none.",
        ),
        ("has_any_index_list", "string dynamic", "long", *first_listed(), ""),
        (
            "replace",
            "regex string string",
            "string",
            None,
            None,
            "As replace_regex, in the order of old: regular expression, replacement, text.",
        ),
        ("translate", "string string string", "string", None, None, "Replace characters one by one."),
        ("translate_plain", "string string string", "string", "translate(_2, _0, _1)", "translateUTF8(_2, _0, _1)", ""),
        (
            "extract_all",
            "string dynamic? string",
            "dynamic",
            None,
            None,
            "Give all matches of a regular expression; arrays of them if it has several groups. Null without a match.",
        ),
        ("around", "any any any", "bool", None, None, "Say whether a value lies within a distance of another."),
        (
            "replace_string",
            "string string string",
            "string",
            "CASE WHEN _1 = '' THEN _0 ELSE replace(_0, _1, _2) END",
            "if(_1 = '', _0, replaceAll(_0, _1, _2))",
            "Replace every occurrence of a text.",
        ),
        (
            "replace_regex",
            "string regex string",
            "string",
            "regexp_replace(_0, _1, _2, 'g')",
            REPLACED,
            r"Replace every match of a regular expression; \1 is the first group.",
        ),
        (
            "trim",
            "regex string",
            "string",
            "regexp_replace(regexp_replace(_1, concat('^(?:', _0, ')+'), ''), concat('(?:', _0, ')+$'), '')",
            "replaceRegexpOne(replaceRegexpOne(_1, concat('^(?:', _0, ')+'), ''), concat('(?:', _0, ')+$'), '')",
            "Remove matches of a regular expression at both ends.",
        ),
        (
            "trim_start",
            "regex string",
            "string",
            "regexp_replace(_1, concat('^(?:', _0, ')+'), '')",
            "replaceRegexpOne(_1, concat('^(?:', _0, ')+'), '')",
            "Remove matches of a regular expression at the start.",
        ),
        (
            "trim_end",
            "regex string",
            "string",
            "regexp_replace(_1, concat('(?:', _0, ')+$'), '')",
            "replaceRegexpOne(_1, concat('(?:', _0, ')+$'), '')",
            "Remove matches of a regular expression at the end.",
        ),
        (
            "countof",
            "string string string?",
            "long",
            None,
            None,
            'Count occurrences of a text, or matches of a regular expression (kind "regex").',
        ),
        (
            "countof_normal",
            "string string",
            "long",
            "len(regexp_extract_all(_0, regexp_escape(_1)))",
            "toInt64(countSubstrings(_0, _1))",
            "",
        ),
        (
            "countof_overlapping",
            "string string",
            "long",
            "CASE WHEN _1 = '' THEN 0 ELSE len(list_filter(range(1, length(_0) - length(_1) + 2), lambda i: substring(_0, i, length(_1)) = _1)) END",
            "if(_1 = '', 0, toInt64(arrayCount(i -> substring(_0, i, length(_1)) = _1,"
            " range(1, toUInt64(greatest(toInt64(length(_0)) - toInt64(length(_1)) + 2, 1))))))",
            "",
        ),
        (
            "countof_regex",
            "string string",
            "long",
            f"len({parted('_0')[0]}) - 1",
            f"toInt64(length({parted('_0')[1]})) - 1",
            "",
        ),
        (
            "isempty",
            "any",
            "bool",
            {"string": "_0 = ''", "dynamic": "coalesce(_0 = '\"\"', TRUE)", "*": "_0 IS NULL"},
            "=",
            "Say whether a value is an empty string or null.",
        ),
        (
            "isnotempty",
            "any",
            "bool",
            {"string": "_0 <> ''", "dynamic": "coalesce(_0 <> '\"\"', FALSE)", "*": "_0 IS NOT NULL"},
            "=",
            "Say whether a value is neither an empty string nor null.",
        ),
        (
            "isnull",
            "any",
            "bool",
            {"string": "FALSE", "*": "_0 IS NULL"},
            "=",
            "Say whether a value is null; a string never is.",
        ),
        (
            "isnotnull",
            "any",
            "bool",
            {"string": "TRUE", "*": "_0 IS NOT NULL"},
            "=",
            "Say whether a value is not null.",
        ),
        (
            "isutf8",
            "string",
            "bool",
            "TRUE",
            "isValidUTF8(_0) = 1",
            "Say whether a string is valid UTF-8.",
        ),
        (
            "isascii",
            "string",
            "bool",
            "length(_0) = strlen(_0)",
            "lengthUTF8(_0) = length(_0)",
            "Say whether a string is ASCII.",
        ),
        (
            "extract_plain",
            "string long string",
            "string",
            "coalesce(regexp_extract(_2, _0, CAST(_1 AS INT)), '')",
            "if(match(_2, _0), ifNull(arrayElement(extractGroups(_2, concat('(', _0, ')')), _1 + 1), ''), '')",
            "",
        ),
        (
            "split_all",
            "string string",
            "dynamic",
            "to_json(CASE WHEN _1 = '' THEN [_0] ELSE string_split(_0, _1) END)",
            "toJSONString(if(_1 = '', [_0], splitByString(_1, _0)))",
            "",
        ),
        (
            "extract_all_one",
            "string string",
            "dynamic",
            "CASE WHEN regexp_matches(_1, _0) THEN to_json(list_transform(regexp_extract_all(_1, _0, 1), lambda g: coalesce(g, ''))) END",
            "if(match(_1, _0), toJSONString(extractAll(_1, _0)), NULL)",
            "",
        ),
        (
            "base64_encode_tostring",
            "string",
            "string",
            "base64(encode(_0))",
            "base64Encode(_0)",
            "Encode text as base64.",
        ),
        (
            "base64_decode_tostring",
            "string",
            "string",
            f"coalesce(TRY(decode(from_base64({PLAIN}))), '')",
            valid("tryBase64Decode(_0)"),
            "Decode base64 text; empty if it is none.",
        ),
        (
            "url_encode",
            "string",
            "string",
            *escaped("replace(url_encode(_0), '%20', '+')", "encodeURLFormComponent(_0)"),
            "Encode for a URL; a space becomes a plus sign.",
        ),
        (
            "url_encode_component",
            "string",
            "string",
            *escaped("url_encode(_0)", "encodeURLComponent(_0)"),
            "Encode for a part of a URL.",
        ),
        (
            "url_decode",
            "string",
            "string",
            "coalesce(TRY(url_decode(replace(_0, '+', ' '))), '')",
            valid("decodeURLFormComponent(_0)"),
            "Decode a URL's text; empty if what it encodes is none.",
        ),
        ("hash_md5", "text", "string", "md5(_0)", "lower(hex(MD5(_0)))", "Give the MD5 digest in hexadecimal."),
        ("hash_sha1", "text", "string", "sha1(_0)", "lower(hex(SHA1(_0)))", "Give the SHA-1 digest in hexadecimal."),
        (
            "hash_sha256",
            "text",
            "string",
            "sha256(_0)",
            "lower(hex(SHA256(_0)))",
            "Give the SHA-256 digest in hexadecimal.",
        ),
        (
            "strcmp",
            "text text",
            "long",
            "CAST(CASE WHEN _0 < _1 THEN -1 WHEN _0 > _1 THEN 1 ELSE 0 END AS BIGINT)",
            "=",
            "Compare two strings: -1, 0 or 1.",
        ),
        (
            "unicode_codepoints_to_string",
            "any*",
            "string",
            None,
            None,
            "Make text of code points, given one by one or in arrays; empty if one is none.",
        ),
        ("text_of_points", "dynamic", "string", *OF_POINTS, ""),
        (
            "regex_quote",
            "text",
            "string",
            "regexp_escape(_0)",
            "regexpQuoteMeta(_0)",
            "Escape text for a regular expression.",
        ),
        ("new_guid", "", "guid", "CAST(uuid() AS TEXT)", "toString(generateUUIDv4())", "Make a random identifier."),
        # Operators, by the names the binder gives them.
        (
            "matches regex",
            "string regex",
            "bool",
            "regexp_matches(_0, _1)",
            "match(_0, _1)",
            "Match a regular expression (RE2).",
        ),
        (
            "contains_cs",
            "string string",
            "bool",
            "contains(_0, _1)",
            "position(_0, _1) > 0",
            "Hold a text, case-sensitively.",
        ),
        (
            "contains",
            "string string",
            "bool",
            "contains(lower(_0), lower(_1))",
            "positionCaseInsensitiveUTF8(_0, _1) > 0",
            "Hold a text.",
        ),
        (
            "startswith_cs",
            "string string",
            "bool",
            "starts_with(_0, _1)",
            "startsWith(_0, _1)",
            "Begin with a text, case-sensitively.",
        ),
        (
            "startswith",
            "string string",
            "bool",
            "starts_with(lower(_0), lower(_1))",
            "startsWith(lowerUTF8(_0), lowerUTF8(_1))",
            "Begin with a text.",
        ),
        (
            "endswith_cs",
            "string string",
            "bool",
            "ends_with(_0, _1)",
            "endsWith(_0, _1)",
            "End with a text, case-sensitively.",
        ),
        (
            "endswith",
            "string string",
            "bool",
            "ends_with(lower(_0), lower(_1))",
            "endsWith(lowerUTF8(_0), lowerUTF8(_1))",
            "End with a text.",
        ),
        (
            "=~",
            "string string",
            "bool",
            "lower(_0) = lower(_1)",
            "lowerUTF8(_0) = lowerUTF8(_1)",
            "Be equal but for case.",
        ),
        (
            "!~",
            "string string",
            "bool",
            "lower(_0) <> lower(_1)",
            "lowerUTF8(_0) <> lowerUTF8(_1)",
            "Differ in more than case.",
        ),
        (
            "term",
            "string string string",
            "bool",
            "regexp_matches(_0, _1) AND contains(lower(_0), _2)",
            "positionCaseInsensitiveUTF8(_0, _2) > 0 AND match(_0, _1)",
            "",
        ),
        (
            "term_cs",
            "string string string",
            "bool",
            "contains(_0, _2) AND regexp_matches(_0, _1)",
            "position(_0, _2) > 0 AND match(_0, _1)",
            "",
        ),
        ("term_pattern", "string string", "bool", "regexp_matches(_0, _1)", "match(_0, _1)", ""),
        ("token", "string string", "bool", None, "hasTokenCaseInsensitive(_0, _1)", ""),
        ("token_cs", "string string", "bool", None, "hasToken(_0, _1)", ""),
        ("has_any_list", "string dynamic", "bool", *listed(any_word=True), ""),
        ("has_all_list", "string dynamic", "bool", *listed(any_word=False), ""),
    ]
)
