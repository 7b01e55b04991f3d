"""Statistics, line fits, decomposition and outliers of series.

Kusto's reference leaves two things open. Here the percentiles of Tukey's test are interpolated linearly, and a
period is the least lag at which the autocorrelation of the detrended series has a peak within 5 % of the highest.
The helpers return a pair of templates: for DuckDB, for ClickHouse.
"""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows
from driftline.kql.functions.sql_lists import Pair, array, bag, lets, numbers, staged

__all__ = ["SERIES_ANALYSIS"]

MEAN = ("list_avg(f)", "arrayAvg(f)")
SQUARES = (
    "list_sum(list_transform(f, lambda e: (e - m) * (e - m)))",
    "arraySum(e -> (e - m) * (e - m), f)",
)
VARIANCE = (f"{SQUARES[0]} / greatest(len(f) - 1, 1)", f"{SQUARES[1]} / greatest(toInt64(length(f)) - 1, 1)")
FINITE = (
    "list_filter(s, lambda e: coalesce(isfinite(e), FALSE))",
    "arrayMap(e -> assumeNotNull(e), arrayFilter(e -> ifNull(isFinite(e), 0) = 1, s))",
)
STATS: dict[str, Pair] = {
    "min": ("list_min(f)", "arrayMin(f)"),
    "min_idx": ("list_position(s, list_min(f)) - 1", "toInt64(indexOf(s, arrayMin(f))) - 1"),
    "max": ("list_max(f)", "arrayMax(f)"),
    "max_idx": ("list_position(s, list_max(f)) - 1", "toInt64(indexOf(s, arrayMax(f))) - 1"),
    "avg": ("m", "m"),
    "stdev": ("sqrt(d)", "sqrt(d)"),
    "variance": ("d", "d"),
    "sum": ("list_sum(f)", "arraySum(f)"),
    "len": ("len(f)", "length(f)"),
}
# ``x`` is the middle index, counted from 0. Kusto's interception is the value of the line at index -1.
SLOPE = (
    """
        coalesce(
            list_sum(list_transform(f, lambda e, i: (i - 1 - x) * (e - m)))
            / nullif(list_sum(list_transform(f, lambda e, i: (i - 1 - x) * (i - 1 - x))), 0),
            0
        )""",
    """
        ifNull(
            arraySum(arrayMap((e, i) -> (i - 1 - x) * (e - m), f, arrayEnumerate(f)))
            / nullIf(arraySum(i -> (i - 1 - x) * (i - 1 - x), arrayEnumerate(f)), 0),
            0
        )""",
)
MIDDLE = ("(len(f) - 1) / 2", "(length(f) - 1) / 2")
REST = (
    "list_sum(list_transform(f, lambda e, i: pow(e - m - b * (i - 1 - x), 2))) / greatest(len(f) - 1, 1)",
    """
        arraySum(arrayMap((e, i) -> pow(e - m - b * (i - 1 - x), 2), f, arrayEnumerate(f)))
        / greatest(toInt64(length(f)) - 1, 1)""",
)
FIT: dict[str, Pair] = {
    "rsquare": ("CASE WHEN d = 0 THEN 1 ELSE 1 - r / d END", "if(d = 0, 1, 1 - r / d)"),
    "slope": ("b", "b"),
    "variance": ("d", "d"),
    "rvariance": ("r", "r"),
    "interception": ("m - b * (x + 1)", "m - b * (x + 1)"),
    "line_fit": (
        "list_transform(f, lambda e, i: m + b * (i - 1 - x))",
        "arrayMap(i -> m + b * (i - 1 - x), arrayEnumerate(f))",
    ),
}


def usable(body: Pair, ignore: Pair = ("FALSE", "FALSE")) -> Pair:
    """Return the templates of a value of the finite numbers ``f`` of the series ``s``.

    The result is null for an empty series, or for one with other elements unless ``ignore`` is true.
    """
    inner = (
        f"CASE WHEN len(f) > 0 AND ({ignore[0]} OR len(f) = len(s)) THEN {body[0]} END",
        f"if(length(f) > 0 AND ({ignore[1]} OR length(f) = length(s)), toNullable({body[1]}), NULL)",
    )
    return lets(inner, s=numbers("_0"), f=FINITE)


def stats(body: Pair) -> Pair:
    """Return the templates of a value of the mean ``m`` and the variance ``d`` of a series."""
    return usable(lets(body, m=MEAN, d=VARIANCE), ("coalesce(_1, FALSE)", "ifNull(_1, FALSE)"))


def fit(body: Pair) -> Pair:
    """Return the templates of a value of the line through a series.

    Its names are the slope ``b``, the middle index ``x`` and the variance ``r`` of the residuals.
    """
    return usable(lets(body, m=MEAN, x=MIDDLE, b=SLOPE, d=VARIANCE, r=REST))


# Decomposition: ``_1`` is the period, ``_2`` the kind of trend, ``_3`` the number of last points to ignore.


def quantile(share: str) -> Pair:
    """Return the templates of a percentile of the sorted list ``g``, interpolated linearly."""
    duck, click = f"(len(g) - 1) * {share}", f"(toInt64(length(g)) - 1) * {share}"
    return (
        f"""
            g[CAST(floor({duck}) AS BIGINT) + 1] + ({duck} - floor({duck}))
            * (g[CAST(ceil({duck}) AS BIGINT) + 1] - g[CAST(floor({duck}) AS BIGINT) + 1])""",
        f"""
            g[toInt64(floor({click})) + 1] + ({click} - floor({click}))
            * (g[toInt64(ceil({click})) + 1] - g[toInt64(floor({click})) + 1])""",
    )


def scores(values: str, low: str, high: str) -> Pair:
    """Return the templates that score values by their distance from the range between two percentiles.

    The unit is the distance between the percentiles. If they are equal, a value outside has the largest finite score.
    """
    far = "1.7976931348623157e308"

    def score(coalesce: str) -> str:
        """Return the CASE expression of one score, with the dialect's function for a default of null."""
        return f"""
                CASE
                WHEN e IS NULL THEN 0
                WHEN e > v + h THEN {coalesce}((e - v) / d, {far})
                WHEN e < u - h THEN {coalesce}((e - u) / d, -{far})
                ELSE 0
                END"""

    ordered = (
        f"list_sort(list_filter({values}, lambda e: e IS NOT NULL))",
        f"arraySort(arrayMap(e -> assumeNotNull(e), arrayFilter(e -> e IS NOT NULL, {values})))",
    )
    body = (f"list_transform({values}, lambda e: {score('coalesce')})", f"arrayMap(e -> {score('ifNull')}, {values})")
    rounding = ("1e-12 * greatest(abs(u), abs(v))",) * 2
    distance = ("CASE WHEN v - u > h THEN v - u END",) * 2
    return lets(body, g=ordered, u=quantile(low), v=quantile(high), h=rounding, d=distance)


# The least lag with a peak of the autocorrelation ``a`` (lags from 0 on) within 5 % of the highest one.
PERIOD = (
    """
        coalesce(
            list_extract(
                list_filter(
                    range(2, len(a)),
                    lambda p: a[p + 1] >= _4
                    AND a[p + 1] > a[p]
                    AND a[p + 1] >= coalesce(a[p + 2], -2)
                    AND a[p + 1] >= 0.95 * list_max(list_slice(a, 3, len(a)))
                ),
                1
            ),
            0
        )""",
    """
        arrayFirst(
            p -> a[p + 1] >= _4
            AND a[p + 1] > a[p]
            AND (p + 2 > length(a) OR a[p + 1] >= a[p + 2])
            AND a[p + 1] >= 0.95 * arrayMax(arraySlice(a, 3)),
            arrayMap(p -> p + 2, range(greatest(toInt64(length(a)) - 2, 0)))
        )""",
)
CENTRED = (
    "list_transform(f, lambda e, i: e - m - b * (i - 1 - x))",
    "arrayMap((e, i) -> e - m - b * (i - 1 - x), f, arrayEnumerate(f))",
)
ALIKE = (
    """
        CASE
        WHEN list_dot_product(c, c) < 1e-12 * greatest(m * m, 1) OR len(c) < 4 THEN CAST([] AS DOUBLE[])
        ELSE list_transform(
            range(0, len(c) // 2 + 1),
            lambda p: list_dot_product(
                list_slice(c, 1, len(c) - p), list_slice(c, p + 1, len(c))
            ) / list_dot_product(c, c) * len(c) / (len(c) - p)
        )
        END""",
    """
        if(
            arraySum(e -> e * e, c) < 1e-12 * greatest(m * m, 1) OR length(c) < 4, CAST([] AS Array(Float64)),
            arrayMap(
                p -> arraySum(
                    arrayMap((y, z) -> y * z, arraySlice(c, 1, length(c) - p), arraySlice(c, p + 1))
                ) / arraySum(e -> e * e, c) * length(c) / (length(c) - p),
                range(intDiv(length(c), 2) + 1)
            )
        )""",
)
DETECTED = lets(PERIOD, m=MEAN, x=MIDDLE, b=SLOPE, c=CENTRED, a=ALIKE)
LEARNT = ("list_slice(s, 1, len(s) - _3)", "arraySlice(arrayMap(e -> assumeNotNull(e), s), 1, toInt64(length(s)) - _3)")
SEASON = (
    f"CASE WHEN _1 >= 0 THEN _1 ELSE {DETECTED[0]} END",
    f"if(_1 >= 0, toInt64(assumeNotNull(_1)), toInt64({DETECTED[1]}))",
)
PHASES = (
    """
        list_transform(
            range(1, k + 1),
            lambda j: coalesce(list_aggregate(list_filter(f, lambda e, i: (i - j) % k = 0), 'median'), 0)
        )""",
    """
        arrayMap(
            j -> ifNotFinite(
                arrayReduce(
                    'quantileExactInclusive(0.5)', arrayFilter((e, i) -> (i - 1) % k = j, f, arrayEnumerate(f))
                ),
                0
            ),
            range(toUInt64(k))
        )""",
)
SEASONAL = (
    "list_transform(s, lambda e, i: CASE WHEN k > 0 THEN o[(i - 1) % k + 1] ELSE 0 END)",
    "arrayMap(i -> if(k > 0, o[(i - 1) % greatest(k, 1) + 1], 0), arrayEnumerate(s))",
)
LEFT = (
    "list_transform(f, lambda e, i: e - z[i])",
    "arrayMap((e, i) -> e - z[i], f, arrayEnumerate(f))",
)
TREND = (
    "list_transform(s, lambda e, i: CASE _2 WHEN 'none' THEN 0 WHEN 'avg' THEN m ELSE m + b * (i - 1 - x) END)",
    "arrayMap(i -> CASE _2 WHEN 'none' THEN 0 WHEN 'avg' THEN m ELSE m + b * (i - 1 - x) END, arrayEnumerate(s))",
)
BASELINE = (
    "list_transform(s, lambda e, i: z[i] + t[i])",
    "arrayMap((y, i) -> y + i, z, t)",
)
# A difference of the size of rounding errors is no residual.
RESIDUAL = (
    """
        list_transform(
            s,
            lambda e, i: CASE WHEN abs(e - w[i]) < 1e-12 * greatest(abs(e), abs(w[i])) THEN 0 ELSE e - w[i] END
        )""",
    """
        arrayMap(
            (e, i) -> if(
                abs(assumeNotNull(e) - i) < 1e-12 * greatest(abs(assumeNotNull(e)), abs(i)), 0,
                assumeNotNull(e) - i
            ),
            s, w
        )""",
)


SOLID = "CASE WHEN len(s) > 0 AND len(list_filter(s, lambda e: coalesce(isfinite(e), FALSE))) = len(s) THEN s END"


def parts(body: Pair, **values: Pair) -> Pair:
    """Return the templates of a value of the decomposition of a series.

    Its names are the seasonal part ``z``, trend ``t``, baseline ``w`` and residual ``q``, and those of ``values``.
    """
    trend = lets(TREND, f=LEFT, m=MEAN, x=MIDDLE, b=SLOPE)
    steps = {"f": LEARNT, "k": SEASON, "o": PHASES, "z": SEASONAL, "t": trend, "w": BASELINE, "q": RESIDUAL, **values}
    duck = {name: step[0] for name, step in steps.items()}
    return (
        staged(f"CASE WHEN s IS NOT NULL THEN {body[0]} END", s=numbers("_0")[0], s_=SOLID, **duck),
        usable(lets(body, **steps))[1],
    )


def anomalies() -> Pair:
    """Return the templates that flag scores of the residual beyond ``_5``, by the percentiles ``_6`` and ``_7``."""
    flags = (
        "list_transform(y, lambda e: CASE WHEN e > _5 THEN 1 WHEN e < -_5 THEN -1 ELSE 0 END)",
        "arrayMap(e -> multiIf(e > _5, 1, e < -_5, -1, 0), y)",
    )
    columns = array({"ad_flag": flags, "ad_score": ("y", "y"), "baseline": ("w", "w")})
    return parts(columns, y=scores("q", "_6", "_7"))


def outliers() -> Pair:
    """Return the templates of Tukey's test.

    The percentiles are ``_2`` and ``_3``; elements equal to ``_1`` are missing and score 0.
    """
    values = (
        f"list_transform({numbers('_0')[0]}, lambda e: CASE WHEN e = _1 THEN NULL ELSE e END)",
        f"arrayMap(e -> if(ifNull(e = _1, FALSE), NULL, e), {numbers('_0')[1]})",
    )
    duck, click = lets(scores("s", "_2", "_3"), s=values)
    return f"to_json({duck})", f"if(startsWith(ifNull(_0, ''), '['), toJSONString({click}), NULL)"


PARTS: dict[str, Pair] = {"baseline": ("w", "w"), "seasonal": ("z", "z"), "trend": ("t", "t"), "residual": ("q", "q")}
SERIES_ANALYSIS = rows(
    [
        Function(
            "series_stats",
            "dynamic bool?",
            "dynamic",
            sql=stats(array(dict(list(STATS.items())[:7]))),
            columns=tuple((name, "long" if name.endswith("idx") else "real") for name in list(STATS)[:7]),
            doc="Return statistics of a series as columns: min, min_idx, max, max_idx, avg, stdev and variance.",
        ),
        Function(
            "series_stats_dynamic",
            "dynamic bool?",
            "dynamic",
            sql=stats(bag(STATS)),
            doc="Return statistics of a series as a property bag.",
        ),
        Function(
            "series_fit_line",
            "dynamic",
            "dynamic",
            sql=fit(array(FIT)),
            columns=tuple((name, "dynamic" if name == "line_fit" else "real") for name in FIT),
            doc="Fit a line; columns rsquare, slope, variance, rvariance, interception and line_fit.",
        ),
        Function(
            "series_fit_line_dynamic",
            "dynamic",
            "dynamic",
            sql=fit(bag(FIT)),
            doc="Fit a line to a series; the result is a property bag.",
        ),
        Function("series_outliers_of", "dynamic real real real", "dynamic", sql=outliers()),
        Function(
            "series_outliers",
            "dynamic string? any? real? real?",
            "dynamic",
            column_name="{0}",
            doc="Score outliers by Tukey's test, with the percentiles 10 and 90 (ctukey) or 25 and 75 (tukey).",
        ),
        Function("series_parts", "dynamic long string long real", "dynamic", sql=parts(array(PARTS))),
        Function(
            "series_decompose",
            "dynamic long? string? long? real?",
            "dynamic",
            columns=tuple((name, "dynamic") for name in PARTS),
            doc="Decompose a series: columns baseline, seasonal, trend and residual; a period of -1 is detected.",
        ),
        Function("series_anomalies", "dynamic long string long real real real real", "dynamic", sql=anomalies()),
        Function(
            "series_decompose_anomalies",
            "dynamic real? long? string? long? string? real?",
            "dynamic",
            columns=(("ad_flag", "dynamic"), ("ad_score", "dynamic"), ("baseline", "dynamic")),
            doc="Detect anomalies by decomposition; columns ad_flag (1, -1 or 0), ad_score and baseline.",
        ),
        Function(
            "series_decompose_forecast",
            "dynamic long long? string? real?",
            "dynamic",
            doc="Forecast the last points of a series by decomposition.",
        ),
    ]
)
