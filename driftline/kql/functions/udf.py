"""Functions that need a Python library: on DuckDB as user-defined functions, on ClickHouse mostly refused.

``driftline.store.udf.registration`` registers them in the process that runs the hunt.
"""

from __future__ import annotations

from driftline.kql.functions.row import Function, Growth, rows
from driftline.kql.functions.sql_lists import lets

__all__ = ["UDF"]

TEXT = "CAST(_0 AS VARCHAR)"
# Each substring becomes a character of private use first, and that its replacement: no replacement is searched again.
PRIVATE = "[\\x{100000}-\\x{10FFFF}]".replace("\\", "\\\\")
MARK = "char(244, 128 + bitShiftRight(i, 12), 128 + bitAnd(bitShiftRight(i, 6), 63), 128 + bitAnd(i, 63))"
CLICK_REPLACED = lets(
    (
        "",
        f"""
            if(
                startsWith(ifNull(_1, ''), '[') AND startsWith(ifNull(_2, ''), '[') AND length(w) = length(r),
                arrayFold(
                    (t, i) -> replaceAll(
                        t, {MARK}, if(startsWith(r[i], '"'), JSONExtractString(r[i]), JSONExtractString(w[i]))
                    ),
                    arrayEnumerate(w),
                    arrayFold(
                        (t, i) -> if(
                            startsWith(w[i], '"') AND w[i] <> '""',
                            replaceAll(t, JSONExtractString(w[i]), {MARK}), t
                        ),
                        arrayEnumerate(w),
                        if(
                            throwIf(
                                match(concat(_0, ifNull(_2, '')), '{PRIVATE}'), 'characters of private use'
                            ) = 0,
                            _0, ''
                        )
                    )
                ),
                ''
            )""",
    ),
    w=("", "JSONExtractArrayRaw(ifNull(_1, '[]'))"),
    r=("", "JSONExtractArrayRaw(ifNull(_2, '[]'))"),
)[1]


def _or_nan(name: str, count: int, condition: str = "") -> str:
    """Return the template of a call that is NaN, not null, for arguments outside of the function's domain.

    DuckDB converts a NaN that a Python function returns to null. ``condition`` restricts the arguments for which NaN is
    the result.
    """
    values = [f"_{number}" for number in range(count)]
    present = " AND ".join(f"{value} IS NOT NULL" for value in values)
    return f"coalesce({name}({', '.join(values)}), CASE WHEN {present}{condition} THEN CAST('nan' AS DOUBLE) END)"


UDF = rows(
    [
        Function(
            "parse_xml",
            "string",
            "dynamic",
            duckdb="CAST(xml_to_json(_0) AS JSON)",
            only_on="duckdb",
            aliases=("parsexml",),
            column_name="{0}",
            doc="Convert XML to dynamic; null if it is invalid, has a document type or exceeds 1 MB.",
        ),
        Function("hash_text", "string", "long", duckdb="hash_text(_0)", clickhouse="toInt64(xxHash64(_0))"),
        Function("hash_whole", "long", "long", duckdb="hash_whole(_0)", clickhouse="toInt64(xxHash64(_0))"),
        Function(
            "unsigned_remainder",
            "long long",
            "long",
            duckdb="""
                CAST(
                    (
                        CASE WHEN _0 < 0 THEN CAST(_0 AS HUGEINT) + 18446744073709551616 ELSE _0 END
                    ) % nullif(abs(_1), 0) AS BIGINT
                )""",
            clickhouse="toInt64(reinterpretAsUInt64(assumeNotNull(_0)) % nullIf(abs(_1), 0))",
        ),
        Function(
            "ticks_of",
            "any",
            "long",
            duckdb={"datetime": "epoch_us(_0) * 10 + 621355968000000000", "*": "CAST(_0 AS BIGINT)"},
            clickhouse={"datetime": "toUnixTimestamp64Micro(_0) * 10 + 621355968000000000", "*": "toInt64(_0)"},
        ),
        Function(
            "hash",
            "any long?",
            "long",
            doc="Return the xxHash64 of a string, whole number, bool, datetime or timespan; modulo is optional.",
        ),
        Function("hash_xxhash64", "any long?", "long", doc="Return the xxHash64 of a value, as hash does."),
        Function(
            "ipv4_range_to_cidr_list",
            "string string",
            "dynamic",
            duckdb="CAST(ipv4_ranges(_0, _1) AS JSON)",
            only_on="duckdb",
            doc="Return the CIDR ranges that cover the IPv4 addresses between two addresses.",
        ),
        *(
            Function(f"punycode_{way}", "string", "string", duckdb=f"punycode(_0, '{way}')", only_on="duckdb", doc=doc)
            for way, doc in (
                ("to_string", "Decode Punycode; empty if it is invalid."),
                ("from_string", "Encode a string as Punycode."),
                ("domain_to_string", "Decode the labels of a domain that begin with xn--."),
                ("domain_from_string", "Encode the labels of a domain that are not ASCII."),
            )
        ),
        *(
            Function(
                f"{kind}_compress_to_base64_string",
                "string",
                "string",
                duckdb=f"compressed(_0, '{kind}')",
                only_on="duckdb",
                doc=f"Compress a string with {kind} and encode it as base64.",
            )
            for kind in ("zlib", "gzip")
        ),
        *(
            Function(
                f"{kind}_decompress_from_base64_string",
                "string",
                "string",
                duckdb=f"decompressed(_0, '{kind}')",
                only_on="duckdb",
                growth=Growth.UNBOUNDED,
                doc=f"Decompress base64 of {kind}; empty if it is invalid, not UTF-8 or more than 1 MB.",
            )
            for kind in ("zlib", "gzip")
        ),
        Function(
            "reduced_texts",
            "dynamic real string",
            "dynamic",
            duckdb=f"CAST(reduced({TEXT}, _1, _2) AS JSON)",
            only_on="duckdb",
            used_by="reduce",
            growth=Growth.UNBOUNDED,
        ),
        Function(
            "reduced_patterns",
            "dynamic real string",
            "dynamic",
            duckdb=f"CAST(reduced_patterns({TEXT}, _1, _2) AS JSON)",
            only_on="duckdb",
            used_by="reduce",
            growth=Growth.UNBOUNDED,
        ),
        Function(
            "marked_components",
            "dynamic bool",
            "dynamic",
            duckdb=f"CAST(marked_components({TEXT}, _1) AS JSON)",
            only_on="duckdb",
            used_by="graph-mark-components",
            growth=Growth.UNBOUNDED,
        ),
        Function(
            "clustered_rows",
            "dynamic real long",
            "dynamic",
            duckdb=f"CAST(clustered({TEXT}, _1, _2) AS JSON)",
            only_on="duckdb",
            used_by="evaluate autocluster",
            growth=Growth.UNBOUNDED,
        ),
        Function(
            "treepath",
            "dynamic",
            "dynamic",
            duckdb=f"CAST(tree_paths({TEXT}) AS JSON)",
            only_on="duckdb",
            growth=Growth.UNBOUNDED,
            doc="Return the paths of all leaves of a dynamic value.",
        ),
        Function(
            "replace_strings",
            "string dynamic dynamic",
            "string",
            duckdb="replaced_texts(_0, CAST(_1 AS VARCHAR), CAST(_2 AS VARCHAR))",
            clickhouse=CLICK_REPLACED,
            growth=Growth.UNBOUNDED,
            doc="Replace several substrings, each by its own replacement; the first match at a position counts.",
        ),
        Function(
            "erf",
            "real",
            "real",
            duckdb="error_function(_0, FALSE)",
            clickhouse="erf(_0)",
            doc="Return the error function of a number.",
        ),
        Function(
            "erfc",
            "real",
            "real",
            duckdb="error_function(_0, TRUE)",
            clickhouse="erfc(_0)",
            doc="Return the complementary error function of a number.",
        ),
        Function(
            "beta_cdf",
            "real real real",
            "real",
            duckdb=_or_nan("beta_cdf", 3),
            only_on="duckdb",
            doc="Return the cumulative distribution function of the beta distribution.",
        ),
        Function(
            "beta_inv",
            "real real real",
            "real",
            duckdb=_or_nan("beta_inv", 3, " AND _0 > 0 AND _0 <= 1"),
            only_on="duckdb",
            doc="Return the inverse of the cumulative distribution function of the beta distribution.",
        ),
        Function(
            "beta_pdf",
            "real real real",
            "real",
            duckdb=_or_nan("beta_pdf", 3),
            only_on="duckdb",
            doc="Return the probability density function of the beta distribution.",
        ),
        Function(
            "welch_test",
            "real real real real real real",
            "real",
            duckdb=_or_nan("welch_test", 6),
            only_on="duckdb",
            doc="Return the p-value of Welch's t-test, from the mean, variance and count of two samples.",
        ),
        Function(
            "series_fft",
            "dynamic dynamic?",
            "dynamic",
            duckdb=f"CAST(series_transformed({TEXT}, CAST(_1 AS VARCHAR), FALSE) AS JSON)",
            only_on="duckdb",
            columns=(("real", "dynamic"), ("imag", "dynamic")),
            doc="Apply the fast Fourier transform; columns real and imag.",
        ),
        Function(
            "series_ifft",
            "dynamic dynamic?",
            "dynamic",
            duckdb=f"CAST(series_transformed({TEXT}, CAST(_1 AS VARCHAR), TRUE) AS JSON)",
            only_on="duckdb",
            columns=(("real", "dynamic"), ("imag", "dynamic")),
            doc="Apply the inverse fast Fourier transform; columns real and imag.",
        ),
        Function(
            "series_periods_detect",
            "dynamic real real long",
            "dynamic",
            duckdb=f"CAST(series_periods({TEXT}, _1, _2, _3) AS JSON)",
            only_on="duckdb",
            columns=(("periods", "dynamic"), ("periods_scores", "dynamic")),
            doc="Detect the periods of a series by an algorithm of our own; columns periods and periods_scores.",
        ),
        Function(
            "series_periods_of",
            "dynamic dynamic",
            "dynamic",
            duckdb=f"CAST(series_validated({TEXT}, CAST(_1 AS VARCHAR)) AS JSON)",
            only_on="duckdb",
            used_by="series_periods_detect",
        ),
        Function(
            "series_periods_validate",
            "dynamic real*",
            "dynamic",
            only_on="duckdb",
            columns=(("periods", "dynamic"), ("scores", "dynamic")),
            doc="Score given periods of a series; columns periods and scores.",
        ),
        Function(
            "parse_user_agent",
            "string any",
            "dynamic",
            duckdb="CAST(parsed_user_agent(_0, _1) AS JSON)",
            only_on="duckdb",
            growth=64,
            doc='Return the parts "browser", "os" and "device" of a user agent that a text or an array names.',
        ),
        Function(
            "estimate_data_size",
            "any*",
            "long",
            doc="Return the approximate size of columns in bytes: `*`, or names of columns.",
        ),
        Function(
            "series_fit_poly_of",
            "dynamic dynamic long",
            "dynamic",
            duckdb=f"CAST(series_fitted({TEXT}, CAST(_1 AS VARCHAR), _2) AS JSON)",
            only_on="duckdb",
            used_by="series_fit_poly",
        ),
        Function(
            "series_fit_poly",
            "dynamic dynamic? long?",
            "dynamic",
            only_on="duckdb",
            columns=(
                ("rsquare", "real"),
                ("coefficients", "dynamic"),
                ("variance", "real"),
                ("rvariance", "real"),
                ("poly_fit", "dynamic"),
            ),
            doc="Fit a polynomial; columns rsquare, coefficients, variance, rvariance and poly_fit.",
        ),
    ]
)
