"""Registration of SQL functions that DuckDB lacks, computed in the hunt's process.

The SQL that ``driftline.kql`` writes calls them by the names in ``_FUNCTIONS``. They take and return
texts and numbers; dynamic values are JSON texts. A value that cannot be computed is null.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import math
import zlib
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import xxhash
from duckdb.func import FunctionNullHandling
from duckdb.sqltypes import BIGINT, BOOLEAN, DOUBLE, VARCHAR, DuckDBPyType

from driftline.store.udf import autocluster, components, distributions, geography, reduce, series, xml

__all__ = ["register_functions"]

# Bounds of one value, for the input is untrusted: paths of a document, bytes of an unpacked text.
_MOST_PATHS = 100_000
_MOST_BYTES = 1 << 20


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions callable in the SQL of a connection.

    Functions get nulls as None, because several of Kusto's return a value for null.
    """
    for name, (function, parameters, result) in _FUNCTIONS.items():
        connection.create_function(name, function, parameters, result, null_handling=FunctionNullHandling.SPECIAL)


def _hash_text(text: str | None) -> int | None:
    return None if text is None else _signed(xxhash.xxh64_intdigest(text.encode()))


def _hash_long(number: int | None) -> int | None:
    return None if number is None else _signed(xxhash.xxh64_intdigest(number.to_bytes(8, "little", signed=True)))


# Kusto's hash() returns a signed long; xxHash64 is unsigned (https://learn.microsoft.com/kusto/query/hash-function).
def _signed(digest: int) -> int:
    return digest - (1 << 64) if digest >> 63 else digest


# The fewest networks in CIDR notation that cover an address range exactly.
def _ipv4_ranges(first: str | None, last: str | None) -> str | None:
    try:
        ends = ipaddress.IPv4Address(first or ""), ipaddress.IPv4Address(last or "")
        found = [str(network) for network in ipaddress.summarize_address_range(*ends)]
    except ValueError:
        return None
    return json.dumps(found, separators=(",", ":"))


# RFC 3492; the domain functions convert each label, with the prefix xn-- of RFC 5890.
def _punycode(text: str | None, direction: str | None) -> str:
    try:
        return _CODES[direction or ""](text or "")
    except (UnicodeError, IndexError, OverflowError):
        return ""


def _domain_parts(convert: Callable[[str], str]) -> Callable[[str], str]:
    return lambda domain: ".".join(convert(part) for part in domain.split("."))


def _from_punycode(text: str) -> str:
    return text.encode("ascii").decode("punycode")


def _to_punycode(text: str) -> str:
    return text.encode("punycode").decode()


_CODES: dict[str, Callable[[str], str]] = {
    "to_string": _from_punycode,
    "from_string": _to_punycode,
    "domain_to_string": _domain_parts(
        lambda part: _from_punycode(part[4:]) if part.lower().startswith("xn--") else part
    ),
    "domain_from_string": _domain_parts(lambda part: part if part.isascii() else f"xn--{_to_punycode(part)}"),
}


# https://learn.microsoft.com/kusto/query/treepath-function
def _tree_paths(text: str | None) -> str | None:
    value = _parse_json(text)
    if not isinstance(value, (dict, list)):
        return None
    found = [path for path, _ in zip(_paths(value, ""), range(_MOST_PATHS), strict=False)]
    return json.dumps(list(dict.fromkeys(found)), ensure_ascii=False, separators=(",", ":"))


# All elements of an array share the path ``[0]``; an array has a path of its own besides.
def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            quoted = name.replace("\\", "\\\\").replace("'", "\\'")
            yield from _paths(inner, f"{path}['{quoted}']")
        return
    yield path or "[]"
    if isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{path}[0]")


def _parse_json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


# Few hunts need these libraries, which are loaded at the first call.
def _place_of(address: str | None) -> str | None:
    from driftline.store.udf import geoip  # noqa: PLC0415 -- as above

    return geoip.place_of(address)


def _user_agent(text: str | None, sought: str | None) -> str | None:
    from driftline.store.udf import user_agents  # noqa: PLC0415 -- as above

    return user_agents.parsed(text, sought)


# The engine stops at an unknown time zone.
def _known_zone(name: str | None) -> str | None:
    return name if name in _ZONES else None


_ZONES = zoneinfo.available_timezones()


# The properties of each bag in the order of their names, at every depth.
def _canonical(text: str | None) -> str:
    try:
        return json.dumps(json.loads(text or "null"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return text or "null"


def _schema(text: str | None) -> str | None:
    """Return the schema that admits all values of an array: https://learn.microsoft.com/kusto/query/buildschema-aggregation-function."""
    values = _parse_json(text)
    if not isinstance(values, list):
        return None
    found = _merge_schemas(_schema_of(value) for value in values if value is not None)
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _schema_of(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _schema_of(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return {"`indexer`": _merge_schemas(map(_schema_of, value))} if value else {"`indexer`": []}
    return _KINDS.get(type(value), "null")


_KINDS = {bool: "bool", int: "long", float: "double", str: "string"}


# One schema if all are alike; else an array: the names of simple types in order, then one schema for all containers.
def _merge_schemas(schemas: Iterator[Any] | map[Any]) -> Any:
    simple: set[str] = set()
    container: dict[str, Any] = {}
    for schema in schemas:
        for each in schema if isinstance(schema, list) else [schema]:
            if isinstance(each, dict):
                container = {name: _merge_property(container, each, name) for name in {**container, **each}}
            else:
                simple.add(each)
    every = [*sorted(simple), *([container] if container else [])]
    return every[0] if len(every) == 1 else every


def _merge_property(one: dict[str, Any], other: dict[str, Any], name: str) -> Any:
    return _merge_schemas(iter([each[name] for each in (one, other) if name in each]))


def _replace_strings(text: str | None, lookups: str | None, rewrites: str | None) -> str:
    """Replace several texts in their order; a replacement is not searched again.

    https://learn.microsoft.com/kusto/query/replace-strings-function
    """
    sought, instead = _parse_json(lookups), _parse_json(rewrites)
    if text is None or not isinstance(sought, list) or not isinstance(instead, list) or len(sought) != len(instead):
        return ""
    pieces = [(text, False)]
    for word, other in zip(sought, instead, strict=True):
        if isinstance(word, str) and word:
            taken = other if isinstance(other, str) else word
            pieces = [part for piece in pieces for part in ([piece] if piece[1] else _split_at(piece[0], word, taken))]
    return "".join(part for part, _ in pieces)


# Splits a text at a word; the flag marks pieces that are replacements.
def _split_at(text: str, word: str, taken: str) -> list[tuple[str, bool]]:
    parts = [(part, False) for part in text.split(word)]
    return [each for part in parts for each in ((taken, True), part)][1:]


def _compress(text: str | None, kind: str | None) -> str:
    packer = zlib.compressobj(wbits=_WINDOWS[kind or ""])
    return base64.b64encode(packer.compress((text or "").encode()) + packer.flush()).decode()


# Bounded while unpacking: a few bytes can unpack to gigabytes.
def _decompress(text: str | None, kind: str | None) -> str:
    try:
        unpacker = zlib.decompressobj(_WINDOWS[kind or ""])
        data = unpacker.decompress(base64.b64decode(text or "", validate=True), _MOST_BYTES)
        return data.decode() if unpacker.eof else ""
    except (ValueError, zlib.error):
        return ""


_WINDOWS = {"zlib": zlib.MAX_WBITS, "gzip": zlib.MAX_WBITS | 16}


# erfc is not 1 - erf for large values, where the difference would lose all digits.
def _erf(value: float | None, complement: bool | None) -> float | None:
    if value is None:
        return None
    return math.erfc(value) if complement else math.erf(value)


_FUNCTIONS: dict[str, tuple[Callable[..., Any], list[Any], DuckDBPyType]] = {
    "xml_to_json": (xml.parse_xml, [VARCHAR], VARCHAR),
    "hash_text": (_hash_text, [VARCHAR], BIGINT),
    "hash_whole": (_hash_long, [BIGINT], BIGINT),
    "ipv4_ranges": (_ipv4_ranges, [VARCHAR, VARCHAR], VARCHAR),
    "punycode": (_punycode, [VARCHAR, VARCHAR], VARCHAR),
    "clustered": (autocluster.find_patterns, [VARCHAR, DOUBLE, BIGINT], VARCHAR),
    "marked_components": (components.mark_components, [VARCHAR, BOOLEAN], VARCHAR),
    "reduced": (reduce.reduce_texts, [VARCHAR, DOUBLE, VARCHAR], VARCHAR),
    "reduced_patterns": (reduce.assign_patterns, [VARCHAR, DOUBLE, VARCHAR], VARCHAR),
    "tree_paths": (_tree_paths, [VARCHAR], VARCHAR),
    "place_of_address": (_place_of, [VARCHAR], VARCHAR),
    "parsed_user_agent": (_user_agent, [VARCHAR, VARCHAR], VARCHAR),
    "known_zone": (_known_zone, [VARCHAR], VARCHAR),
    "canonical_json": (_canonical, [VARCHAR], VARCHAR),
    "built_schema": (_schema, [VARCHAR], VARCHAR),
    "replaced_texts": (_replace_strings, [VARCHAR, VARCHAR, VARCHAR], VARCHAR),
    "compressed": (_compress, [VARCHAR, VARCHAR], VARCHAR),
    "decompressed": (_decompress, [VARCHAR, VARCHAR], VARCHAR),
    "error_function": (_erf, [DOUBLE, BOOLEAN], DOUBLE),
    "beta_cdf": (distributions.beta_cdf, [DOUBLE] * 3, DOUBLE),
    "beta_inv": (distributions.beta_inv, [DOUBLE] * 3, DOUBLE),
    "beta_pdf": (distributions.beta_pdf, [DOUBLE] * 3, DOUBLE),
    "welch_test": (distributions.welch_test, [DOUBLE] * 6, DOUBLE),
    "series_transformed": (series.fourier_transform, [VARCHAR, VARCHAR, BOOLEAN], VARCHAR),
    "series_periods": (series.find_periods, [VARCHAR, DOUBLE, DOUBLE, BIGINT], VARCHAR),
    "series_validated": (series.validate_periods, [VARCHAR, VARCHAR], VARCHAR),
    "series_fitted": (series.fit_polynomial, [VARCHAR, VARCHAR, BIGINT], VARCHAR),
    **geography.FUNCTIONS,
}
