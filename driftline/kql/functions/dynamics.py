"""Dynamic values: JSON text in both engines, SQL's NULL for null."""

from __future__ import annotations

from driftline.kql.functions.lists import elements, lets, numbers, single
from driftline.kql.functions.row import rows

__all__ = ["DYNAMICS", "click_merged", "merged"]

LIST = "CAST(CASE WHEN json_type(_0) = 'ARRAY' THEN _0 END AS JSON[])"
# What is no array counts as an empty one.
SET = [
    f"list_transform(CAST(CASE WHEN json_type({x}) = 'ARRAY' THEN {x} ELSE '[]' END AS JSON[]), lambda e: coalesce(e, CAST('null' AS JSON)))"
    for x in ("_0", "_1")
]
CH_LIST = "JSONExtractArrayRaw(ifNull(_0, '[]'))"
REPEATED = "arrayMap(x -> ifNull(_0, 'null'), range(assumeNotNull(toUInt64(greatest(_1, 0)))))"
CH_JOIN = "concat('[', arrayStringConcat({}, ','), ']')"


def array(duck: str, click: str) -> tuple[str, str]:
    """Apply something to an array; null for what is no array."""
    return f"to_json({duck})", f"if(startsWith(_0, '['), {CH_JOIN.format(click)}, NULL)"


def merged(first: str, second: str) -> str:
    """Join two bags in DuckDB, shallowly and with nulls, which ``json_merge_patch`` would not."""
    pair = "concat(to_json(k), ':', json_extract({bag}, concat('$.', to_json(k))))"
    left = f"list_transform(json_keys({first}), lambda k: {pair.format(bag=first)})"
    rest = f"list_filter(json_keys({second}), lambda k: NOT coalesce(list_contains(json_keys({first}), k), FALSE))"
    right = f"list_transform({rest}, lambda k: {pair.format(bag=second)})"
    return f"CAST(concat('{{', array_to_string(list_concat({left}, {right}), ','), '}}') AS JSON)"


def click_merged(first: str, second: str) -> str:
    """Join two bags in ClickHouse, shallowly and with nulls."""
    rest = f"arrayFilter(p -> NOT has(JSONExtractKeys({first}), tupleElement(p, 1)), JSONExtractKeysAndValuesRaw({second}))"
    pairs = f"arrayConcat(JSONExtractKeysAndValuesRaw({first}), {rest})"
    texts = f"arrayMap(p -> concat(toJSONString(tupleElement(p, 1)), ':', tupleElement(p, 2)), {pairs})"
    return f"concat('{{', arrayStringConcat({texts}, ','), '}}')"


DYNAMICS = rows(
    [
        ("member", "dynamic string", "dynamic", None, None, ""),
        ("element", "dynamic long", "dynamic", None, None, ""),
        (
            "array_length",
            "dynamic",
            "long",
            "CASE WHEN json_type(_0) = 'ARRAY' THEN CAST(json_array_length(_0) AS BIGINT) END",
            "if(startsWith(_0, '['), toInt64(JSONLength(assumeNotNull(_0))), NULL)",
            "Count an array's elements; null for what is none.",
        ),
        (
            "dcount_hll",
            "dynamic",
            "long",
            "coalesce(CASE WHEN json_type(_0) = 'ARRAY' THEN CAST(json_array_length(_0) AS BIGINT) END, 0)",
            "if(startsWith(ifNull(_0, ''), '['), toInt64(JSONLength(assumeNotNull(_0))), 0)",
            "Count what hll collected.",
        ),
        ("percentile_tdigest", "dynamic real any?", "any", None, None, "Give a percentile of what tdigest collected."),
        (
            "percentile_of_numbers",
            "dynamic real",
            "real",
            *lets(
                (
                    "g[CAST(greatest(ceil(len(g) * _1 / 100), 1) AS BIGINT)]",
                    "if(empty(g), NULL, g[toUInt64(greatest(ceil(length(g) * assumeNotNull(_1) / 100), 1))])",
                ),
                g=(f"list_sort({numbers('_0')[0]})", f"arraySort({numbers('_0')[1]})"),
            ),
            "",
        ),
        (
            "percentile_of_texts",
            "dynamic real",
            "dynamic",
            *lets(
                (
                    "g[CAST(greatest(ceil(len(g) * _1 / 100), 1) AS BIGINT)]",
                    "if(empty(g), NULL, g[toUInt64(greatest(ceil(length(g) * assumeNotNull(_1) / 100), 1))])",
                ),
                g=(f"list_sort({elements('_0')[0]})", f"arraySort({elements('_0')[1]})"),
            ),
            "",
        ),
        (
            "percentrank_tdigest",
            "dynamic real",
            "real",
            *lets(
                (
                    "100.0 * len(list_filter(g, lambda e: e <= _1)) / nullif(len(g), 0)",
                    "if(empty(g), NULL, 100.0 * arrayCount(e -> ifNull(e <= _1, FALSE), g) / length(g))",
                ),
                g=numbers("_0"),
            ),
            "Give the percentage of what tdigest collected that is not greater than a value.",
        ),
        ("array_concat", "dynamic*", "dynamic", None, None, "Join arrays."),
        (
            "array_concat_two",
            "dynamic dynamic",
            "dynamic",
            f"to_json(list_concat({SET[0]}, {SET[1]}))",
            CH_JOIN.format("arrayConcat(JSONExtractArrayRaw(ifNull(_0, '[]')), JSONExtractArrayRaw(ifNull(_1, '[]')))"),
            "",
        ),
        (
            "array_reverse",
            "dynamic",
            "dynamic",
            *array(f"list_reverse({LIST})", f"arrayReverse({CH_LIST})"),
            "Reverse an array.",
        ),
        (
            "array_slice",
            "dynamic long long",
            "dynamic",
            f"CASE WHEN _1 IS NOT NULL AND _2 IS NOT NULL THEN to_json(array_slice({LIST}, CASE WHEN _1 < 0 THEN greatest(json_array_length(_0) + _1, 0) ELSE _1 END + 1, CASE WHEN _2 < 0 THEN json_array_length(_0) + _2 ELSE _2 END + 1)) END",
            f"if(_1 IS NOT NULL AND _2 IS NOT NULL AND startsWith(_0, '['), {CH_JOIN.format(f'arraySlice({CH_LIST}, if(_1 < 0, greatest(toInt64(JSONLength(assumeNotNull(_0))) + _1, 0), _1) + 1, greatest(if(_2 < 0, toInt64(JSONLength(assumeNotNull(_0))) + _2, _2) - if(_1 < 0, greatest(toInt64(JSONLength(assumeNotNull(_0))) + _1, 0), _1) + 1, 0))')}, NULL)",
            "Cut out elements from one place to another, both included.",
        ),
        (
            "array_sum",
            "dynamic",
            "real",
            *single(("coalesce(list_sum(a), 0)", "arraySum(a)"), "_0"),
            "Add up an array; null if it holds what is no number.",
        ),
        ("array_strcat", "dynamic text", "string", None, None, "Join an array's elements with a delimiter."),
        (
            "strcat_array",
            "dynamic text",
            "string",
            "coalesce(array_to_string(list_transform(CAST(CASE WHEN json_type(_0) = 'ARRAY' THEN _0 END AS JSON[]), lambda x: coalesce(json_extract_string(x, '$'), '')), _1), '')",
            f"arrayStringConcat(arrayMap(x -> multiIf(x = 'null', '', startsWith(x, '\"'), JSONExtractString(x), x), {CH_LIST}), _1)",
            "Join an array's elements with a delimiter.",
        ),
        (
            "set_has_element",
            "dynamic json",
            "bool",
            f"coalesce(list_contains({LIST}, CAST(_1 AS JSON)), FALSE)",
            f"has({CH_LIST}, assumeNotNull(_1)) = 1",
            "Say whether an array holds a value.",
        ),
        ("set_union", "dynamic*", "dynamic", None, None, "Give the distinct elements of arrays."),
        (
            "set_distinct",
            "dynamic",
            "dynamic",
            f"to_json(list_filter({LIST}, lambda x, i: list_position({LIST}, x) = i))",
            CH_JOIN.format(f"arrayDistinct({CH_LIST})"),
            "",
        ),
        (
            "set_intersect_two",
            "dynamic dynamic",
            "dynamic",
            f"to_json(list_filter({SET[0]}, lambda x, i: list_contains({SET[1]}, x) AND list_position({SET[0]}, x) = i))",
            CH_JOIN.format(
                "arrayDistinct(arrayFilter(x -> has(JSONExtractArrayRaw(ifNull(_1, '[]')), x), JSONExtractArrayRaw(ifNull(_0, '[]'))))"
            ),
            "",
        ),
        ("set_intersect", "dynamic*", "dynamic", None, None, "Give the distinct elements that are in every array."),
        (
            "set_difference_two",
            "dynamic dynamic",
            "dynamic",
            f"to_json(list_filter({SET[0]}, lambda x, i: NOT list_contains({SET[1]}, x) AND list_position({SET[0]}, x) = i))",
            CH_JOIN.format(
                "arrayDistinct(arrayFilter(x -> NOT has(JSONExtractArrayRaw(ifNull(_1, '[]')), x), JSONExtractArrayRaw(ifNull(_0, '[]'))))"
            ),
            "",
        ),
        (
            "set_difference",
            "dynamic*",
            "dynamic",
            None,
            None,
            "Give the distinct elements of the first array that are in no other.",
        ),
        ("pack_array", "json*", "dynamic", None, None, "Make an array of values."),
        ("bag_pack", "any*", "dynamic", None, None, "Make a property bag of names and values."),
        (
            "bag_keys",
            "dynamic",
            "dynamic",
            "CASE WHEN json_type(_0) = 'OBJECT' THEN to_json(json_keys(_0)) END",
            "if(startsWith(_0, '{'), toJSONString(JSONExtractKeys(assumeNotNull(_0))), NULL)",
            "List a bag's names.",
        ),
        (
            "bag_has_key",
            "dynamic string",
            "bool",
            "coalesce(list_contains(json_keys(_0), _1), FALSE)",
            "has(JSONExtractKeys(ifNull(_0, '{}')), _1) = 1",
            "Say whether a bag has a name.",
        ),
        ("bag_merge", "dynamic*", "dynamic", None, None, "Join bags; the first to have a name wins."),
        (
            "bag_merge_two",
            "dynamic dynamic",
            "dynamic",
            merged("_0", "_1"),
            click_merged("ifNull(_0, '{}')", "ifNull(_1, '{}')"),
            "",
        ),
        ("gettype", "any", "string", None, None, "Name a value's type."),
        (
            "type_of_dynamic",
            "dynamic",
            "string",
            "CASE json_type(_0) WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'dictionary' WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'bool' WHEN 'DOUBLE' THEN 'double' WHEN 'UBIGINT' THEN 'long' WHEN 'BIGINT' THEN 'long' ELSE 'null' END",
            "multiIf(_0 IS NULL, 'null', startsWith(_0, '['), 'array', startsWith(_0, '{'), 'dictionary', startsWith(_0, '\"'), 'string', _0 IN ('true', 'false'), 'bool', match(_0, '[.eE]'), 'double', 'long')",
            "",
        ),
        (
            "dynamic_to_json",
            "json",
            "string",
            "coalesce(CAST(_0 AS TEXT), 'null')",
            "ifNull(_0, 'null')",
            "Write a value as JSON.",
        ),
        ("extract_json_path", "string dynamic", "dynamic", None, None, ""),
        ("array_has_any_term", "dynamic json", "bool", "FALSE", "=", ""),
        (
            "zip_two",
            "dynamic dynamic",
            "dynamic",
            "to_json(list_transform(list_zip(CAST(_0 AS JSON[]), CAST(_1 AS JSON[])), lambda x: [x[1], x[2]]))",
            None,
            "",
        ),
        (
            "repeat_array",
            "json long",
            "dynamic",
            "CASE WHEN _1 >= 0 THEN to_json(list_transform(generate_series(1, _1), lambda x: _0)) END",
            f"if(_1 >= 0, {CH_JOIN.format(REPEATED)}, NULL)",
            "",
        ),
        (
            "in_array",
            "json dynamic",
            "bool",
            "coalesce(list_contains(CAST(CASE WHEN json_type(_1) = 'ARRAY' THEN _1 ELSE json_array(_1) END AS JSON[]), CAST(_0 AS JSON)), FALSE)",
            "has(JSONExtractArrayRaw(ifNull(_1, '[]')), assumeNotNull(_0)) = 1",
            "",
        ),
    ]
)
DYNAMICS = {
    name: row
    for name, row in DYNAMICS.items()
    if name not in {"array_strcat", "extract_json_path", "array_has_any_term"}
}
