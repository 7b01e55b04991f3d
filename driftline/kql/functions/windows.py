"""Window functions: the values of other rows, in the order of a serialized table."""

from __future__ import annotations

from driftline.kql.functions.row import WindowFunction, rows

__all__ = ["WINDOWS"]

WINDOWS = rows(
    [
        WindowFunction(
            "row_number",
            "long? bool?",
            "long",
            doc="Return the number of the row, from 1 or another start, which begins again at each restart.",
        ),
        WindowFunction("prev", "any long? any?", "same", doc="Return a value of a previous row."),
        WindowFunction("next", "any long? any?", "same", doc="Return a value of a following row."),
        WindowFunction(
            "row_cumsum", "span bool?", "same", doc="Return the cumulative sum up to the row, since the last restart."
        ),
        WindowFunction(
            "row_rank_dense",
            "any bool?",
            "long",
            doc="Return the dense rank: the number of changes of a value up to the row.",
        ),
        WindowFunction(
            "row_rank_min",
            "any bool?",
            "long",
            doc="Return the minimal rank: the number of the first row with the same value.",
        ),
        WindowFunction(
            "row_window_session",
            "datetime timespan timespan bool?",
            "datetime",
            doc="Return the start of the session of the row, by the largest session length and pause.",
        ),
        WindowFunction("number_row", "", "long", both="row_number()"),
        WindowFunction(
            "lag",
            "any long any",
            "same",
            duckdb="lag(_0, _1, _2)",
            clickhouse="lagInFrame(_0, toUInt64(assumeNotNull(_1)), _2)",
            reads_other_row=True,
        ),
        WindowFunction(
            "lead",
            "any long any",
            "same",
            duckdb="lead(_0, _1, _2)",
            clickhouse="leadInFrame(_0, toUInt64(assumeNotNull(_1)), _2)",
            reads_other_row=True,
        ),
        WindowFunction("running_sum", "span", "same", both="sum(_0)"),
        WindowFunction("running_max", "long", "long", both="max(_0)"),
    ]
)
