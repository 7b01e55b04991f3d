"""Aggregates. All but ``count`` skip nulls; on no rows the counting ones give 0, lists are empty.

Lists collect JSON texts (the binder turns the argument into dynamic), so that both engines
write the same arrays.
"""

from __future__ import annotations

from collections.abc import Iterator

from driftline.kql.functions.dynamics import click_merged, merged
from driftline.kql.functions.lists import CLICK_REAL, lets
from driftline.kql.functions.row import rows

__all__ = ["AGGREGATES"]

SUM = {"real": "coalesce(sum(_0), 0)", "*": "CAST(coalesce(sum(_0), 0) AS BIGINT)"}
CH_SUM = {"real": "ifNull(sum(_0), 0)", "*": "toInt64(ifNull(sum(_0), 0))"}
CH_LIST = "concat('[', arrayStringConcat({}, ','), ']')"

WEIGHTED = lets(
    (
        "",
        "if(empty(z), NULL, tupleElement(z[arrayFirstIndex(c -> c >= arraySum(w) * assumeNotNull(_2) / 100, arrayCumSum(w))], 1))",
    ),
    z=(
        "",
        "arraySort(x -> tupleElement(x, 1), groupArrayIf(tuple(_0, toFloat64(_1)), _0 IS NOT NULL AND ifNull(_1 > 0, FALSE)))",
    ),
    w=("", "arrayMap(x -> assumeNotNull(tupleElement(x, 2)), z)"),
)[1]


def spread(name: str, duck: str, click: str, doc: str) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (name, "real", "real", f"coalesce({duck}(_0), 0)", f"ifNull(ifNotFinite({click}(_0), 0), 0)", doc),
        (
            f"{name}if",
            "real bool",
            "real",
            f"coalesce({duck}(_0) FILTER (WHERE _1), 0)",
            f"ifNull(ifNotFinite({click}If(_0, ifNull(_1, FALSE)), 0), 0)",
            doc + " Of rows that meet a condition.",
        ),
    ]


def covariances() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Write the covariances of a sample and of a whole population, of all rows or of some."""
    for name, duck, click, least, of in (
        ("covariance", "covar_samp", "covarSampIf", 2, "a sample of pairs"),
        ("covariancep", "covar_pop", "covarPopIf", 1, "all pairs"),
    ):
        known = "_0 IS NOT NULL AND _1 IS NOT NULL AND {0}"
        pair = "toFloat64(assumeNotNull(_0)), toFloat64(assumeNotNull(_1))"
        made = f"if(countIf({known}) >= {least}, {click}({pair}, {known}), NULL)"
        doc = f"Give the covariance of {of} of values"
        yield name, "number number", "real", f"{duck}(_0, _1)", made.format("TRUE"), f"{doc}."
        some = f"{duck}(_0, _1) FILTER (WHERE _2)", made.format("ifNull(_2, FALSE)")
        yield f"{name}if", "number number bool", "real", *some, f"{doc}, where a condition holds."


AGGREGATES = rows(
    [
        ("count", "", "long", "count(*)", "toInt64(count())", "Count the rows."),
        (
            "countif",
            "bool",
            "long",
            "count(*) FILTER (WHERE _0)",
            "toInt64(countIf(ifNull(_0, FALSE)))",
            "Count the rows that meet a condition.",
        ),
        (
            "count_distinct",
            "any",
            "long",
            "count(DISTINCT _0)",
            "toInt64(uniqExact(_0))",
            "Count the distinct values, exactly.",
        ),
        (
            "count_distinctif",
            "any bool",
            "long",
            "count(DISTINCT _0) FILTER (WHERE _1)",
            "toInt64(uniqExactIf(_0, ifNull(_1, FALSE)))",
            "Count the distinct values of rows that meet a condition.",
        ),
        (
            "dcount",
            "any long?",
            "long",
            "count(DISTINCT _0)",
            "toInt64(uniqExact(_0))",
            "Count the distinct values; exact here, whatever the accuracy asked for.",
        ),
        (
            "dcountif",
            "any bool long?",
            "long",
            "count(DISTINCT _0) FILTER (WHERE _1)",
            "toInt64(uniqExactIf(_0, ifNull(_1, FALSE)))",
            "Count the distinct values of rows that meet a condition.",
        ),
        ("sum", "span", "sum", SUM, CH_SUM, "Add up."),
        (
            "sumif",
            "span bool",
            "sum",
            {k: v.replace("sum(_0)", "sum(_0) FILTER (WHERE _1)") for k, v in SUM.items()},
            {k: v.replace("sum(_0)", "sumIf(_0, ifNull(_1, FALSE))") for k, v in CH_SUM.items()},
            "Add up rows that meet a condition.",
        ),
        (
            "avg",
            "any",
            "average",
            {
                "timespan": "CAST(avg(_0) AS BIGINT)",
                "datetime": "make_timestamp(CAST(avg(epoch_us(_0)) AS BIGINT))",
                "*": "coalesce(avg(_0), CAST('nan' AS DOUBLE))",
            },
            {
                "timespan": "toInt64(avg(_0))",
                "datetime": "fromUnixTimestamp64Micro(toInt64(avg(toUnixTimestamp64Micro(_0))), 'UTC')",
                "*": "ifNull(avg(_0), nan)",
            },
            "Give the mean; of no numbers, NaN.",
        ),
        (
            "avgif",
            "any bool",
            "average",
            {
                "timespan": "CAST(avg(_0) FILTER (WHERE _1) AS BIGINT)",
                "*": "coalesce(avg(_0) FILTER (WHERE _1), CAST('nan' AS DOUBLE))",
            },
            {"timespan": "toInt64(avgIf(_0, ifNull(_1, FALSE)))", "*": "ifNull(avgIf(_0, ifNull(_1, FALSE)), nan)"},
            "Give the mean of rows that meet a condition.",
        ),
        ("min", "any", "same", "min(_0)", "=", "Give the least value."),
        ("max", "any", "same", "max(_0)", "=", "Give the greatest value."),
        (
            "minif",
            "any bool",
            "same",
            "min(_0) FILTER (WHERE _1)",
            {"string": "minIf(_0, ifNull(_1, FALSE))", "*": "minIf(toNullable(_0), ifNull(_1, FALSE))"},
            "Give the least value of rows that meet a condition.",
        ),
        (
            "maxif",
            "any bool",
            "same",
            "max(_0) FILTER (WHERE _1)",
            {"string": "maxIf(_0, ifNull(_1, FALSE))", "*": "maxIf(toNullable(_0), ifNull(_1, FALSE))"},
            "Give the greatest value of rows that meet a condition.",
        ),
        *spread("stdev", "stddev_samp", "stddevSamp", "Give the standard deviation of a sample."),
        *spread("stdevp", "stddev_pop", "stddevPop", "Give the standard deviation of a population."),
        *spread("variance", "var_samp", "varSamp", "Give the variance of a sample."),
        *spread("variancep", "var_pop", "varPop", "Give the variance of a population."),
        (
            "percentile",
            "any real",
            "same",
            "quantile_disc(_0, _1 / 100.0)",
            "if(count(_0) = 0, NULL, arrayElement(arraySort(groupArray(_0)), toUInt64(greatest(ceil(count(_0) * assumeNotNull(_1) / 100), 1))))",
            "Give the value below which a percentage lies (nearest rank).",
        ),
        ("take_any", "any*", "same", "any_value(_0)", "any(_0)", "Give any value, a non-null one if there is one."),
        (
            "take_anyif",
            "any bool",
            "same",
            "any_value(_0) FILTER (WHERE _1)",
            "anyIf(_0, ifNull(_1, FALSE))",
            "Give any value of rows that meet a condition.",
        ),
        (
            "arg_max",
            "any any*",
            "same",
            "arg_max_null(_0, _1)",
            "tupleElement(argMax(tuple(_0), _1), 1)",
            "Give the greatest value, and other columns of its row.",
        ),
        (
            "arg_min",
            "any any*",
            "same",
            "arg_min_null(_0, _1)",
            "tupleElement(argMin(tuple(_0), _1), 1)",
            "Give the least value, and other columns of its row.",
        ),
        ("make_list", "any long?", "dynamic", None, None, "Collect values into an array."),
        ("make_list_if", "any bool long?", "dynamic", None, None, "Collect values of rows that meet a condition."),
        (
            "make_list_with_nulls",
            "json",
            "dynamic",
            "to_json(coalesce(list(_0), []))",
            CH_LIST.format("groupArray(ifNull(_0, 'null'))"),
            "Collect values, nulls too.",
        ),
        ("make_set", "any long?", "dynamic", None, None, "Collect distinct values into an array."),
        (
            "make_set_if",
            "any bool long?",
            "dynamic",
            None,
            None,
            "Collect distinct values of rows that meet a condition.",
        ),
        ("make_bag", "dynamic long?", "dynamic", None, None, "Join property bags."),
        (
            "make_bag_if",
            "dynamic bool long?",
            "dynamic",
            None,
            None,
            "Join property bags of rows that meet a condition.",
        ),
        ("hll", "any long?", "dynamic", None, None, "Collect distinct values for dcount_hll; exact here."),
        ("hll_if", "any bool long?", "dynamic", None, None, "Collect distinct values of rows that meet a condition."),
        (
            "hll_merge",
            "dynamic*",
            "dynamic",
            "to_json(coalesce(list_sort(list_distinct(flatten(list(CAST(_0 AS JSON[]))))), []))",
            CH_LIST.format("arraySort(groupUniqArrayArray(JSONExtractArrayRaw(ifNull(_0, '[]'))))"),
            "Join what hll collected, of all rows or of several columns.",
        ),
        ("tdigest", "any", "dynamic", None, None, "Collect values for percentile_tdigest; exact here."),
        (
            "tdigest_merge",
            "dynamic*",
            "dynamic",
            "to_json(coalesce(flatten(list(CAST(_0 AS JSON[]))), []))",
            CH_LIST.format("groupArrayArray(JSONExtractArrayRaw(ifNull(_0, '[]')))"),
            "Join what tdigest collected, of all rows or of several columns.",
        ),
        (
            "percentilew",
            "any long real",
            "same",
            "list_reduce(list_prepend({'v': NULL, 'w': CAST(0 AS DOUBLE), 't': sum(_1) FILTER (WHERE _0 IS NOT NULL) * min(_2) / 100.0},"
            " list({'v': _0, 'w': CAST(_1 AS DOUBLE), 't': CAST(0 AS DOUBLE)} ORDER BY _0) FILTER (WHERE _0 IS NOT NULL AND _1 > 0)),"
            " lambda a, x: CASE WHEN a.v IS NOT NULL AND a.w >= a.t THEN a ELSE {'v': x.v, 'w': a.w + x.w, 't': a.t} END)['v']",
            WEIGHTED,
            "Give the percentile of values that each count as often as their weight says.",
        ),
        ("percentiles_array", "any real*", "dynamic", None, None, "Give several percentiles as an array."),
        (
            "percentilesw_array",
            "any long real*",
            "dynamic",
            None,
            None,
            "Give several weighted percentiles as an array.",
        ),
        (
            "list_json",
            "any long",
            "dynamic",
            "to_json(coalesce(array_slice(list(_0) FILTER (WHERE _0 IS NOT NULL), 1, _1), []))",
            {
                "dynamic": CH_LIST.format("arraySlice(groupArray(_0), 1, _1)"),
                "real": CH_LIST.format(f"arrayMap(r -> {CLICK_REAL.format(x='r')}, arraySlice(groupArray(_0), 1, _1))"),
                "*": "toJSONString(arraySlice(groupArray(_0), 1, _1))",
            },
            "",
        ),
        (
            "set_json",
            "any long",
            "dynamic",
            "to_json(coalesce(array_slice(list_sort(list(DISTINCT _0) FILTER (WHERE _0 IS NOT NULL)), 1, _1), []))",
            {
                "dynamic": CH_LIST.format("arraySlice(arraySort(groupUniqArray(_0)), 1, _1)"),
                "real": CH_LIST.format(
                    f"arrayMap(r -> {CLICK_REAL.format(x='r')}, arraySlice(arraySort(groupUniqArray(_0)), 1, _1))"
                ),
                "*": "toJSONString(arraySlice(arraySort(groupUniqArray(_0)), 1, _1))",
            },
            "",
        ),
        (
            "set_of_elements",
            "dynamic long",
            "dynamic",
            "to_json(coalesce(array_slice(list_sort(list_distinct(flatten(list(CASE WHEN json_type(_0) = 'ARRAY' THEN CAST(_0 AS JSON[])"
            " ELSE [_0] END) FILTER (WHERE _0 IS NOT NULL)))), 1, _1), []))",
            CH_LIST.format(
                "arraySlice(arraySort(groupUniqArrayArray(multiIf(_0 IS NULL, [], startsWith(_0, '['),"
                " JSONExtractArrayRaw(assumeNotNull(_0)), [assumeNotNull(_0)]))), 1, _1)"
            ),
            "",
        ),
        (
            "bag_json",
            "dynamic",
            "dynamic",
            "coalesce(list_reduce(list(_0) FILTER (WHERE json_type(_0) = 'OBJECT'), lambda x, y: "
            + merged("x", "y")
            + "), '{}')",
            "arrayFold((x, y) -> "
            + click_merged("x", "y")
            + ", arrayFilter(z -> startsWith(z, '{'), groupArray(ifNull(_0, ''))), '{}')",
            "",
        ),
        (
            "buildschema",
            "dynamic",
            "dynamic",
            "CAST(built_schema(CAST(to_json(list(_0)) AS VARCHAR)) AS JSON)",
            None,
            "Give the least schema of all values.",
        ),
        *covariances(),
        ("binary_all_and", "long", "long", "bit_and(_0)", "groupBitAnd(_0)", "And the bits of all values."),
        ("binary_all_or", "long", "long", "bit_or(_0)", "groupBitOr(_0)", "Or the bits of all values."),
        ("binary_all_xor", "long", "long", "bit_xor(_0)", "groupBitXor(_0)", "Exclusive-or the bits of all values."),
        # Window functions: the serialized order is the window's.
        (
            "row_number",
            "long? bool?",
            "long",
            None,
            None,
            "Number the rows of a serialized table, from 1 or another number, anew at each restart.",
        ),
        ("prev", "any long? any?", "same", None, None, "Give a value of a row before."),
        ("next", "any long? any?", "same", None, None, "Give a value of a row after."),
        ("row_cumsum", "span bool?", "same", None, None, "Add up the rows so far, or since the last restart."),
        ("row_rank_dense", "any bool?", "long", None, None, "Count the changes of a value so far."),
        ("row_rank_min", "any bool?", "long", None, None, "Give the number of the row that began a run of a value."),
        (
            "row_window_session",
            "datetime timespan timespan bool?",
            "datetime",
            None,
            None,
            "Give the time at which a row's session began, by its longest length and pause; a row at a time.",
        ),
        ("number_row", "", "long", "row_number()", "=", ""),
        ("lag", "any long any", "same", "lag(_0, _1, _2)", "lagInFrame(_0, toUInt64(assumeNotNull(_1)), _2)", ""),
        ("lead", "any long any", "same", "lead(_0, _1, _2)", "leadInFrame(_0, toUInt64(assumeNotNull(_1)), _2)", ""),
        ("running_sum", "span", "same", "sum(_0)", "sum(_0)", ""),
        ("running_max", "long", "long", "max(_0)", "max(_0)", ""),
    ]
)
WINDOWS = frozenset(
    [
        *("row_number", "prev", "next", "row_cumsum", "row_rank_dense", "row_rank_min", "row_window_session"),
        *("number_row", "lag", "lead", "running_sum", "running_max"),
    ]
)
