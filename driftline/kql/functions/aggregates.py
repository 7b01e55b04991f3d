"""Aggregates over the rows of a group.

All but ``count`` skip nulls. Without rows, the counting aggregates return 0 and the collecting ones
an empty array. Lists collect JSON texts (the binder converts the argument to dynamic), so that both
engines write the same arrays.
"""

from __future__ import annotations

from collections.abc import Iterator

from driftline.kql.functions.json import click_merged, first_properties, merged
from driftline.kql.functions.row import Aggregate, Growth, rows
from driftline.kql.functions.sql_lists import CLICK_REAL, lets

__all__ = ["AGGREGATES"]

SUM = {"real": "coalesce(sum(_0), 0)", "*": "CAST(coalesce(sum(_0), 0) AS BIGINT)"}
CH_SUM = {"real": "ifNull(sum(_0), 0)", "*": "toInt64(ifNull(sum(_0), 0))"}
CH_LIST = "concat('[', arrayStringConcat({}, ','), ']')"

WEIGHTED = lets(
    (
        "",
        """
            if(
                empty(z), NULL,
                tupleElement(
                    z[arrayFirstIndex(c -> c >= arraySum(w) * assumeNotNull(_2) / 100, arrayCumSum(w))], 1
                )
            )""",
    ),
    z=(
        "",
        """
            arraySort(
                x -> tupleElement(x, 1),
                groupArrayIf(tuple(_0, toFloat64(_1)), _0 IS NOT NULL AND ifNull(_1 > 0, FALSE))
            )""",
    ),
    w=("", "arrayMap(x -> assumeNotNull(tupleElement(x, 2)), z)"),
)[1]


def spread(name: str, duck: str, click: str, doc: str) -> list[Aggregate]:
    """Return the rows of a measure of spread: over all rows, and over those that meet a condition."""
    return [
        Aggregate(
            name,
            "real",
            "real",
            duckdb=f"coalesce({duck}(_0), 0)",
            clickhouse=f"ifNull(ifNotFinite({click}(_0), 0), 0)",
            doc=f"{doc}.",
        ),
        Aggregate(
            f"{name}if",
            "real bool",
            "real",
            duckdb=f"coalesce({duck}(_0) FILTER (WHERE _1), 0)",
            clickhouse=f"ifNull(ifNotFinite({click}If(_0, ifNull(_1, FALSE)), 0), 0)",
            doc=f"{doc}, over the rows that meet a condition.",
        ),
    ]


def covariances() -> Iterator[Aggregate]:
    """Return the rows of the covariance of a sample and of a population, over all rows or some."""
    for name, duck, click, least, of in (
        ("covariance", "covar_samp", "covarSampIf", 2, "two columns, as a sample"),
        ("covariancep", "covar_pop", "covarPopIf", 1, "two columns, as a population"),
    ):
        known = "_0 IS NOT NULL AND _1 IS NOT NULL AND {0}"
        pair = "toFloat64(assumeNotNull(_0)), toFloat64(assumeNotNull(_1))"
        made = f"if(countIf({known}) >= {least}, {click}({pair}, {known}), NULL)"
        doc = f"Covariance of {of}"
        yield Aggregate(
            name,
            "number number",
            "real",
            duckdb=f"{duck}(_0, _1)",
            clickhouse=made.format("TRUE"),
            column_name=f"{name}_{{0}}_{{1}}",
            doc=f"{doc}.",
        )
        yield Aggregate(
            f"{name}if",
            "number number bool",
            "real",
            duckdb=f"{duck}(_0, _1) FILTER (WHERE _2)",
            clickhouse=made.format("ifNull(_2, FALSE)"),
            column_name=f"{name}if_{{0}}_{{1}}",
            doc=f"{doc}, over the rows that meet a condition.",
        )


AGGREGATES = rows(
    [
        Aggregate(
            "count", "", "long", duckdb="count(*)", clickhouse="toInt64(count())", counts=True, doc="Count the rows."
        ),
        Aggregate(
            "countif",
            "bool",
            "long",
            duckdb="count(*) FILTER (WHERE _0)",
            clickhouse="toInt64(countIf(ifNull(_0, FALSE)))",
            column_name="countif_",
            counts=True,
            doc="Count the rows that meet a condition.",
        ),
        Aggregate(
            "count_distinct",
            "any",
            "long",
            duckdb="count(DISTINCT _0)",
            clickhouse="toInt64(uniqExact(_0))",
            counts=True,
            doc="Count the distinct values, exactly.",
        ),
        Aggregate(
            "count_distinctif",
            "any bool",
            "long",
            duckdb="count(DISTINCT _0) FILTER (WHERE _1)",
            clickhouse="toInt64(uniqExactIf(_0, ifNull(_1, FALSE)))",
            counts=True,
            doc="Count the distinct values of rows that meet a condition, exactly.",
        ),
        Aggregate(
            "dcount",
            "any long?",
            "long",
            duckdb="count(DISTINCT _0)",
            clickhouse="toInt64(uniqExact(_0))",
            counts=True,
            doc="Count the distinct values; always exact, so that the accuracy has no effect.",
        ),
        Aggregate(
            "dcountif",
            "any bool long?",
            "long",
            duckdb="count(DISTINCT _0) FILTER (WHERE _1)",
            clickhouse="toInt64(uniqExactIf(_0, ifNull(_1, FALSE)))",
            counts=True,
            doc="Count the distinct values of rows that meet a condition; always exact.",
        ),
        Aggregate("sum", "span", "sum", duckdb=SUM, clickhouse=CH_SUM, counts=True, doc="Return the sum of a column."),
        Aggregate(
            "sumif",
            "span bool",
            "sum",
            duckdb={k: v.replace("sum(_0)", "sum(_0) FILTER (WHERE _1)") for k, v in SUM.items()},
            clickhouse={k: v.replace("sum(_0)", "sumIf(_0, ifNull(_1, FALSE))") for k, v in CH_SUM.items()},
            counts=True,
            doc="Return the sum over the rows that meet a condition.",
        ),
        Aggregate(
            "avg",
            "any",
            "average",
            duckdb={
                "timespan": "CAST(avg(_0) AS BIGINT)",
                "datetime": "make_timestamp(CAST(avg(epoch_us(_0)) AS BIGINT))",
                "*": "coalesce(avg(_0), CAST('nan' AS DOUBLE))",
            },
            clickhouse={
                "timespan": "toInt64(avg(_0))",
                "datetime": "fromUnixTimestamp64Micro(toInt64(avg(toUnixTimestamp64Micro(_0))), 'UTC')",
                "*": "ifNull(avg(_0), nan)",
            },
            doc="Return the average of a column; NaN without numbers.",
        ),
        Aggregate(
            "avgif",
            "any bool",
            "average",
            duckdb={
                "timespan": "CAST(avg(_0) FILTER (WHERE _1) AS BIGINT)",
                "*": "coalesce(avg(_0) FILTER (WHERE _1), CAST('nan' AS DOUBLE))",
            },
            clickhouse={
                "timespan": "toInt64(avgIf(_0, ifNull(_1, FALSE)))",
                "*": "ifNull(avgIf(_0, ifNull(_1, FALSE)), nan)",
            },
            doc="Return the average over the rows that meet a condition; NaN without numbers.",
        ),
        Aggregate("min", "any", "same", both="min(_0)", doc="Return the least value."),
        Aggregate("max", "any", "same", both="max(_0)", doc="Return the greatest value."),
        Aggregate(
            "minif",
            "any bool",
            "same",
            duckdb="min(_0) FILTER (WHERE _1)",
            clickhouse={"string": "minIf(_0, ifNull(_1, FALSE))", "*": "minIf(toNullable(_0), ifNull(_1, FALSE))"},
            doc="Return the least value of the rows that meet a condition.",
        ),
        Aggregate(
            "maxif",
            "any bool",
            "same",
            duckdb="max(_0) FILTER (WHERE _1)",
            clickhouse={"string": "maxIf(_0, ifNull(_1, FALSE))", "*": "maxIf(toNullable(_0), ifNull(_1, FALSE))"},
            doc="Return the greatest value of the rows that meet a condition.",
        ),
        *spread("stdev", "stddev_samp", "stddevSamp", "Standard deviation of a column, as a sample"),
        *spread("stdevp", "stddev_pop", "stddevPop", "Standard deviation of a column, as a population"),
        *spread("variance", "var_samp", "varSamp", "Variance of a column, as a sample"),
        *spread("variancep", "var_pop", "varPop", "Variance of a column, as a population"),
        Aggregate(
            "percentile",
            "any real",
            "same",
            duckdb="quantile_disc(_0, _1 / 100.0)",
            clickhouse="""
                if(
                    count(_0) = 0, NULL,
                    arrayElement(
                        arraySort(groupArray(_0)),
                        toUInt64(greatest(ceil(count(_0) * assumeNotNull(_1) / 100), 1))
                    )
                )""",
            doc="Return a percentile by the nearest rank.",
        ),
        Aggregate(
            "take_any",
            "any*",
            "same",
            duckdb="any_value(_0)",
            clickhouse="any(_0)",
            aliases=("any",),
            column_name="{0}",
            alias_column_name="any_{0}",
            doc="Return a value of any row, not null if there is one.",
        ),
        Aggregate(
            "take_anyif",
            "any bool",
            "same",
            duckdb="any_value(_0) FILTER (WHERE _1)",
            clickhouse="anyIf(_0, ifNull(_1, FALSE))",
            aliases=("anyif",),
            column_name="{0}",
            alias_column_name="any_{0}",
            doc="Return a value of any row that meets a condition.",
        ),
        Aggregate(
            "arg_max",
            "any any*",
            "same",
            duckdb="arg_max_null(_0, _1)",
            clickhouse="tupleElement(argMax(tuple(_0), _1), 1)",
            aliases=("argmax",),
            column_name="{0}",
            doc="Return the greatest value, and other columns of its row.",
        ),
        Aggregate(
            "arg_min",
            "any any*",
            "same",
            duckdb="arg_min_null(_0, _1)",
            clickhouse="tupleElement(argMin(tuple(_0), _1), 1)",
            aliases=("argmin",),
            column_name="{0}",
            doc="Return the least value, and other columns of its row.",
        ),
        Aggregate(
            "make_list",
            "any long?",
            "dynamic",
            aliases=("makelist",),
            column_name="list_{0}",
            growth=Growth.GROUP,
            gathers="list_json",
            doc="Collect values in an array.",
        ),
        Aggregate(
            "make_list_if",
            "any bool long?",
            "dynamic",
            column_name="list_{0}",
            growth=Growth.GROUP,
            gathers="list_json",
            doc="Collect values of the rows that meet a condition in an array.",
        ),
        Aggregate(
            "make_list_with_nulls",
            "json",
            "dynamic",
            duckdb="to_json(coalesce(list(_0), []))",
            clickhouse=CH_LIST.format("groupArray(ifNull(_0, 'null'))"),
            growth=Growth.GROUP,
            doc="Collect values in an array, including nulls.",
        ),
        Aggregate(
            "make_set",
            "any long?",
            "dynamic",
            aliases=("makeset",),
            column_name="set_{0}",
            growth=Growth.GROUP,
            gathers="set_json",
            gathers_dynamic="set_of_elements",
            doc="Collect distinct values in an array.",
        ),
        Aggregate(
            "make_set_if",
            "any bool long?",
            "dynamic",
            column_name="set_{0}",
            growth=Growth.GROUP,
            gathers="set_json",
            gathers_dynamic="set_of_elements",
            doc="Collect distinct values of the rows that meet a condition in an array.",
        ),
        Aggregate(
            "make_bag",
            "dynamic long?",
            "dynamic",
            aliases=("make_dictionary",),
            column_name="bag_{0}",
            growth=Growth.GROUP,
            gathers="bag_json",
            doc="Merge property bags.",
        ),
        Aggregate(
            "make_bag_if",
            "dynamic bool long?",
            "dynamic",
            growth=Growth.GROUP,
            gathers="bag_json",
            doc="Merge property bags of the rows that meet a condition.",
        ),
        Aggregate(
            "hll",
            "any long?",
            "dynamic",
            gathers="set_json",
            gathers_all=True,
            doc="Collect distinct values for dcount_hll; always exact.",
        ),
        Aggregate(
            "hll_if",
            "any bool long?",
            "dynamic",
            gathers="set_json",
            gathers_all=True,
            doc="Collect distinct values of the rows that meet a condition for dcount_hll; always exact.",
        ),
        Aggregate(
            "hll_merge",
            "dynamic*",
            "dynamic",
            duckdb="to_json(coalesce(list_sort(list_distinct(flatten(list(CAST(_0 AS JSON[]))))), []))",
            clickhouse=CH_LIST.format("arraySort(groupUniqArrayArray(JSONExtractArrayRaw(ifNull(_0, '[]'))))"),
            across_columns="set_union",
            doc="Merge results of hll, of all rows or of several columns.",
        ),
        Aggregate(
            "tdigest",
            "any",
            "dynamic",
            gathers="list_json",
            gathers_all=True,
            of_measures=True,
            doc="Collect values for percentile_tdigest; always exact.",
        ),
        Aggregate(
            "tdigest_merge",
            "dynamic*",
            "dynamic",
            duckdb="to_json(coalesce(flatten(list(CAST(_0 AS JSON[]))), []))",
            clickhouse=CH_LIST.format("groupArrayArray(JSONExtractArrayRaw(ifNull(_0, '[]')))"),
            aliases=("merge_tdigest", "merge_tdigests"),
            across_columns="array_concat",
            doc="Merge results of tdigest, of all rows or of several columns.",
        ),
        Aggregate(
            "percentilew",
            "any long real",
            "same",
            duckdb=(
                """
                    list_reduce(
                        list_prepend(
                            {'v': NULL, 'w': CAST(0 AS DOUBLE),
                            't': sum(_1) FILTER (WHERE _0 IS NOT NULL) * min(_2) / 100.0},
                            list(
                                {'v': _0, 'w': CAST(_1 AS DOUBLE), 't': CAST(0 AS DOUBLE)} ORDER BY _0
                            ) FILTER (WHERE _0 IS NOT NULL AND _1 > 0)
                        ),
                        lambda a, x: CASE WHEN a.v IS NOT NULL AND a.w >= a.t THEN a ELSE {'v': x.v,
                        'w': a.w + x.w, 't': a.t} END
                    )['v']"""
            ),
            clickhouse=WEIGHTED,
            of_measures=True,
            doc="Return a percentile of weighted values.",
        ),
        Aggregate(
            "percentiles_array",
            "any real*",
            "dynamic",
            each="percentile",
            doc="Return several percentiles as an array.",
        ),
        Aggregate(
            "percentilesw_array",
            "any long real*",
            "dynamic",
            each="percentilew",
            doc="Return several percentiles of weighted values as an array.",
        ),
        Aggregate(
            "list_json",
            "any long",
            "dynamic",
            duckdb="to_json(coalesce(array_slice(list(_0) FILTER (WHERE _0 IS NOT NULL), 1, _1), []))",
            clickhouse={
                "dynamic": CH_LIST.format("arraySlice(groupArray(_0), 1, _1)"),
                "real": CH_LIST.format(f"arrayMap(r -> {CLICK_REAL.format(x='r')}, arraySlice(groupArray(_0), 1, _1))"),
                "*": "toJSONString(arraySlice(groupArray(_0), 1, _1))",
            },
            growth=Growth.GROUP,
        ),
        Aggregate(
            "set_json",
            "any long",
            "dynamic",
            duckdb="""
                to_json(
                    coalesce(array_slice(list_sort(list(DISTINCT _0) FILTER (WHERE _0 IS NOT NULL)), 1, _1), [])
                )""",
            clickhouse={
                "dynamic": CH_LIST.format("arraySlice(arraySort(groupUniqArray(_0)), 1, _1)"),
                "real": CH_LIST.format(
                    f"arrayMap(r -> {CLICK_REAL.format(x='r')}, arraySlice(arraySort(groupUniqArray(_0)), 1, _1))"
                ),
                "*": "toJSONString(arraySlice(arraySort(groupUniqArray(_0)), 1, _1))",
            },
            growth=Growth.GROUP,
        ),
        Aggregate(
            "set_of_elements",
            "dynamic long",
            "dynamic",
            duckdb=(
                """
                    to_json(
                        coalesce(
                            array_slice(
                                list_sort(
                                    list_distinct(
                                        flatten(
                                            list(
                                                CASE
                                                WHEN json_type(_0) = 'ARRAY' THEN CAST(_0 AS JSON[])
                                                ELSE [_0]
                                                END
                                            ) FILTER (WHERE _0 IS NOT NULL)
                                        )
                                    )
                                ),
                                1, _1
                            ),
                            []
                        )
                    )"""
            ),
            clickhouse=(
                CH_LIST.format(
                    """
                        arraySlice(
                            arraySort(
                                groupUniqArrayArray(
                                    multiIf(
                                        _0 IS NULL, [], startsWith(_0, '['),
                                        JSONExtractArrayRaw(assumeNotNull(_0)), [assumeNotNull(_0)]
                                    )
                                )
                            ),
                            1, _1
                        )"""
                )
            ),
        ),
        Aggregate(
            "bag_json",
            "dynamic long",
            "dynamic",
            sql=first_properties(
                "coalesce(list_reduce(list(_0) FILTER (WHERE json_type(_0) = 'OBJECT'), lambda x, y: "
                + merged("x", "y")
                + "), '{}')",
                "arrayFold((x, y) -> "
                + click_merged("x", "y")
                + ", arrayFilter(z -> startsWith(z, '{'), groupArray(ifNull(_0, ''))), '{}')",
            ),
            growth=Growth.GROUP,
        ),
        Aggregate(
            "buildschema",
            "dynamic",
            "dynamic",
            duckdb="CAST(built_schema(CAST(to_json(list(_0)) AS VARCHAR)) AS JSON)",
            only_on="duckdb",
            column_name="schema_{0}",
            doc="Return the minimal schema that admits all values.",
        ),
        *covariances(),
        Aggregate(
            "binary_all_and",
            "long",
            "long",
            duckdb="bit_and(_0)",
            clickhouse="groupBitAnd(_0)",
            doc="Return the bitwise AND of all values.",
        ),
        Aggregate(
            "binary_all_or",
            "long",
            "long",
            duckdb="bit_or(_0)",
            clickhouse="groupBitOr(_0)",
            doc="Return the bitwise OR of all values.",
        ),
        Aggregate(
            "binary_all_xor",
            "long",
            "long",
            duckdb="bit_xor(_0)",
            clickhouse="groupBitXor(_0)",
            doc="Return the bitwise XOR of all values.",
        ),
    ]
)
