"""IPv4 and IPv6 addresses, with or without a prefix length.

In the templates an IPv4 address is a number, and an IPv6 address a string of 128 binary digits, of which
the network is the first part. An invalid address gives null. The helpers return a pair of templates: for
DuckDB, for ClickHouse.
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import Pair, lets

__all__ = ["IP_ADDRESSES"]

OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
PLAIN = f"{OCTET}(?:[.]{OCTET}){{3}}"
SIZE = "3[0-2]|[12]?[0-9]"
BLOCK = f"^({PLAIN})(?:/({SIZE}))?$"


def number(x: str) -> Pair:
    """Return the templates of the number of an address without its prefix."""
    parts = [
        f"CAST(split_part(regexp_extract({x}, '{BLOCK}', 1), '.', {n}) AS BIGINT) * {256 ** (4 - n)}"
        for n in (1, 2, 3, 4)
    ]
    return (
        f"CASE WHEN regexp_matches({x}, '{BLOCK}') THEN {' + '.join(parts)} END",
        f"if(match({x}, '{BLOCK}'), toInt64(IPv4StringToNumOrDefault(splitByChar('/', {x})[1])), NULL)",
    )


def prefix(x: str) -> Pair:
    """Return the templates of the prefix length of an address; 32 without a prefix."""
    return (
        f"coalesce(try_cast(nullif(regexp_extract({x}, '{BLOCK}', 2), '') AS BIGINT), 32)",
        f"ifNull(toInt64OrNull(splitByChar('/', concat({x}, '/'))[2]), 32)",
    )


def network(x: str, size: Pair) -> Pair:
    """Return the templates of the number of an address masked to a prefix length.

    A length outside of 0 to 32 gives null.
    """
    duck, click = number(x)
    return (
        f"CASE WHEN {size[0]} BETWEEN 0 AND 32 THEN (({duck}) >> (32 - ({size[0]}))) << (32 - ({size[0]})) END",
        f"""
            if(
                {size[1]} BETWEEN 0 AND 32,
                bitShiftLeft(bitShiftRight({click}, 32 - ({size[1]})), 32 - ({size[1]})), NULL
            )""",
    )


def least(*sizes: Pair) -> Pair:
    """Return the templates of the least of several prefix lengths."""
    return f"least({', '.join(s[0] for s in sizes)})", f"least({', '.join(s[1] for s in sizes)})"


GIVEN = ("coalesce(_2, 32)", "ifNull(_2, 32)")
SHARED = least(prefix("_0"), prefix("_1"), GIVEN)


def compared() -> Pair:
    """Return the templates that compare two networks: -1, 0 or 1."""
    first, second = network("_0", SHARED), network("_1", SHARED)
    return f"CAST(sign(({first[0]}) - ({second[0]})) AS BIGINT)", f"toInt64(sign(({first[1]}) - ({second[1]})))"


def same(first: Pair, second: Pair) -> Pair:
    """Return the templates that test two values for equality."""
    return f"({first[0]}) = ({second[0]})", f"({first[1]}) = ({second[1]})"


def written(value: Pair) -> Pair:
    """Return the templates that write a number as an address; empty if it is null or too large."""
    octets = ", '.', ".join(f"CAST((n >> {shift}) & 255 AS TEXT)" for shift in (24, 16, 8, 0))
    return (
        f"""
            list_extract(
                list_transform(
                    [{value[0]}],
                    lambda n: CASE WHEN n BETWEEN 0 AND 4294967295 THEN concat({octets}) ELSE '' END
                ),
                1
            )""",
        f"""
            arrayElement(
                arrayMap(
                    n -> if(
                        ifNull(n BETWEEN 0 AND 4294967295, FALSE), IPv4NumToString(toUInt32(assumeNotNull(n))),
                        ''
                    ),
                    [{value[1]}]
                ),
                1
            )""",
    )


def suffixed(text: Pair, size: Pair) -> Pair:
    """Return the templates that add a prefix length to the text of an address; empty stays empty."""
    return lets(
        (
            f"CASE WHEN a = '' THEN '' ELSE concat(a, '/', CAST({size[0]} AS TEXT)) END",
            f"if(a = '', '', concat(a, '/', toString({size[1]})))",
        ),
        a=text,
    )


# Candidates in a text: the pieces between characters other than letters, digits and dots.
IN_TEXT = (
    f"""
        list_filter(
            list_transform(string_split_regex(_0, '[^0-9A-Za-z.]+'), lambda w: trim(w, '.')),
            lambda w: regexp_full_match(w, '{PLAIN}')
        )""",
    f"""
        arrayFilter(
            w -> match(w, '^{PLAIN}$'),
            arrayMap(w -> trim(BOTH '.' FROM w), splitByRegexp('[^0-9A-Za-z.]+', _0))
        )""",
)


def _private() -> Pair:
    """Return the templates that test for the ranges 10/8, 172.16/12 and 192.168/16."""
    ranges = ((24, 10), (20, 2753), (16, 49320))  # 10/8, 172.16/12, 192.168/16
    (duck, click), sizes = number("_0"), prefix("_0")

    ducks = [f"(({duck}) >> {bits}) = {value} AND {sizes[0]} >= {32 - bits}" for bits, value in ranges]
    clicks = [f"bitShiftRight({click}, {bits}) = {value} AND {sizes[1]} >= {32 - bits}" for bits, value in ranges]
    return " OR ".join(ducks), " OR ".join(clicks)


# IPv6


SIZE6 = "12[0-8]|1[01][0-9]|[1-9]?[0-9]"
BLOCK6 = f"^[^/]*:[^/]*(?:/(?:{SIZE6}))?$"
# Kusto reads ::1.2.3.4 as the IPv4 address at its end, and a prefix length of up to 32 as one of IPv4.
ENDING = f"^(?:{PLAIN}(?:/(?:{SIZE}))?|::{PLAIN}(?:/(?:{SIZE6}))?)$"
SHORT = f"^(?:::)?{PLAIN}(?:/(?:{SIZE}))?$"


def address6(x: str) -> Pair:
    """Return the templates of an address without its prefix; empty if it is invalid, mapped to IPv6 if it is IPv4."""
    return (
        f"""
            CASE
            WHEN regexp_matches({x}, '{ENDING}') THEN concat('::ffff:', ltrim(split_part({x}, '/', 1), ':'))
            WHEN regexp_matches({x}, '{BLOCK6}') THEN split_part({x}, '/', 1)
            ELSE ''
            END""",
        f"""
            multiIf(
                match({x}, '{ENDING}'),
                concat('::ffff:', replaceRegexpOne(splitByChar('/', {x})[1], '^::', '')),
                match({x}, '{BLOCK6}'), splitByChar('/', {x})[1], ''
            )""",
    )


def bits(x: str) -> Pair:
    """Return the templates of an address as 128 binary digits; null if it is invalid."""
    tail = "regexp_extract(h, '([0-9]+[.][0-9.]+)$', 1)"
    octet = f"CAST(split_part({tail}, '.', {{}}) AS INT)"
    pair = "printf('%x', {0} * 256 + {1})"
    groups = [pair.format(octet.format(a), octet.format(a + 1)) for a in (1, 3)]
    plain = f"""
        CASE
        WHEN regexp_full_match({tail}, '{PLAIN}')
            THEN concat(left(h, length(h) - length({tail})), {groups[0]}, ':', {groups[1]})
        ELSE h
        END"""
    halves = "list_filter(string_split(split_part(p, '::', {}), ':'), lambda w: w <> '' OR NOT contains(p, '::'))"
    left, right = halves.format(1), halves.format(2)
    zeros = f"""
        list_transform(
            range(0, CASE WHEN contains(p, '::') THEN 8 - len({left}) - len({right}) ELSE 0 END), lambda w: '0'
        )"""
    every = f"list_concat({left}, {zeros}, CASE WHEN contains(p, '::') THEN {right} ELSE [] END)"
    valid = """
        len(w) = 8
        AND NOT regexp_matches(p, ':::|::.*::')
        AND list_bool_and(list_transform(w, lambda g: regexp_full_match(g, '[0-9A-Fa-f]{1,4}')))"""
    digits = "array_to_string(list_transform(w, lambda g: lpad(bin(CAST(concat('0x', g) AS INT)), 16, '0')), '')"
    duck = lets((f"CASE WHEN {valid} THEN {digits} END", ""), h=(address6(x)[0], ""), p=(plain, ""), w=(every, ""))[0]
    return duck, f"nullIf(bin(ifNull(IPv6StringToNumOrNull({address6(x)[1]}), '')), '')"


def prefix6(x: str) -> Pair:
    """Return the templates of the prefix length of an address; 128 without a prefix.

    A prefix of an IPv4 address counts from bit 96, where the address begins in its mapped form.
    """
    return (
        f"""
            CASE
            WHEN regexp_matches({x}, '{SHORT}')
                THEN coalesce(try_cast(nullif(split_part({x}, '/', 2), '') AS BIGINT), 32) + 96
            ELSE coalesce(try_cast(nullif(split_part({x}, '/', 2), '') AS BIGINT), 128)
            END""",
        f"ifNull(toInt64OrNull(splitByChar('/', concat({x}, '/'))[2]) + if(match({x}, '{SHORT}'), 96, 0), 128)",
    )


def network6(x: str, size: Pair) -> Pair:
    """Return the templates of the first digits of an address, as many as a prefix length.

    A negative length gives null.
    """
    duck, click = bits(x)
    return (
        f"CASE WHEN {size[0]} >= 0 THEN left({duck}, CAST({size[0]} AS BIGINT)) END",
        f"if({size[1]} >= 0, left({click}, toUInt64(greatest({size[1]}, 0))), NULL)",
    )


GIVEN6 = ("coalesce(_2, 128)", "ifNull(_2, 128)")
SHARED6 = least(prefix6("_0"), prefix6("_1"), GIVEN6)


def compared6() -> Pair:
    """Return the templates that compare two networks: -1, 0 or 1."""
    first, second = network6("_0", SHARED6), network6("_1", SHARED6)
    return lets(
        ("CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN a < b THEN -1 WHEN a > b THEN 1 ELSE 0 END",
         "multiIf(a IS NULL OR b IS NULL, NULL, a < b, -1, a > b, 1, 0)"),
        a=first, b=second,
    )  # fmt: skip


def grouped6(size: Pair) -> Pair:
    """Return the templates that write a network as eight groups of four hexadecimal digits; empty if it is null."""
    duck = """
            coalesce(
                array_to_string(
                    list_transform(
                        range(0, 8),
                        lambda g: lpad(
                            lower(
                                hex(
                                    list_sum(
                                        list_transform(
                                            range(0, 16),
                                            lambda i: CASE
                                            WHEN substring(
                                                rpad(b, 128, '0'), CAST(g * 16 + i + 1 AS BIGINT), 1
                                            ) = '1'
                                                THEN CAST(1 AS BIGINT) << CAST(15 - i AS INT)
                                            ELSE 0
                                            END
                                        )
                                    )::BIGINT
                                )
                            ),
                            4, '0'
                        )
                    ),
                    ':'
                ),
                ''
            )"""
    digits = "rightPad(assumeNotNull(b), 128, '0')"
    click = f"arrayStringConcat(arrayMap(g -> lower(hex(unbin(substring({digits}, g * 16 + 1, 16)))), range(8)), ':')"
    return lets((f"CASE WHEN b IS NULL THEN '' ELSE {duck} END", f"if(b IS NULL, '', {click})"), b=network6("_0", size))


# Tests of an address against another one


def in_range(block: str) -> Pair:
    """Return the templates that test whether the address ``_0`` is in a range."""
    return same(network("_0", prefix(block)), network(block, prefix(block)))


def in_range6(block: str) -> Pair:
    """Return the templates that test whether the IPv6 or IPv4 address ``_0`` is in a range."""
    return same(network6("_0", prefix6(block)), network6(block, prefix6(block)))


def has_address(address: str) -> Pair:
    """Return the templates that test whether the text ``_0`` contains an address."""
    return f"list_contains({IN_TEXT[0]}, {address})", f"has({IN_TEXT[1]}, {address}) = 1"


def has_beginning(begin: str) -> Pair:
    """Return the templates that test whether the text ``_0`` contains an address that starts with a prefix."""
    valid = f"^({OCTET}[.]){{1,3}}$|^{PLAIN}$"
    return (
        f"regexp_matches({begin}, '{valid}') AND len(list_filter({IN_TEXT[0]}, lambda w: starts_with(w, {begin}))) > 0",
        f"match({begin}, '{valid}') AND arrayExists(w -> startsWith(w, {begin}), {IN_TEXT[1]})",
    )


TESTS: dict[str, Callable[[str], Pair]] = {
    "ipv4_is_in_range": in_range,
    "ipv6_is_in_range": in_range6,
    "has_ipv4": has_address,
    "has_ipv4_prefix": has_beginning,
}


def over_array(test: Pair) -> Pair:
    """Return the templates that apply a test to each string ``t`` of the array ``_1``.

    The result is true if one test is true, else null if one is null, else false.
    """
    texts = (
        """
            list_transform(
                list_filter(
                    coalesce(CAST(CASE WHEN json_type(_1) = 'ARRAY' THEN _1 END AS JSON[]), []),
                    lambda j: json_type(j) = 'VARCHAR'
                ),
                lambda j: json_extract_string(j, '$')
            )""",
        """
            arrayMap(
                j -> JSONExtractString(j),
                arrayFilter(j -> startsWith(j, '"'), JSONExtractArrayRaw(ifNull(_1, '[]')))
            )""",
    )
    found = (f"list_transform({texts[0]}, lambda t: {test[0]})", f"arrayMap(t -> {test[1]}, {texts[1]})")
    return lets(
        (
            """
                CASE
                WHEN list_contains(r, TRUE) THEN TRUE
                WHEN len(list_filter(r, lambda v: v IS NULL)) > 0 THEN NULL
                ELSE FALSE
                END""",
            "multiIf(arrayExists(v -> ifNull(v, FALSE), r), TRUE, arrayExists(v -> v IS NULL, r), NULL, FALSE)",
        ),
        r=found,
    )


IP_ADDRESSES = rows(
    [
        Function(
            "parse_ipv4",
            "string",
            "long",
            sql=network("_0", prefix("_0")),
            aliases=("parseipv4",),
            doc="Convert an IPv4 address, or the network address of a prefix, to a number.",
        ),
        Function(
            "parse_ipv4_mask",
            "string long",
            "long",
            sql=network("_0", least(prefix("_0"), ("_1", "_1"))),
            doc="Convert an IPv4 address, masked to a number of bits, to a number.",
        ),
        Function(
            "ipv4_compare",
            "string string long?",
            "long",
            sql=compared(),
            doc="Compare two IPv4 addresses, masked to the shorter prefix: -1, 0 or 1.",
        ),
        Function(
            "ipv4_is_match",
            "string string long?",
            "bool",
            sql=same(network("_0", SHARED), network("_1", SHARED)),
            doc="Return true if two IPv4 addresses are equal, masked to the shorter prefix.",
        ),
        Function(
            "ipv4_is_in_range",
            "string string",
            "bool",
            sql=in_range("_1"),
            doc="Return true if an IPv4 address is in a range such as 10.0.0.0/8.",
        ),
        Function(
            "ipv4_is_in_any_range",
            "string any*",
            "bool",
            doc="Return true if an IPv4 address is in one of several ranges.",
        ),
        Function(
            "ipv4_is_private",
            "string",
            "bool",
            sql=_private(),
            doc="Return true if an IPv4 address is in a private range: 10/8, 172.16/12 or 192.168/16.",
        ),
        Function(
            "ipv4_netmask_suffix",
            "string",
            "long",
            duckdb=f"CASE WHEN regexp_matches(_0, '{BLOCK}') THEN {prefix('_0')[0]} END",
            clickhouse=f"if(match(_0, '{BLOCK}'), {prefix('_0')[1]}, NULL)",
            doc="Return the prefix length of an IPv4 address; 32 without a prefix.",
        ),
        Function(
            "format_ipv4",
            "any long?",
            "string",
            doc="Return an IPv4 address or number, masked to a number of bits, as text; empty if it is invalid.",
        ),
        Function(
            "format_ipv4_mask",
            "any long?",
            "string",
            doc="Return an IPv4 address or number, masked to a number of bits, as text with its prefix.",
        ),
        Function(
            "format_ipv4_text",
            "string long",
            "string",
            sql=written(network("_0", least(prefix("_0"), ("coalesce(_1, 32)", "ifNull(_1, 32)")))),
        ),
        Function(
            "format_ipv4_text_mask",
            "string long",
            "string",
            sql=suffixed(
                written(network("_0", least(prefix("_0"), ("coalesce(_1, 32)", "ifNull(_1, 32)")))),
                least(prefix("_0"), ("coalesce(_1, 32)", "ifNull(_1, 32)")),
            ),
        ),
        Function("ipv4_of_number", "long", "string", sql=written(("_0", "_0"))),
        Function(
            "has_ipv4",
            "string string",
            "bool",
            sql=has_address("_1"),
            doc="Return true if a text contains an IPv4 address.",
        ),
        Function(
            "has_ipv4_prefix",
            "string string",
            "bool",
            sql=has_beginning("_1"),
            doc='Return true if a text contains an IPv4 address that starts with a prefix such as "10.1.".',
        ),
        Function(
            "has_any_ipv4", "string any*", "bool", doc="Return true if a text contains one of several IPv4 addresses."
        ),
        Function(
            "has_any_ipv4_prefix",
            "string any*",
            "bool",
            doc="Return true if a text contains an IPv4 address that starts with one of several prefixes.",
        ),
        Function(
            "parse_ipv6",
            "string",
            "string",
            sql=grouped6(prefix6("_0")),
            doc="Return an IPv6 or IPv4 address as eight groups of hexadecimal digits; empty if it is invalid.",
        ),
        Function(
            "parse_ipv6_mask",
            "string long",
            "string",
            sql=grouped6(least(prefix6("_0"), ("_1", "_1"))),
            doc="Return an IPv6 or IPv4 address, masked to a number of bits, as eight groups of digits.",
        ),
        Function(
            "ipv6_compare",
            "string string long?",
            "long",
            sql=compared6(),
            doc="Compare two IPv6 or IPv4 addresses, masked to the shorter prefix: -1, 0 or 1.",
        ),
        Function(
            "ipv6_is_match",
            "string string long?",
            "bool",
            sql=same(network6("_0", SHARED6), network6("_1", SHARED6)),
            doc="Return true if two IPv6 or IPv4 addresses are equal, masked to the shorter prefix.",
        ),
        Function(
            "ipv6_is_in_range",
            "string string",
            "bool",
            sql=in_range6("_1"),
            doc="Return true if an IPv6 address is in a range such as fd00::/8.",
        ),
        Function(
            "ipv6_is_in_any_range",
            "string any*",
            "bool",
            doc="Return true if an IPv6 address is in one of several ranges.",
        ),
        *(
            Function(f"{name}_each", "string dynamic", "bool", sql=over_array(test("t")))
            for name, test in TESTS.items()
        ),
    ]
)
