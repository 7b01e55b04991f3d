"""Rotation, shift, split, choice and zip of arrays, and changes of property bags.

The helpers return a pair of templates: for DuckDB, for ClickHouse. In a template ``s`` is the list of
the elements of the first argument, each as JSON text.
"""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import Pair, elements, let, lets

__all__ = ["ARRAYS"]


def raw(body: Pair, *others: tuple[str, str]) -> Pair:
    """Return the templates that write a list of JSON texts as an array; null if an argument is not an array.

    ``others`` are names for the lists of further arguments: ``("b", "_1")``.
    """
    values = {name: elements(argument) for name, argument in others}
    duck, click = lets(body, s=elements("_0"), **values)
    joined = f"concat('[', arrayStringConcat(arrayMap(o -> ifNull(o, 'null'), {click}), ','), ']')"
    present = " AND ".join(f"startsWith(ifNull({x}, ''), '[')" for x in ("_0", *(argument for _, argument in others)))
    ducks = " AND ".join(f"json_type({x}) = 'ARRAY'" for x in ("_0", *(argument for _, argument in others)))
    return f"CASE WHEN {ducks} THEN to_json({duck}) END", f"if({present}, {joined}, NULL)"


def known(body: Pair, *numbers: str) -> Pair:
    """Return templates that give null if one of the numbers is null."""
    given = " AND ".join(f"{x} IS NOT NULL" for x in numbers)
    return f"CASE WHEN {given} THEN {body[0]} END", f"if({given}, {body[1]}, NULL)"


def rotated(sign: str) -> Pair:
    """Return the templates of a rotation by ``_1`` elements.

    The element at index ``i`` comes from ``i + _1`` or ``i - _1``, by the sign, modulo the length.
    """
    return known(
        raw(
            (
                f"""
                    list_transform(
                        s, lambda e, i: s[CAST((((i - 1 {sign} _1) % len(s)) + len(s)) % len(s) AS BIGINT) + 1]
                    )""",
                f"""
                    arrayMap(
                        i -> s[positiveModulo(toInt64(i) - 1 {sign} assumeNotNull(_1), toInt64(length(s))) + 1],
                        arrayEnumerate(s)
                    )""",
            )
        ),
        "_1",
    )


FAR = 1 << 40  # more elements than any array has; keeps the sum from overflowing


def shifted(sign: str) -> Pair:
    """Return the templates of a shift by ``_1`` elements; ``_2`` fills the gap."""
    at = f"(i {sign} least(greatest(_1, -{FAR}), {FAR}))"
    return known(
        raw(
            (
                f"""
                    list_transform(
                        s,
                        lambda e, i: CASE
                        WHEN {at} BETWEEN 1 AND len(s) THEN s[CAST({at} AS BIGINT)]
                        ELSE _2
                        END
                    )""",
                f"""
                    arrayMap(
                        i -> if(
                            (
                                toInt64(i) {sign} least(greatest(assumeNotNull(_1), -{FAR}), {FAR})
                            ) BETWEEN 1 AND toInt64(length(s)),
                            s[toInt64(i) {sign} assumeNotNull(_1)], _2
                        ),
                        arrayEnumerate(s)
                    )""",
            )
        ),
        "_1",
    )


# ``c`` are the indices at which to split, sorted and with 0 first; a negative one counts from the end.
SPLIT = (
    "list_transform(range(1, len(c) + 1), lambda k: list_slice(s, c[k] + 1, coalesce(c[k + 1], len(s))))",
    """
        arrayMap(
            k -> concat(
                '[',
                arrayStringConcat(
                    arrayMap(
                        o -> ifNull(o, 'null'),
                        arraySlice(s, c[k] + 1, if(k < length(c), c[k + 1], toInt64(length(s))) - c[k])
                    ),
                    ','
                ),
                ']'
            ),
            arrayEnumerate(c)
        )""",
)
CUTS = (
    """
        list_sort(
            list_prepend(
                0,
                list_transform(
                    TRY_CAST(_1 AS BIGINT[]),
                    lambda p: CASE WHEN p < 0 THEN greatest(len(s) + p, 0) ELSE least(p, len(s)) END
                )
            )
        )""",
    """
        arraySort(
            arrayConcat(
                [toInt64(0)],
                arrayMap(
                    p -> if(p < 0, greatest(toInt64(length(s)) + p, 0), least(p, toInt64(length(s)))),
                    arrayMap(e -> toInt64OrZero(e), JSONExtractArrayRaw(ifNull(_1, '[]')))
                )
            )
        )""",
)


def split() -> Pair:
    """Return the templates that split an array at the indices ``_1``; null if an index is not a whole number."""
    duck, click = lets(SPLIT, s=elements("_0"), c=CUTS)
    joined = f"concat('[', arrayStringConcat({click}, ','), ']')"
    places = """
        startsWith(ifNull(_1, ''), '[')
        AND arrayAll(e -> toInt64OrNull(e) IS NOT NULL, JSONExtractArrayRaw(ifNull(_1, '[]')))"""
    return (
        f"""
            CASE
            WHEN json_type(_0) = 'ARRAY'
            AND NOT list_contains(list_transform(TRY_CAST(_1 AS BIGINT[]), lambda p: p IS NULL), TRUE)
                THEN to_json({duck})
            END""",
        f"if(startsWith(ifNull(_0, ''), '[') AND {places}, {joined}, NULL)",
    )


TRUE = ("""
    json_extract_string({}, '$') NOT IN ('false', '0', '')
    AND json_type({}) IN ('BOOLEAN', 'BIGINT', 'UBIGINT', 'DOUBLE')""",
        "match(ifNull({}, 'null'), '^(true|-?[0-9.]*[1-9][0-9.]*)$')")  # fmt: skip


KINDS_OF_TRUTH = "'BOOLEAN', 'BIGINT', 'UBIGINT', 'DOUBLE'"


def chosen() -> Pair:
    """Return the templates that choose each element from ``_1`` or ``_2``, by the array of conditions ``_0``.

    ``_1`` and ``_2`` are arrays or single values. A condition that is neither a bool nor a number gives null.
    """
    condition = TRUE[0].format("s[i]", "s[i]"), TRUE[1].format("s[i]")
    return raw(
        (
            f"""
                list_transform(
                    range(1, len(s) + 1),
                    lambda i: CASE
                    WHEN coalesce(json_type(s[i]), '') NOT IN ({KINDS_OF_TRUTH}) THEN NULL
                    WHEN {condition[0]} THEN {either("_1")[0]}
                    ELSE {either("_2")[0]}
                    END
                )""",
            f"""
                arrayMap(
                    i -> multiIf(
                        NOT match(ifNull(s[i], ''), '^(true|false|[-0-9])'), NULL, {condition[1]},
                        {either("_1")[1]}, {either("_2")[1]}
                    ),
                    arrayEnumerate(s)
                )""",
        )
    )


def either(argument: str) -> Pair:
    """Return the element ``i`` of an argument, or the argument itself if it is not an array."""
    return (
        f"CASE WHEN json_type({argument}) = 'ARRAY' THEN ({elements(argument)[0]})[i] ELSE {argument} END",
        f"if(startsWith(ifNull({argument}, ''), '['), {elements(argument)[1]}[i], {argument})",
    )


def zipped() -> Pair:
    """Return the templates of the first step of ``zip``: pairs of elements with the same index."""
    duck = "list_transform(range(1, greatest(len(s), len(b)) + 1), lambda i: [s[i], b[i]])"
    click = """
            arrayMap(
                i -> concat('[', ifNull(s[i], 'null'), ',', ifNull(b[i], 'null'), ']'),
                range(1, greatest(toInt64(length(s)), toInt64(length(b))) + 1)
            )"""
    return raw((duck, click), ("b", "_1"))


def added() -> Pair:
    """Return the templates of each further step of ``zip``.

    Each of the arrays so far gets the element of the next array at its end.
    """
    duck = """
        list_transform(
            range(1, greatest(len(s), len(b)) + 1),
            lambda i: list_append(
                coalesce(CAST(s[i] AS JSON[]), list_transform(CAST(s[1] AS JSON[]), lambda e: NULL)), b[i]
            )
        )"""
    click = """
            arrayMap(
                i -> concat(
                    if(
                        i <= length(s), substring(ifNull(s[i], ''), 1, length(ifNull(s[i], '')) - 1),
                        concat(
                            '[',
                            arrayStringConcat(
                                arrayMap(e -> 'null', JSONExtractArrayRaw(ifNull(s[1], '[]'))), ','
                            )
                        )
                    ),
                    ',', ifNull(b[i], 'null'), ']'
                ),
                range(1, greatest(toInt64(length(s)), toInt64(length(b))) + 1)
            )"""
    return raw((duck, click), ("b", "_1"))


def jaccard() -> Pair:
    """Return the templates of the Jaccard index of two sets; null if an argument is not an array or both are empty."""
    duck = """
        len(list_distinct(list_filter(s, lambda e: list_contains(b, e))))
        / nullif(len(list_distinct(list_concat(s, b))), 0)"""
    click = """
        if(
            empty(arrayConcat(s, b)), NULL,
            length(arrayDistinct(arrayFilter(e -> has(b, e), s))) / length(arrayDistinct(arrayConcat(s, b)))
        )"""
    values = lets((duck, click), s=elements("_0"), b=elements("_1"))
    arrays = "json_type(_0) = 'ARRAY' AND json_type(_1) = 'ARRAY'"
    return (
        f"CASE WHEN {arrays} THEN {values[0]} END",
        f"if(startsWith(ifNull(_0, ''), '[') AND startsWith(ifNull(_1, ''), '['), {values[1]}, NULL)",
    )


PAIRS = (
    """
        list_transform(
            list_filter(json_keys(_0), lambda k: {keep}),
            lambda k: concat(to_json(k), ':', json_extract(_0, concat('$.', to_json(k))))
        )""",
    """
        arrayMap(
            p -> concat(toJSONString(tupleElement(p, 1)), ':', tupleElement(p, 2)),
            arrayFilter(p -> {keep}, JSONExtractKeysAndValuesRaw(ifNull(_0, '{{}}')))
        )""",
)


def without() -> Pair:
    """Return the templates that remove the keys ``_1`` from a bag; null if the first argument is not a bag."""
    keys = (
        "CAST(CASE WHEN json_type(_1) = 'ARRAY' THEN _1 ELSE '[]' END AS VARCHAR[])",
        "JSONExtract(ifNull(_1, '[]'), 'Array(String)')",
    )
    duck = PAIRS[0].format(keep=f"NOT list_contains({keys[0]}, k)")
    click = PAIRS[1].format(keep=f"NOT has({keys[1]}, tupleElement(p, 1))")
    return (
        f"CASE WHEN json_type(_0) = 'OBJECT' THEN CAST(concat('{{', array_to_string({duck}, ','), '}}') AS JSON) END",
        f"if(startsWith(ifNull(_0, ''), '{{'), concat('{{', arrayStringConcat({click}, ','), '}}'), NULL)",
    )


def with_key(*, null_keeps: bool) -> Pair:
    """Return the templates that set the key ``_1`` of a bag to ``_2``, in its place or at the end.

    ``null_keeps`` leaves the bag unchanged if the value is null.
    """
    value = "CASE WHEN k = _1 THEN v ELSE json_extract(b, concat('$.', to_json(k))) END"
    duck = f"list_transform(json_keys(b), lambda k: concat(to_json(k), ':', coalesce(CAST({value} AS TEXT), 'null')))"
    new = """
        CASE
        WHEN list_contains(json_keys(b), _1) THEN []
        ELSE [concat(to_json(_1), ':', coalesce(CAST(v AS TEXT), 'null'))]
        END"""
    pairs = "JSONExtractKeysAndValuesRaw(ifNull(b, '{}'))"
    click = f"""
        arrayMap(
            p -> concat(
                toJSONString(tupleElement(p, 1)), ':',
                if(tupleElement(p, 1) = _1, ifNull(v, 'null'), tupleElement(p, 2))
            ),
            {pairs}
        )"""
    more = "if(has(JSONExtractKeys(ifNull(b, '{}')), _1), [], [concat(toJSONString(_1), ':', ifNull(v, 'null'))])"
    kept = "WHEN v IS NULL THEN b " if null_keeps else ""
    return lets(
        (
            f"""
                CASE {kept}WHEN json_type(b) = 'OBJECT'
                THEN CAST(concat('{{', array_to_string(list_concat({duck}, {new}), ','), '}}') AS JSON)
                END""",
            f"""
                CASE {kept}WHEN startsWith(ifNull(b, ''), '{{')
                THEN concat('{{', arrayStringConcat(arrayConcat({click}, {more}), ','), '}}')
                END""",
        ),
        b=("_0", "_0"),
        v=("_2", "_2"),
    )


def dense() -> Pair:
    """Return the templates that remove nulls and empty strings from a bag."""
    duck = PAIRS[0].format(keep="coalesce(json_extract_string(_0, concat('$.', to_json(k))), '') <> ''")
    click = PAIRS[1].format(keep="tupleElement(p, 2) NOT IN ('null', '\"\"')")
    return (
        f"CAST(concat('{{', array_to_string({duck}, ','), '}}') AS JSON)",
        f"concat('{{', arrayStringConcat({click}, ','), '}}')",
    )


def bag_of() -> Pair:
    """Return the templates of a bag of an array of keys and an array of values."""
    names = (
        "list_transform(s, lambda e: coalesce(json_extract_string(e, '$'), ''))",
        "arrayMap(e -> JSONExtractString(ifNull(e, '\"\"')), s)",
    )
    texts = (
        """
            CAST(
                concat(
                    '{',
                    array_to_string(
                        list_transform(
                            n, lambda e, i: concat(to_json(e), ':', coalesce(CAST(b[i] AS TEXT), 'null'))
                        ),
                        ','
                    ),
                    '}'
                ) AS JSON
            )""",
        """
            concat(
                '{',
                arrayStringConcat(
                    arrayMap((e, i) -> concat(toJSONString(e), ':', ifNull(b[i], 'null')), n, arrayEnumerate(n)),
                    ','
                ),
                '}'
            )""",
    )
    duck, click = lets(let("n", names, texts), s=elements("_0"), b=elements("_1"))
    present = "startsWith(ifNull(_0, ''), '[') AND startsWith(ifNull(_1, ''), '[')"
    return (
        f"CASE WHEN json_type(_0) = 'ARRAY' AND json_type(_1) = 'ARRAY' THEN {duck} END",
        f"if({present}, {click}, NULL)",
    )


ARRAYS = rows(
    [
        Function(
            "array_rotate_left",
            "dynamic long",
            "dynamic",
            sql=rotated("+"),
            doc="Rotate the elements of an array to the left.",
        ),
        Function(
            "array_rotate_right",
            "dynamic long",
            "dynamic",
            sql=rotated("-"),
            doc="Rotate the elements of an array to the right.",
        ),
        Function(
            "array_shift_left",
            "dynamic long json?",
            "dynamic",
            sql=shifted("+"),
            doc="Shift the elements of an array to the left; null or a default value fills the gap.",
        ),
        Function(
            "array_shift_right",
            "dynamic long json?",
            "dynamic",
            sql=shifted("-"),
            doc="Shift the elements of an array to the right; null or a default value fills the gap.",
        ),
        Function(
            "array_one",
            "dynamic long",
            "dynamic",
            duckdb="""
                CASE
                WHEN _1 >= 0 AND _1 < json_array_length(_0) THEN json_array(json_extract(_0, _1))
                ELSE CAST('[]' AS JSON)
                END""",
            clickhouse="""
                if(
                    ifNull(_1, -1) >= 0 AND _1 < JSONLength(ifNull(_0, '[]')),
                    concat('[', JSONExtractRaw(ifNull(_0, '[]'), toInt64(assumeNotNull(_1)) + 1), ']'), '[]'
                )""",
        ),
        Function("array_split_at", "dynamic dynamic", "dynamic", sql=split()),
        Function("array_split", "dynamic any", "dynamic", doc="Split an array at one index or at several."),
        Function("array_chosen", "dynamic dynamic dynamic", "dynamic", sql=chosen()),
        Function(
            "array_iff",
            "dynamic json json",
            "dynamic",
            doc="Choose each element from the second or third argument, by an array of conditions.",
        ),
        Function(
            "array_iif",
            "dynamic json json",
            "dynamic",
            doc="Choose each element from the second or third argument, by an array of conditions.",
        ),
        Function(
            "zip",
            "dynamic*",
            "dynamic",
            doc="Return an array of the arrays of elements with the same index; nulls fill up shorter arrays.",
        ),
        Function("zip_first", "dynamic dynamic", "dynamic", sql=zipped()),
        Function("zip_more", "dynamic dynamic", "dynamic", sql=added()),
        Function(
            "jaccard_index",
            "dynamic dynamic",
            "real",
            sql=jaccard(),
            doc="Return the number of common elements of two sets, divided by the number of all elements.",
        ),
        Function(
            "bag_remove_keys", "dynamic dynamic", "dynamic", sql=without(), doc="Remove keys from a property bag."
        ),
        Function(
            "bag_zip",
            "dynamic dynamic",
            "dynamic",
            sql=bag_of(),
            doc="Return a property bag of an array of keys and an array of values.",
        ),
        Function(
            "bag_set_key",
            "dynamic string any",
            "dynamic",
            doc="Set a key of a property bag; a path such as $.a.b sets a key of a nested bag.",
        ),
        Function("bag_with", "dynamic string dynamic", "dynamic", sql=with_key(null_keeps=False)),
        Function("bag_replaced", "dynamic string dynamic", "dynamic", sql=with_key(null_keeps=True)),
        Function(
            "pack_all",
            "bool?",
            "dynamic",
            growth=2,
            doc="Return a property bag of all columns; with true, without null and empty values.",
        ),
        Function(
            "bag_pack_columns",
            "any*",
            "dynamic",
            growth=2,
            doc="Return a property bag of columns, with their names as keys.",
        ),
        Function("bag_dense", "dynamic", "dynamic", sql=dense()),
        Function(
            "bag_or_empty",
            "dynamic",
            "dynamic",
            sql=let(
                "b",
                ("_0", "_0"),
                (
                    "CASE WHEN json_type(b) = 'OBJECT' THEN b ELSE CAST('{}' AS JSON) END",
                    "if(startsWith(ifNull(b, ''), '{'), b, '{}')",
                ),
            ),
        ),
    ]
)
