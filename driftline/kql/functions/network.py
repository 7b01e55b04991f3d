"""IPv4 addresses, URLs, paths: texts with a grammar of their own."""

from __future__ import annotations

from driftline.kql.functions.row import rows

__all__ = ["NETWORK"]

OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
ADDRESS = f"^{OCTET}(?:[.]{OCTET}){{3}}$"
BLOCK = f"^({OCTET}(?:[.]{OCTET}){{3}})(?:/(3[0-2]|[12]?[0-9]))?$"


def number(x: str) -> str:
    """Give an address as a number in DuckDB; null for what is none."""
    octets = [f"CAST(split_part({x}, '.', {n}) AS BIGINT) * {256 ** (4 - n)}" for n in (1, 2, 3, 4)]
    return f"CASE WHEN regexp_matches({x}, '{ADDRESS}') THEN {' + '.join(octets)} END"


def click_number(x: str) -> str:
    return f"if(match({x}, '{ADDRESS}'), toInt64(IPv4StringToNumOrDefault({x})), NULL)"


def _parts(text: str) -> tuple[str, str]:
    """Give a block's address and prefix length in DuckDB."""
    return (
        f"regexp_extract({text}, '{BLOCK}', 1)",
        f"coalesce(try_cast(nullif(regexp_extract({text}, '{BLOCK}', 2), '') AS INT), 32)",
    )


def _click_parts(text: str) -> tuple[str, str]:
    return f"splitByChar('/', {text})[1]", f"ifNull(toInt64OrNull(splitByChar('/', concat({text}, '/32'))[2]), 32)"


def in_range() -> tuple[str, str]:
    address, (base, size) = number(_parts("_0")[0]), _parts("_1")
    duck = f"({address}) >> (32 - {size}) = ({number(base)}) >> (32 - {size})"
    click_address, (click_base, click_size) = click_number(_click_parts("_0")[0]), _click_parts("_1")
    click = f"bitShiftRight({click_address}, 32 - {click_size}) = bitShiftRight({click_number(click_base)}, 32 - {click_size})"
    return duck, click


def _private(address: str, shift: str) -> str:
    ranges = ((24, 10), (20, 2753), (16, 49320))  # 10/8, 172.16/12, 192.168/16
    return " OR ".join(shift.format(address=address, bits=bits) + f" = {value}" for bits, value in ranges)


IN_RANGE = in_range()
NETWORK = rows(
    [
        ("parse_ipv4", "string", "long", number("_0"), click_number("_0"), "Read an IPv4 address as a number."),
        (
            "ipv4_is_in_range",
            "string string",
            "bool",
            *IN_RANGE,
            "Say whether an address lies in a block such as 10.0.0.0/8.",
        ),
        (
            "ipv4_is_private",
            "string",
            "bool",
            _private(number(_parts("_0")[0]), "(({address}) >> {bits})"),
            _private(click_number(_click_parts("_0")[0]), "bitShiftRight({address}, {bits})"),
            "Say whether an address is of a private network.",
        ),
        (
            "format_ipv4_number",
            "long",
            "string",
            "concat_ws('.', (_0 >> 24) & 255, (_0 >> 16) & 255, (_0 >> 8) & 255, _0 & 255)",
            "IPv4NumToString(assumeNotNull(toUInt32(_0)))",
            "",
        ),
        (
            "has_ipv4",
            "string string",
            "bool",
            "regexp_matches(_0, concat('(^|[^0-9A-Za-z.])', regexp_escape(_1), '($|[^0-9A-Za-z.])'))",
            "match(_0, concat('(^|[^0-9A-Za-z.])', regexpQuoteMeta(_1), '($|[^0-9A-Za-z.])'))",
            "Say whether a text holds an IPv4 address.",
        ),
        (
            "has_ipv4_prefix",
            "string string",
            "bool",
            "regexp_matches(_0, concat('(^|[^0-9A-Za-z.])', regexp_escape(_1)))",
            "match(_0, concat('(^|[^0-9A-Za-z.])', regexpQuoteMeta(_1)))",
            "Say whether a text holds an IPv4 address that begins so.",
        ),
        (
            "parse_path",
            "string",
            "dynamic",
            "json_object('Scheme', regexp_extract(_0, '^([a-zA-Z]+):[/][/]', 1), 'RootPath', regexp_extract(_0, '^([A-Za-z]:)', 1),"
            " 'DirectoryPath', regexp_extract(_0, '^(.*)[/\\\\][^/\\\\]*$', 1), 'DirectoryName', regexp_extract(_0, '([^/\\\\]+)[/\\\\][^/\\\\]*$', 1),"
            " 'Filename', regexp_extract(_0, '([^/\\\\]*)$', 1), 'Extension', regexp_extract(_0, '[.]([^./\\\\]+)$', 1), 'AlternateDataStreamName', '')",
            None,
            "Take a path apart into a bag.",
        ),
        (
            "parse_url",
            "string",
            "dynamic",
            "json_object('Scheme', regexp_extract(_0, '^([a-zA-Z][a-zA-Z0-9+.-]*):', 1), 'Host', regexp_extract(_0, '^[^:/]+:[/][/](?:[^@/]*@)?([^:/?#]*)', 1),"
            " 'Port', regexp_extract(_0, '^[^:/]+:[/][/](?:[^@/]*@)?[^:/?#]*:([0-9]+)', 1), 'Path', regexp_extract(_0, '^[^:/]+:[/][/][^/?#]*([^?#]*)', 1),"
            " 'Username', regexp_extract(_0, '^[^:/]+:[/][/]([^:@/]*)(?::[^@/]*)?@', 1), 'Password', regexp_extract(_0, '^[^:/]+:[/][/][^:@/]*:([^@/]*)@', 1),"
            " 'Query Parameters', coalesce(json_group_object_of(regexp_extract(_0, '[?]([^#]*)', 1)), '{}'), 'Fragment', regexp_extract(_0, '#(.*)$', 1))".replace(
                "coalesce(json_group_object_of(regexp_extract(_0, '[?]([^#]*)', 1)), '{}')",
                "to_json(map_from_entries(list_transform(list_filter(string_split(regexp_extract(_0, '[?]([^#]*)', 1), '&'), lambda p: p <> ''), lambda p: struct_pack(k := split_part(p, '=', 1), v := split_part(p, '=', 2)))))",
            ),
            None,
            "Take a URL apart into a bag.",
        ),
    ]
)
