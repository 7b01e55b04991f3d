"""Functions that only plans call: the binder and the rewrites make them, and no query can name them."""

from __future__ import annotations

from driftline.kql.functions.row import Function, Growth, rows

__all__ = ["PLAN_ONLY"]

TOO_LONG = "an array or a range of more elements than may be made"
# A bag as the list of its properties, each a bag with one key.
BAG_TEXTS = """
    list_transform(
        json_keys(_0),
        lambda k: CAST(json_object(k, json_extract(_0, concat('$."', k, '"'))) AS VARCHAR)
    )"""
CLICK_TEXTS = """
    multiIf(
        _0 IS NULL, [NULL],
        startsWith(_0, '['),
        arrayMap(
            x -> if(startsWith(x, '"'), JSONExtractString(x), nullIf(x, 'null')),
            JSONExtractArrayRaw(ifNull(_0, '[]'))
        ),
        startsWith(_0, '{'),
        arrayMap(
            x -> toNullable(concat('{', toJSONString(tupleElement(x, 1)), ':', tupleElement(x, 2), '}')),
            JSONExtractKeysAndValuesRaw(ifNull(_0, '{}'))
        ),
        [if(startsWith(_0, '"'), JSONExtractString(assumeNotNull(_0)), _0)]
    )"""
# ILIKE, into which ``driftline.kql.dialects.duckdb`` turns ``has`` and ``term``, looks at all rows.
HAS = (
    "contains(lower(_0), _2) AND regexp_matches(_0, _1)",
    "positionCaseInsensitiveUTF8(_0, _2) > 0 AND match(_0, _1)",
)

PLAN_ONLY = rows(
    [
        Function("and", "bool*", "bool", symbol="and"),
        Function("or", "bool*", "bool", symbol="or"),
        Function("no_value", "any", "same", duckdb="nullif(_0, _0)", clickhouse="nullIf(_0, _0)"),
        Function(
            "same",
            "any any",
            "bool",
            duckdb="_0 IS NOT DISTINCT FROM _1",
            clickhouse="_0 = _1 OR (_0 IS NULL AND _1 IS NULL)",
        ),
        Function(
            "in", "any any*", "bool", in_filter="infilter", any_of=True, term_bounds=(True, True), argument_uses=2
        ),
        Function(
            "infilter",
            "any any*",
            "bool",
            false_if_empty=True,
            equality=True,
            any_of=True,
            term_bounds=(True, True),
        ),
        Function(
            "has",
            "string string string",
            "bool",
            sql=HAS,
            among_few_rows="has_of_few",
            false_if_empty=True,
            term_bounds=(True, True),
        ),
        Function("has_of_few", "string string string", "bool", sql=HAS, term_bounds=(True, True)),
        Function("term_of_few", "string string string", "bool", sql=HAS, term_bounds="pattern"),
        Function(
            "has_cs",
            "string string string",
            "bool",
            duckdb="contains(_0, _2) AND regexp_matches(_0, _1)",
            clickhouse="hasToken(_0, _2)",
            false_if_empty=True,
            term_bounds=(True, True),
        ),
        Function("list_json_ordered", "any long any*", "dynamic", growth=Growth.GROUP),
        Function(
            "list_json_all",
            "dynamic any",
            "dynamic",
            duckdb="to_json(list(_0 ORDER BY _1))",
            clickhouse="""
                concat(
                    '[',
                    arrayStringConcat(
                        arrayMap(x -> tupleElement(x, 2), arraySort(groupArray(tuple(_1, ifNull(_0, 'null'))))),
                        ','
                    ),
                    ']'
                )""",
            growth=Growth.GROUP,
        ),
        Function("extract_all_groups", "string string string*", "dynamic", argument_uses=2),
        # The list of elements or properties that mv-expand and mv-apply turn into rows.
        Function(
            "expand_list",
            "dynamic",
            "dynamic",
            duckdb="""
                CASE json_type(_0)
                WHEN 'ARRAY' THEN CAST(_0 AS JSON[])
                WHEN 'OBJECT' THEN list_transform(
                    json_keys(_0),
                    lambda k: json_object(k, json_extract(_0, concat('$."', k, '"')))
                )
                ELSE [nullif(_0, 'null')]
                END""",
            clickhouse="""
                multiIf(
                    _0 IS NULL, [NULL],
                    startsWith(_0, '['), arrayMap(x -> nullIf(x, 'null'), JSONExtractArrayRaw(ifNull(_0, '[]'))),
                    startsWith(_0, '{'),
                    arrayMap(
                        x -> toNullable(concat('{', toJSONString(tupleElement(x, 1)), ':', tupleElement(x, 2), '}')),
                        JSONExtractKeysAndValuesRaw(ifNull(_0, '{}'))
                    ),
                    [_0]
                )""",
        ),
        # The same list where only the text of each element is used.
        Function(
            "expand_texts",
            "dynamic",
            "dynamic",
            duckdb=f"""
                CASE json_type(_0)
                WHEN 'ARRAY' THEN CAST(_0 AS VARCHAR[])
                WHEN 'OBJECT' THEN {BAG_TEXTS.strip()}
                ELSE [_0 ->> '$']
                END""",
            clickhouse=CLICK_TEXTS,
        ),
        # The same for a property: DuckDB returns it without spaces, so that the first character tells the type.
        Function(
            "expand_member_texts",
            "dynamic",
            "dynamic",
            duckdb=f"""
                CASE
                WHEN starts_with(_0, '[') THEN CAST(_0 AS VARCHAR[])
                WHEN starts_with(_0, '{{') THEN {BAG_TEXTS.strip()}
                ELSE [_0 ->> '$']
                END""",
            clickhouse=CLICK_TEXTS,
        ),
        # The same list with each property of a bag as an array of its key and its value.
        Function(
            "expand_wide",
            "dynamic",
            "dynamic",
            duckdb="""
                CASE
                WHEN _0 IS NULL THEN [CAST(NULL AS JSON)]
                WHEN json_type(_0) = 'ARRAY' THEN CAST(_0 AS JSON[])
                WHEN json_type(_0) = 'OBJECT' THEN list_transform(
                    json_keys(_0),
                    lambda k: json_array(k, json_extract(_0, concat('$."', k, '"')))
                )
                ELSE [_0]
                END""",
            clickhouse="""
                multiIf(
                    _0 IS NULL, [NULL],
                    startsWith(_0, '['), arrayMap(x -> nullIf(x, 'null'), JSONExtractArrayRaw(ifNull(_0, '[]'))),
                    startsWith(_0, '{'),
                    arrayMap(
                        x -> toNullable(concat('[', toJSONString(tupleElement(x, 1)), ',', tupleElement(x, 2), ']')),
                        JSONExtractKeysAndValuesRaw(ifNull(_0, '{}'))
                    ),
                    [_0]
                )""",
        ),
        # Limits: DuckDB's error() and ClickHouse's throwIf() stop the query.
        Function(
            "at_most",
            "long long",
            "long",
            duckdb=f"CASE WHEN _0 > _1 THEN error('{TOO_LONG}') ELSE _0 END",
            clickhouse=f"_0 + throwIf(coalesce(_0 > _1, false), '{TOO_LONG}')",
        ),
        # The end _1 of an array of whole numbers from _0 by steps of _2; an error if it has more than _3 elements.
        Function(
            "range_end",
            "long long long long",
            "long",
            duckdb=f"CASE WHEN _2 <> 0 AND (_1 - _0) // _2 >= _3 THEN error('{TOO_LONG}') ELSE _1 END",
            clickhouse=f"""
                _1 + throwIf(
                    coalesce(_2 != 0 AND intDiv(_1 - _0, if(_2 = 0, 1, _2)) >= _3, false),
                    '{TOO_LONG}'
                )""",
        ),
    ]
)
