"""URLs, file paths and CSV records, split into their parts."""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import Pair, lets

__all__ = ["URLS"]


def found(pattern: str, text: str = "_0") -> Pair:
    """Return the templates of the first group of a match, empty without one; ClickHouse needs doubled backslashes."""
    escaped = pattern.replace("\\", "\\\\")
    return f"regexp_extract({text}, '{pattern}', 1)", f"extract({text}, '{escaped}')"


def bag(parts: dict[str, Pair]) -> Pair:
    """Return the templates of a bag of strings; the value of ``NESTED`` is a bag itself."""
    duck = ", ".join(f"'{name}', {pair[0]}" for name, pair in parts.items())
    pieces = [
        f"'\"{name}\":', {pair[1] if name == NESTED else f'toJSONString({pair[1]})'}" for name, pair in parts.items()
    ]
    joined = ", ',', ".join(pieces)
    return f"json_object({duck})", f"concat('{{', {joined}, '}}')"


NESTED = "Query Parameters"


def parameters(text: Pair) -> Pair:
    """Return the templates of a bag of a query such as ``a=1&b=2``."""
    value = found("^[^=]*=(.*)$", "p")
    return (
        f"""
            CAST(
                concat(
                    '{{',
                    array_to_string(
                        list_transform(
                            list_filter(string_split({text[0]}, '&'), lambda p: p <> ''),
                            lambda p: concat(to_json(split_part(p, '=', 1)), ':', to_json({value[0]}))
                        ),
                        ','
                    ),
                    '}}'
                ) AS JSON
            )""",
        f"""
            concat(
                '{{',
                arrayStringConcat(
                    arrayMap(
                        p -> concat(toJSONString(splitByChar('=', p)[1]), ':', toJSONString({value[1]})),
                        arrayFilter(p -> p <> '', splitByChar('&', {text[1]}))
                    ),
                    ','
                ),
                '}}'
            )""",
    )


AUTHORITY = "^[^:/?#]+:[/][/]"
USER = "(?:[^@/?#]*@)?"
URL: dict[str, Pair] = {
    "Scheme": found("^([a-zA-Z][a-zA-Z0-9+.-]*):"),
    "Host": found(f"{AUTHORITY}{USER}(\\[[^]]*\\]|[^:/?#]*)"),
    "Port": found(f"{AUTHORITY}{USER}(?:\\[[^]]*\\]|[^:/?#]*):([0-9]+)"),
    "Path": found(f"{AUTHORITY}[^/?#]*([^?#]*)"),
    "Username": found(f"{AUTHORITY}([^:@/?#]*)(?::[^@/?#]*)?@"),
    "Password": found(f"{AUTHORITY}[^:@/?#]*:([^@/?#]*)@"),
    NESTED: parameters(found("^[^?#]*[?]([^#]*)")),
    "Fragment": found("#(.*)$"),
}
SCHEME = "[A-Za-z][A-Za-z0-9+.-]*"
STREAM = "(?::[^/\\\\:]*)?$"
PATH: dict[str, Pair] = {
    "Scheme": found(f"^({SCHEME}):[/][/]"),
    "RootPath": found(f"^(?:{SCHEME}:[/][/])?(?:\\\\\\\\[?]\\\\)?([A-Za-z]:)"),
    "DirectoryPath": found(f"^(?:{SCHEME}:[/][/])?(.*)[/\\\\][^/\\\\]*$"),
    "DirectoryName": found("([^/\\\\]+)[/\\\\][^/\\\\]*$"),
    "Filename": found(f"([^/\\\\:]*){STREAM}"),
    "Extension": found(f"[.]([^./\\\\:]+){STREAM}"),
    "AlternateDataStreamName": found("[^/\\\\:]{2,}:([^/\\\\:]+)$"),
}
# The first record; within quotes a doubled quote is one quote.
RECORD = found('^((?:"(?:[^"]|"")*"|[^\\r\\n])*)')
FIELD = ',("(?:[^"]|"")*"|[^,]*)'
CSV = lets(
    (
        f"""
            to_json(
                list_transform(
                    regexp_extract_all(concat(',', r), '{FIELD}', 1),
                    lambda f: CASE
                    WHEN starts_with(f, '"') AND ends_with(f, '"') AND length(f) > 1
                        THEN replace(substring(f, 2, length(f) - 2), '""', '"')
                    ELSE f
                    END
                )
            )""",
        f"""
            toJSONString(
                arrayMap(
                    f -> if(
                        startsWith(f, '"') AND endsWith(f, '"') AND length(f) > 1,
                        replaceAll(substring(f, 2, length(f) - 2), '""', '"'), f
                    ),
                    extractAll(concat(',', r), '{FIELD}')
                )
            )""",
    ),
    r=RECORD,
)
URLS = rows(
    [
        Function(
            "parse_path", "string", "dynamic", sql=bag(PATH), doc="Split a file path into a property bag of its parts."
        ),
        Function(
            "parse_url",
            "string",
            "dynamic",
            sql=bag(URL),
            aliases=("parseurl",),
            doc="Split a URL into a property bag of its parts.",
        ),
        Function(
            "parse_urlquery",
            "string",
            "dynamic",
            sql=bag({NESTED: parameters(found("^[?]?([^#]*)"))}),
            aliases=("parseurlquery",),
            doc="Split the query of a URL into a property bag.",
        ),
        Function(
            "parse_csv",
            "string",
            "dynamic",
            sql=CSV,
            aliases=("parsecsv",),
            column_name="{0}",
            doc="Split the first record of comma-separated values into an array.",
        ),
    ]
)
