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
            doc="Number the rows of a serialized table, from 1 or another number, anew at each restart.",
        ),
        WindowFunction("prev", "any long? any?", "same", doc="Give a value of a row before."),
        WindowFunction("next", "any long? any?", "same", doc="Give a value of a row after."),
        WindowFunction("row_cumsum", "span bool?", "same", doc="Add up the rows so far, or since the last restart."),
        WindowFunction("row_rank_dense", "any bool?", "long", doc="Count the changes of a value so far."),
        WindowFunction(
            "row_rank_min", "any bool?", "long", doc="Give the number of the row that began a run of a value."
        ),
        WindowFunction(
            "row_window_session",
            "datetime timespan timespan bool?",
            "datetime",
            doc="Give the time at which a row's session began, by its longest length and pause; a row at a time.",
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
