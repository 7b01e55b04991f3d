"""Dynamic values: JSON text in both engines, with SQL's NULL for null."""

from __future__ import annotations

from driftline.kql.functions.row import Function, Growth, rows
from driftline.kql.functions.sql_lists import elements, let, lets, numbers, single

__all__ = ["JSON", "click_merged", "first_properties", "merged"]

LIST = "CAST(CASE WHEN json_type(_0) = 'ARRAY' THEN _0 END AS JSON[])"
# The elements of both arguments, null as JSON's null; an argument that is not an array counts as empty.
SET = [
    f"""
        list_transform(
            CAST(CASE WHEN json_type({x}) = 'ARRAY' THEN {x} ELSE '[]' END AS JSON[]),
            lambda e: coalesce(e, CAST('null' AS JSON))
        )"""
    for x in ("_0", "_1")
]
CH_LIST = "JSONExtractArrayRaw(ifNull(_0, '[]'))"
REPEATED = "arrayMap(x -> ifNull(_0, 'null'), range(assumeNotNull(toUInt64(greatest(_1, 0)))))"
CH_JOIN = "concat('[', arrayStringConcat({}, ','), ']')"

CLICK_START = "if(_1 < 0, greatest(toInt64(JSONLength(assumeNotNull(_0))) + _1, 0), _1)"
CLICK_END = "if(_2 < 0, toInt64(JSONLength(assumeNotNull(_0))) + _2, _2)"
CLICK_SLICE = f"arraySlice({CH_LIST}, {CLICK_START} + 1, greatest({CLICK_END} - {CLICK_START} + 1, 0))"


def array(duck: str, click: str) -> tuple[str, str]:
    """Return the templates that write a list as an array; null if the argument is not an array."""
    return f"to_json({duck})", f"if(startsWith(_0, '['), {CH_JOIN.format(click)}, NULL)"


def merged(first: str, second: str) -> str:
    """Return DuckDB's template that merges two bags, not recursively.

    ``json_merge_patch`` would merge nested bags and drop nulls.
    """
    pair = "concat(to_json(k), ':', json_extract({bag}, concat('$.', to_json(k))))"
    left = f"list_transform(json_keys({first}), lambda k: {pair.format(bag=first)})"
    rest = f"list_filter(json_keys({second}), lambda k: NOT coalesce(list_contains(json_keys({first}), k), FALSE))"
    right = f"list_transform({rest}, lambda k: {pair.format(bag=second)})"
    return f"CAST(concat('{{', array_to_string(list_concat({left}, {right}), ','), '}}') AS JSON)"


def click_merged(first: str, second: str) -> str:
    """Return ClickHouse's template that merges two bags, not recursively."""
    rest = f"""
        arrayFilter(
            p -> NOT has(JSONExtractKeys({first}), tupleElement(p, 1)), JSONExtractKeysAndValuesRaw({second})
        )"""
    pairs = f"arrayConcat(JSONExtractKeysAndValuesRaw({first}), {rest})"
    texts = f"arrayMap(p -> concat(toJSONString(tupleElement(p, 1)), ':', tupleElement(p, 2)), {pairs})"
    return f"concat('{{', arrayStringConcat({texts}, ','), '}}')"


def first_properties(duck: str, click: str) -> tuple[str, str]:
    """Return the templates of a bag that is cut to its first ``_1`` properties."""
    pair = "concat(to_json(k), ':', json_extract(b, concat('$.', to_json(k))))"
    kept = f"array_to_string(list_transform(array_slice(json_keys(b), 1, _1), lambda k: {pair}), ',')"
    pairs = "arraySlice(JSONExtractKeysAndValuesRaw(b), 1, greatest(_1, 0))"
    texts = f"arrayMap(p -> concat(toJSONString(tupleElement(p, 1)), ':', tupleElement(p, 2)), {pairs})"
    return let(
        "b",
        (duck, click),
        (
            f"CASE WHEN len(json_keys(b)) <= _1 THEN b ELSE CAST(concat('{{', {kept}, '}}') AS JSON) END",
            f"if(JSONLength(b) <= _1, b, concat('{{', arrayStringConcat({texts}, ','), '}}'))",
        ),
    )


DEEPEST = 4  # levels of a document whose properties ClickHouse sorts


def sorted_names(text: str, level: int = 0) -> str:
    """Return ClickHouse's template of a JSON text whose bags are sorted by name, down to ``DEEPEST`` levels.

    Elements of arrays and properties of bags are both made pairs of a name and a text, so that the next level stands
    once in the template.
    """
    is_container = f"match({text}, '^[{{[]')"
    if level == DEEPEST:
        return f"if(throwIf({is_container}, 'more than {DEEPEST} levels') = 0, {text}, '')"
    pair = f"p{level}"
    name = f"if(startsWith({text}, '{{'), concat(toJSONString(tupleElement({pair}, 1)), ':'), '')"
    inner = sorted_names(f"tupleElement({pair}, 2)", level + 1)
    return f"""
        if(
            {is_container},
            concat(
                substring({text}, 1, 1),
                arrayStringConcat(
                    arrayMap(
                        {pair} -> concat({name}, {inner}),
                        if(
                            startsWith({text}, '{{'),
                            arraySort(q -> tupleElement(q, 1), JSONExtractKeysAndValuesRaw({text})),
                            arrayMap(q -> tuple('', q), JSONExtractArrayRaw({text}))
                        )
                    ),
                    ','
                ),
                right({text}, 1)
            ),
            {text}
        )"""


JSON = rows(
    [
        Function("member", "dynamic string", "dynamic", reads_property=True),
        Function("element", "dynamic long", "dynamic", argument_uses=2, reads_property=True),
        Function(
            "array_length",
            "dynamic",
            "long",
            duckdb="CASE WHEN json_type(_0) = 'ARRAY' THEN CAST(json_array_length(_0) AS BIGINT) END",
            clickhouse="if(startsWith(_0, '['), toInt64(JSONLength(assumeNotNull(_0))), NULL)",
            aliases=("arraylength",),
            doc="Return the number of elements of an array; null for another value.",
        ),
        Function(
            "dcount_hll",
            "dynamic",
            "long",
            duckdb="coalesce(CASE WHEN json_type(_0) = 'ARRAY' THEN CAST(json_array_length(_0) AS BIGINT) END, 0)",
            clickhouse="if(startsWith(ifNull(_0, ''), '['), toInt64(JSONLength(assumeNotNull(_0))), 0)",
            doc="Return the number of distinct values that hll collected.",
        ),
        Function(
            "percentile_tdigest",
            "dynamic real any?",
            "any",
            column_name="percentile_tdigest_{0}",
            doc="Return a percentile of the values that tdigest collected.",
        ),
        Function(
            "percentile_of_numbers",
            "dynamic real",
            "real",
            sql=lets(
                (
                    "g[CAST(greatest(ceil(len(g) * _1 / 100), 1) AS BIGINT)]",
                    "if(empty(g), NULL, g[toUInt64(greatest(ceil(length(g) * assumeNotNull(_1) / 100), 1))])",
                ),
                g=(f"list_sort({numbers('_0')[0]})", f"arraySort({numbers('_0')[1]})"),
            ),
        ),
        Function(
            "percentile_of_texts",
            "dynamic real",
            "dynamic",
            sql=lets(
                (
                    "g[CAST(greatest(ceil(len(g) * _1 / 100), 1) AS BIGINT)]",
                    "if(empty(g), NULL, g[toUInt64(greatest(ceil(length(g) * assumeNotNull(_1) / 100), 1))])",
                ),
                g=(f"list_sort({elements('_0')[0]})", f"arraySort({elements('_0')[1]})"),
            ),
        ),
        Function(
            "percentrank_tdigest",
            "dynamic real",
            "real",
            sql=lets(
                (
                    "100.0 * len(list_filter(g, lambda e: e <= _1)) / nullif(len(g), 0)",
                    "if(empty(g), NULL, 100.0 * arrayCount(e -> ifNull(e <= _1, FALSE), g) / length(g))",
                ),
                g=numbers("_0"),
            ),
            doc="Return the percentage of the values that tdigest collected which are not greater than a value.",
        ),
        Function("array_concat", "dynamic*", "dynamic", doc="Concatenate arrays."),
        Function(
            "array_concat_two",
            "dynamic dynamic",
            "dynamic",
            duckdb=f"to_json(list_concat({SET[0]}, {SET[1]}))",
            clickhouse=CH_JOIN.format(
                "arrayConcat(JSONExtractArrayRaw(ifNull(_0, '[]')), JSONExtractArrayRaw(ifNull(_1, '[]')))"
            ),
        ),
        Function(
            "array_reverse",
            "dynamic",
            "dynamic",
            sql=array(f"list_reverse({LIST})", f"arrayReverse({CH_LIST})"),
            doc="Reverse the order of the elements.",
        ),
        Function(
            "array_slice",
            "dynamic long long",
            "dynamic",
            duckdb=f"""
                CASE
                WHEN _1 IS NOT NULL AND _2 IS NOT NULL
                    THEN to_json(
                        array_slice(
                            {LIST},
                            CASE WHEN _1 < 0 THEN greatest(json_array_length(_0) + _1, 0) ELSE _1 END + 1,
                            CASE WHEN _2 < 0 THEN json_array_length(_0) + _2 ELSE _2 END + 1
                        )
                    )
                END""",
            clickhouse=f"""
                if(
                    _1 IS NOT NULL AND _2 IS NOT NULL AND startsWith(_0, '['),
                    {CH_JOIN.format(CLICK_SLICE)},
                    NULL
                )""",
            doc="Return the elements from a start index to an end index, both included.",
        ),
        Function(
            "array_sum",
            "dynamic",
            "real",
            sql=single(("coalesce(list_sum(a), 0)", "arraySum(a)"), "_0"),
            doc="Return the sum of an array; null if an element is not a number.",
        ),
        Function(
            "strcat_array",
            "dynamic text",
            "string",
            duckdb="""
                coalesce(
                    array_to_string(
                        list_transform(
                            CAST(CASE WHEN json_type(_0) = 'ARRAY' THEN _0 END AS JSON[]),
                            lambda x: coalesce(json_extract_string(x, '$'), '')
                        ),
                        _1
                    ),
                    ''
                )""",
            clickhouse=f"""
                arrayStringConcat(
                    arrayMap(
                        x -> multiIf(x = 'null', '', startsWith(x, '"'), JSONExtractString(x), x), {CH_LIST}
                    ),
                    _1
                )""",
            aliases=("array_strcat",),
            growth=Growth.DELIMITED_ARRAY,
            doc="Concatenate the elements of an array as one string, with a delimiter.",
        ),
        Function(
            "set_has_element",
            "dynamic json",
            "bool",
            duckdb=f"coalesce(list_contains({LIST}, CAST(_1 AS JSON)), FALSE)",
            clickhouse=f"has({CH_LIST}, assumeNotNull(_1)) = 1",
            doc="Return true if an array has an element.",
        ),
        Function("set_union", "dynamic*", "dynamic", doc="Return the distinct elements of all arrays."),
        Function(
            "set_distinct",
            "dynamic",
            "dynamic",
            duckdb=f"to_json(list_filter({LIST}, lambda x, i: list_position({LIST}, x) = i))",
            clickhouse=CH_JOIN.format(f"arrayDistinct({CH_LIST})"),
        ),
        Function(
            "set_intersect_two",
            "dynamic dynamic",
            "dynamic",
            duckdb=f"""
                to_json(
                    list_filter(
                        {SET[0]}, lambda x, i: list_contains({SET[1]}, x) AND list_position({SET[0]}, x) = i
                    )
                )""",
            clickhouse=(
                CH_JOIN.format(
                    """
                        arrayDistinct(
                            arrayFilter(
                                x -> has(JSONExtractArrayRaw(ifNull(_1, '[]')), x),
                                JSONExtractArrayRaw(ifNull(_0, '[]'))
                            )
                        )"""
                )
            ),
        ),
        Function("set_intersect", "dynamic*", "dynamic", doc="Return the distinct elements that are in all arrays."),
        Function(
            "set_difference_two",
            "dynamic dynamic",
            "dynamic",
            duckdb=f"""
                to_json(
                    list_filter(
                        {SET[0]}, lambda x, i: NOT list_contains({SET[1]}, x) AND list_position({SET[0]}, x) = i
                    )
                )""",
            clickhouse=(
                CH_JOIN.format(
                    """
                        arrayDistinct(
                            arrayFilter(
                                x -> NOT has(JSONExtractArrayRaw(ifNull(_1, '[]')), x),
                                JSONExtractArrayRaw(ifNull(_0, '[]'))
                            )
                        )"""
                )
            ),
        ),
        Function(
            "set_difference",
            "dynamic*",
            "dynamic",
            doc="Return the distinct elements of the first array that are in no other array.",
        ),
        Function("pack_array", "json*", "dynamic", growth=2, doc="Return an array of the arguments."),
        Function(
            "bag_pack",
            "any*",
            "dynamic",
            aliases=("pack", "pack_dictionary"),
            growth=2,
            doc="Return a property bag of keys and values, given in turn.",
        ),
        Function(
            "bag_keys",
            "dynamic",
            "dynamic",
            duckdb="CASE WHEN json_type(_0) = 'OBJECT' THEN to_json(json_keys(_0)) END",
            clickhouse="if(startsWith(_0, '{'), toJSONString(JSONExtractKeys(assumeNotNull(_0))), NULL)",
            doc="Return the keys of a property bag.",
        ),
        Function(
            "bag_has_key",
            "dynamic string",
            "bool",
            duckdb="coalesce(list_contains(json_keys(_0), _1), FALSE)",
            clickhouse="has(JSONExtractKeys(ifNull(_0, '{}')), _1) = 1",
            doc="Return true if a property bag has a key.",
        ),
        Function(
            "bag_merge",
            "dynamic*",
            "dynamic",
            doc="Merge property bags; the first bag that has a key determines its value.",
        ),
        Function(
            "bag_merge_two",
            "dynamic dynamic",
            "dynamic",
            duckdb=merged("_0", "_1"),
            clickhouse=click_merged("ifNull(_0, '{}')", "ifNull(_1, '{}')"),
        ),
        Function(
            "column_names_of", "any", "dynamic", doc="Return the names of a table's columns, for `project-by-names`."
        ),
        Function("gettype", "any", "string", doc="Return the name of a value's type."),
        Function(
            "type_of_dynamic",
            "dynamic",
            "string",
            duckdb="""
                CASE json_type(_0)
                WHEN 'ARRAY' THEN 'array'
                WHEN 'OBJECT' THEN 'dictionary'
                WHEN 'VARCHAR' THEN 'string'
                WHEN 'BOOLEAN' THEN 'bool'
                WHEN 'DOUBLE' THEN 'double'
                WHEN 'UBIGINT' THEN 'long'
                WHEN 'BIGINT' THEN 'long'
                ELSE 'null'
                END""",
            clickhouse="""
                multiIf(
                    _0 IS NULL, 'null', startsWith(_0, '['), 'array', startsWith(_0, '{'), 'dictionary',
                    startsWith(_0, '"'), 'string', _0 IN ('true', 'false'), 'bool', match(_0, '[.eE]'),
                    'double', 'long'
                )""",
        ),
        Function(
            "dynamic_to_json",
            "json",
            "string",
            duckdb="canonical_json(CAST(_0 AS VARCHAR))",
            clickhouse=let("d", ("", "ifNull(_0, 'null')"), ("", sorted_names("d")))[1],
            growth=2,
            doc="Convert a value to its JSON text, with the properties of each bag sorted by name.",
        ),
        Function(
            "zip_two",
            "dynamic dynamic",
            "dynamic",
            duckdb="to_json(list_transform(list_zip(CAST(_0 AS JSON[]), CAST(_1 AS JSON[])), lambda x: [x[1], x[2]]))",
            only_on="duckdb",
            used_by="zip",
            growth=2,
        ),
        Function(
            "repeat_array",
            "json long",
            "dynamic",
            duckdb="CASE WHEN _1 >= 0 THEN to_json(list_transform(generate_series(1, _1), lambda x: _0)) END",
            clickhouse=f"if(_1 >= 0, {CH_JOIN.format(REPEATED)}, NULL)",
            growth=Growth.REPEATED,
        ),
        Function(
            "in_array",
            "json dynamic",
            "bool",
            duckdb="""
                coalesce(
                    list_contains(
                        CAST(CASE WHEN json_type(_1) = 'ARRAY' THEN _1 ELSE json_array(_1) END AS JSON[]),
                        CAST(_0 AS JSON)
                    ),
                    FALSE
                )""",
            clickhouse="has(JSONExtractArrayRaw(ifNull(_1, '[]')), assumeNotNull(_0)) = 1",
        ),
    ]
)
