"""Datetimes (UTC, microseconds since 1970, timestamps without zone) and timespans (ticks of 100 ns)."""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows

__all__ = ["DATETIMES", "TEXT_OF_DATETIME", "TEXT_OF_TIMESPAN"]

YEAR_ONE = 62_135_596_800_000_000  # microseconds from 0001-01-01 to 1970-01-01: bins are aligned there
DAY_US = 86_400_000_000


def us(x: str) -> str:
    """Return DuckDB's expression for the microseconds since 1970 of a datetime."""
    return f"epoch_us({x})"


def ch_us(x: str) -> str:
    """Return ClickHouse's expression for the microseconds since 1970 of a datetime."""
    return f"toUnixTimestamp64Micro({x})"


def moment(micros: str) -> str:
    """Return DuckDB's expression for the datetime of microseconds since 1970."""
    return f"make_timestamp({micros})"


def ch_moment(micros: str) -> str:
    """Return ClickHouse's expression for the datetime of microseconds since 1970."""
    return f"fromUnixTimestamp64Micro({micros}, 'UTC')"


TEXT_OF_DATETIME = (
    "concat(strftime(_0, '%Y-%m-%dT%H:%M:%S.%f'), '0Z')",
    "concat(formatDateTime(_0, '%Y-%m-%dT%H:%i:%S.%f'), '0Z')",
)
CLOCK_DUCK = """
        concat(
            CASE WHEN _0 < 0 THEN '-' ELSE '' END,
            CASE
            WHEN abs(_0) >= 864000000000 THEN concat(CAST(abs(_0) // 864000000000 AS TEXT), '.')
            ELSE ''
            END,
            lpad(CAST(abs(_0) // 36000000000 % 24 AS TEXT), 2, '0'), ':',
            lpad(CAST(abs(_0) // 600000000 % 60 AS TEXT), 2, '0'), ':',
            lpad(CAST(abs(_0) // 10000000 % 60 AS TEXT), 2, '0'),
            CASE
            WHEN abs(_0) % 10000000 > 0 THEN concat('.', lpad(CAST(abs(_0) % 10000000 AS TEXT), 7, '0'))
            ELSE ''
            END
        )"""
CLOCK_CLICK = """
        concat(
            if(_0 < 0, '-', ''),
            if(abs(_0) >= 864000000000, concat(toString(intDiv(abs(_0), 864000000000)), '.'), ''),
            leftPad(toString(intDiv(abs(_0), 36000000000) % 24), 2, '0'), ':',
            leftPad(toString(intDiv(abs(_0), 600000000) % 60), 2, '0'), ':',
            leftPad(toString(intDiv(abs(_0), 10000000) % 60), 2, '0'),
            if(abs(_0) % 10000000 > 0, concat('.', leftPad(toString(abs(_0) % 10000000), 7, '0')), '')
        )"""
TEXT_OF_TIMESPAN = (CLOCK_DUCK, CLOCK_CLICK)


def start(unit: str, click: str) -> tuple[str, str]:
    """Return the templates of the start of a period, moved by ``_1`` periods."""
    duck = f"date_trunc('{unit}', _0 + to_{unit}s(CAST(coalesce(_1, 0) AS INT)))"
    add = f"add{unit.title()}s(_0, ifNull(_1, 0))"
    return f"TRY(CAST({duck} AS TIMESTAMP))", f"CAST({click.format(add)} AS Nullable(DateTime64(6, 'UTC')))"


# Kusto's weeks begin on Sunday; 1970 began on a Thursday.
WEEK_START = (
    "CAST(date_trunc('week', _0 + to_days(1 + 7 * CAST(coalesce(_1, 0) AS INT))) AS TIMESTAMP) - to_days(1)",
    ch_moment(
        f"{ch_us('_0')} - positiveModulo({ch_us('_0')} + {4 * DAY_US}, {7 * DAY_US}) + (ifNull(_1, 0)) * {7 * DAY_US}"
    ),
)
DAY_START = start("day", "toStartOfDay({})")
MONTH_START = start("month", "toStartOfMonth({})")
YEAR_START = start("year", "toStartOfYear({})")


def end(begin: tuple[str, str]) -> tuple[str, str]:
    """Return the templates of the end of a period: one microsecond before the start of the next one."""
    duck = begin[0].replace("coalesce(_1, 0)", "coalesce(_1, 0) + 1")
    click = begin[1].replace("ifNull(_1, 0)", "ifNull(_1, 0) + 1")
    return f"({duck}) - to_microseconds(1)", f"addMicroseconds({click}, -1)"


def part(name: str, duck: str, click: str, doc: str = "", aliases: tuple[str, ...] = ()) -> Function:
    """Return the row of a function that reads a part of a datetime as an int."""
    return Function(
        name,
        "datetime",
        "int",
        duckdb=f"CAST({duck} AS INT)",
        clickhouse=f"toInt32({click})",
        aliases=aliases,
        doc=doc,
    )


STEP = "nullif(greatest(_1 // 10, 0), 0)"


def boundaries(unit: str, micros: int, shift: int = 0) -> Function:
    """Return the row of ``datetime_diff`` for a unit of fixed length, in microseconds.

    Kusto counts the boundaries of the unit between two datetimes, not whole units. ``shift`` moves the boundaries,
    which else are aligned at year 1.
    """
    duck = f"(({us('_0')} + {YEAR_ONE + shift}) // {micros}) - (({us('_1')} + {YEAR_ONE + shift}) // {micros})"
    click = (
        f"intDiv({ch_us('_0')} + {YEAR_ONE + shift}, {micros}) - intDiv({ch_us('_1')} + {YEAR_ONE + shift}, {micros})"
    )
    return Function(f"datetime_diff_{unit}", "datetime datetime", "long", duckdb=duck, clickhouse=click)


CLOCK = "(_3 BETWEEN 0 AND 23) AND (_4 BETWEEN 0 AND 59) AND _5 >= 0 AND _5 < 60"
# Neither engine stores Kusto's seventh decimal of a second: it is cut off, not rounded.
MICROSECONDS = "CAST(round(_5 * 10000000) AS BIGINT) // 10", "intDiv(toInt64(round(_5 * 10000000)), 10)"
SPAN_CLOCK = "(_1 BETWEEN 0 AND 23) AND (_2 BETWEEN 0 AND 59) AND _3 >= 0 AND _3 < 60"
WRITTEN = """
        concat(
            leftPad(toString(_0), 4, '0'), '-', leftPad(toString(_1), 2, '0'), '-',
            leftPad(toString(_2), 2, '0'), ' ', leftPad(toString(_3), 2, '0'), ':',
            leftPad(toString(_4), 2, '0'), ':00'
        )"""


def since_1970(per_second: int, number: tuple[str, str]) -> tuple[str, str]:
    """Return the templates of a datetime of ``_0`` units since 1970; null outside of the years 1 to 9999.

    ``number`` are the templates of its microseconds.
    """
    within = f"_0 BETWEEN {-62_135_596_800 * per_second} AND {253_402_300_799 * per_second}"
    return f"CASE WHEN {within} THEN {moment(number[0])} END", f"if({within}, {ch_moment(number[1])}, NULL)"


WHOLE_THOUSANDS = (
    "{x} // 1000 - CASE WHEN {x} % 1000 < 0 THEN 1 ELSE 0 END",
    "intDiv({x}, 1000) - if({x} % 1000 < 0, 1, 0)",
)
DATETIMES = rows(
    [
        Function(
            "now",
            "timespan?",
            "datetime",
            doc="Return the time at which the query began (UTC), plus an optional timespan.",
        ),
        Function(
            "ago", "timespan", "datetime", doc="Return the time at which the query began (UTC), minus a timespan."
        ),
        Function(
            "ingestion_time",
            "",
            "datetime",
            column_name="$IngestionTime",
            doc="Return the time of the row's event, its Timestamp; null for rows without one.",
        ),
        Function("now_utc", "", "datetime", duckdb="make_timestamp(epoch_us(now()))", clickhouse="now64(6, 'UTC')"),
        Function(
            "datetime+",
            "datetime timespan",
            "datetime",
            duckdb="TRY(_0 + to_microseconds(_1 // 10))",
            clickhouse="addMicroseconds(_0, intDiv(_1, 10))",
        ),
        Function(
            "datetime-",
            "datetime timespan",
            "datetime",
            duckdb="_0 - to_microseconds(_1 // 10)",
            clickhouse="addMicroseconds(_0, -intDiv(_1, 10))",
        ),
        Function(
            "datetime_minus",
            "datetime datetime",
            "timespan",
            duckdb=f"({us('_0')} - {us('_1')}) * 10",
            clickhouse=f"({ch_us('_0')} - {ch_us('_1')}) * 10",
        ),
        Function(
            "bin_datetime",
            "datetime timespan",
            "datetime",
            duckdb=moment(f"{us('_0')} - (({us('_0')} + {YEAR_ONE}) % nullif(greatest(_1 // 10, 0), 0))"),
            clickhouse=ch_moment(
                f"{ch_us('_0')} - (({ch_us('_0')} + {YEAR_ONE}) % nullIf(greatest(intDiv(_1, 10), 0), 0))"
            ),
        ),
        Function(
            "bin_at_datetime",
            "datetime timespan datetime",
            "datetime",
            duckdb=moment(f"{us('_0')} - ((({us('_0')} - {us('_2')}) % {STEP}) + {STEP}) % {STEP}"),
            clickhouse=(
                ch_moment(
                    f"""
                        {ch_us("_0")} - positiveModulo(
                            {ch_us("_0")} - {ch_us("_2")}, nullIf(greatest(intDiv(_1, 10), 0), 0)
                        )"""
                )
            ),
        ),
        Function(
            "startofday",
            "datetime long?",
            "datetime",
            sql=DAY_START,
            column_name="{0}",
            doc="Return the start of the day of a datetime, moved by a number of days.",
        ),
        Function(
            "startofweek",
            "datetime long?",
            "datetime",
            sql=WEEK_START,
            doc="Return the start of the week (Sunday) of a datetime, moved by a number of weeks.",
        ),
        Function(
            "startofmonth",
            "datetime long?",
            "datetime",
            sql=MONTH_START,
            doc="Return the start of the month of a datetime, moved by a number of months.",
        ),
        Function(
            "startofyear",
            "datetime long?",
            "datetime",
            sql=YEAR_START,
            doc="Return the start of the year of a datetime, moved by a number of years.",
        ),
        Function(
            "endofday",
            "datetime long?",
            "datetime",
            sql=end(DAY_START),
            doc="Return the last microsecond of the day of a datetime, moved by a number of days.",
        ),
        Function(
            "endofweek",
            "datetime long?",
            "datetime",
            sql=end(WEEK_START),
            doc="Return the last microsecond of the week of a datetime, moved by a number of weeks.",
        ),
        Function(
            "endofmonth",
            "datetime long?",
            "datetime",
            sql=end(MONTH_START),
            doc="Return the last microsecond of the month of a datetime, moved by a number of months.",
        ),
        Function(
            "endofyear",
            "datetime long?",
            "datetime",
            sql=end(YEAR_START),
            doc="Return the last microsecond of the year of a datetime, moved by a number of years.",
        ),
        part("getyear", "year(_0)", "toYear(_0)", "Return the year of a datetime."),
        part("getmonth", "month(_0)", "toMonth(_0)", "Return the month of a datetime, 1 to 12."),
        part("monthofyear", "month(_0)", "toMonth(_0)", "Return the month of a datetime, 1 to 12."),
        part("dayofmonth", "day(_0)", "toDayOfMonth(_0)", "Return the day of the month, 1 to 31.", ("getday",)),
        part("dayofyear", "dayofyear(_0)", "toDayOfYear(_0)", "Return the day of the year, 1 to 366."),
        part("hourofday", "hour(_0)", "toHour(_0)", "Return the hour of the day, 0 to 23."),
        part(
            "week_of_year", "weekofyear(_0)", "toISOWeek(_0)", "Return the ISO 8601 week of the year.", ("weekofyear",)
        ),
        Function(
            "dayofweek",
            "datetime",
            "timespan",
            duckdb="CAST(dayofweek(_0) AS BIGINT) * 864000000000",
            clickhouse="toInt64(toDayOfWeek(_0) % 7) * 864000000000",
            doc="Return the days since the preceding Sunday, as a timespan.",
        ),
        part("datetime_part_year", "year(_0)", "toYear(_0)"),
        part("datetime_part_quarter", "quarter(_0)", "toQuarter(_0)"),
        part("datetime_part_month", "month(_0)", "toMonth(_0)"),
        part("datetime_part_week_of_year", "weekofyear(_0)", "toISOWeek(_0)"),
        part("datetime_part_day", "day(_0)", "toDayOfMonth(_0)"),
        part("datetime_part_dayofyear", "dayofyear(_0)", "toDayOfYear(_0)"),
        part("datetime_part_hour", "hour(_0)", "toHour(_0)"),
        part("datetime_part_minute", "minute(_0)", "toMinute(_0)"),
        part("datetime_part_second", "second(_0)", "toSecond(_0)"),
        part(
            "datetime_part_millisecond",
            "microsecond(_0) % 1000000 // 1000",
            "intDiv(positiveModulo(toUnixTimestamp64Micro(_0), 1000000), 1000)",
            "",
        ),
        part(
            "datetime_part_microsecond",
            "microsecond(_0) % 1000000",
            "positiveModulo(toUnixTimestamp64Micro(_0), 1000000)",
        ),
        part(
            "datetime_part_nanosecond",
            "(microsecond(_0) % 1000000) * 1000",
            "positiveModulo(toUnixTimestamp64Micro(_0), 1000000) * 1000",
        ),
        Function(
            "datetime_part",
            "string datetime",
            "int",
            aliases=("datepart",),
            doc='Return a named part of a datetime, such as "month".',
        ),
        Function(
            "datetime_diff",
            "string datetime datetime",
            "long",
            doc='Count the boundaries of a unit, such as "day", between two datetimes.',
        ),
        Function(
            "datetime_diff_year",
            "datetime datetime",
            "long",
            duckdb="CAST(year(_0) - year(_1) AS BIGINT)",
            clickhouse="toInt64(toYear(_0)) - toInt64(toYear(_1))",
        ),
        Function(
            "datetime_diff_quarter",
            "datetime datetime",
            "long",
            duckdb="CAST((year(_0) - year(_1)) * 4 + quarter(_0) - quarter(_1) AS BIGINT)",
            clickhouse="(toInt64(toYear(_0)) - toInt64(toYear(_1))) * 4 + toQuarter(_0) - toQuarter(_1)",
        ),
        Function(
            "datetime_diff_month",
            "datetime datetime",
            "long",
            duckdb="CAST((year(_0) - year(_1)) * 12 + month(_0) - month(_1) AS BIGINT)",
            clickhouse="(toInt64(toYear(_0)) - toInt64(toYear(_1))) * 12 + toMonth(_0) - toMonth(_1)",
        ),
        boundaries("week", 7 * DAY_US, DAY_US),
        boundaries("day", DAY_US),
        boundaries("hour", 3_600_000_000),
        boundaries("minute", 60_000_000),
        boundaries("second", 1_000_000),
        boundaries("millisecond", 1_000),
        boundaries("microsecond", 1),
        Function(
            "datetime_diff_nanosecond",
            "datetime datetime",
            "long",
            duckdb=f"({us('_0')} - {us('_1')}) * 1000",
            clickhouse=f"({ch_us('_0')} - {ch_us('_1')}) * 1000",
        ),
        Function(
            "datetime_add",
            "string long datetime",
            "datetime",
            doc='Add a number of units, such as "month", to a datetime.',
        ),
        Function(
            "datetime_add_year",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_years(CAST(_1 AS INT)))",
            clickhouse="addYears(_0, _1)",
        ),
        Function(
            "datetime_add_quarter",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_months(CAST(_1 * 3 AS INT)))",
            clickhouse="addQuarters(_0, _1)",
        ),
        Function(
            "datetime_add_month",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_months(CAST(_1 AS INT)))",
            clickhouse="addMonths(_0, _1)",
        ),
        Function(
            "datetime_add_week",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_weeks(CAST(_1 AS INT)))",
            clickhouse="addWeeks(_0, _1)",
        ),
        Function(
            "datetime_add_day",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_days(CAST(_1 AS INT)))",
            clickhouse="addDays(_0, _1)",
        ),
        Function(
            "datetime_add_hour",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_hours(_1))",
            clickhouse="addHours(_0, _1)",
        ),
        Function(
            "datetime_add_minute",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_minutes(_1))",
            clickhouse="addMinutes(_0, _1)",
        ),
        Function(
            "datetime_add_second",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_microseconds(_1 * 1000000))",
            clickhouse="addSeconds(_0, _1)",
        ),
        Function(
            "datetime_add_millisecond",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_microseconds(_1 * 1000))",
            clickhouse="addMilliseconds(_0, _1)",
        ),
        Function(
            "datetime_add_microsecond",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_microseconds(_1))",
            clickhouse="addMicroseconds(_0, _1)",
        ),
        Function(
            "datetime_add_nanosecond",
            "datetime long",
            "datetime",
            duckdb="TRY(_0 + to_microseconds(_1 // 1000))",
            clickhouse="addMicroseconds(_0, intDiv(_1, 1000))",
        ),
        Function(
            "make_datetime_parts",
            "long long long long long real",
            "datetime",
            duckdb=f"""
                TRY(
                    CASE
                    WHEN _0 BETWEEN 1 AND 9999 AND {CLOCK}
                        THEN make_timestamp(_0, _1, _2, _3, _4, 0) + to_microseconds({MICROSECONDS[0]})
                    END
                )""",
            clickhouse=f"""
                if(
                    (_0 BETWEEN 1 AND 9999) AND {CLOCK},
                    addMicroseconds(parseDateTime64BestEffortOrNull({WRITTEN}, 6, 'UTC'), {MICROSECONDS[1]}),
                    NULL
                )""",
        ),
        Function(
            "make_datetime", "any*", "datetime", doc="Return the datetime of year, month, day, hour, minute and second."
        ),
        Function(
            "make_timespan_parts",
            "long long long real",
            "timespan",
            duckdb=f"""
                CASE
                WHEN {SPAN_CLOCK}
                    THEN _0 * 864000000000 + _1 * 36000000000 + _2 * 600000000 + CAST(
                        round(_3 * 10000000) AS BIGINT
                    )
                END""",
            clickhouse=f"""
                if(
                    {SPAN_CLOCK},
                    _0 * 864000000000 + _1 * 36000000000 + _2 * 600000000 + toInt64(round(_3 * 10000000)), NULL
                )""",
        ),
        Function(
            "make_timespan", "long*", "timespan", doc="Return the timespan of (days,) hours, minutes (and seconds)."
        ),
        Function(
            "unixtime_seconds_todatetime",
            "real",
            "datetime",
            sql=since_1970(1, ("TRY_CAST(_0 * 1000000 AS BIGINT)", "accurateCastOrNull(round(_0 * 1000000), 'Int64')")),
            doc="Convert seconds since 1970-01-01 UTC to a datetime.",
        ),
        Function(
            "unixtime_milliseconds_todatetime",
            "real",
            "datetime",
            sql=since_1970(1_000, ("TRY_CAST(_0 * 1000 AS BIGINT)", "accurateCastOrNull(round(_0 * 1000), 'Int64')")),
            doc="Convert milliseconds since 1970-01-01 UTC to a datetime.",
        ),
        Function(
            "unixtime_microseconds_todatetime",
            "number",
            "datetime",
            sql=since_1970(1_000_000, ("TRY_CAST(trunc(_0) AS BIGINT)", "accurateCastOrNull(trunc(_0), 'Int64')")),
            doc="Convert microseconds since 1970-01-01 UTC to a datetime.",
        ),
        Function(
            "unixtime_nanoseconds_todatetime",
            "number",
            "datetime",
            duckdb={
                kind: moment(WHOLE_THOUSANDS[0].format(x=x))
                for kind, x in {"long": "_0", "*": "TRY_CAST(trunc(_0) AS BIGINT)"}.items()
            },
            clickhouse={
                kind: ch_moment(WHOLE_THOUSANDS[1].format(x=x))
                for kind, x in {"long": "_0", "*": "accurateCastOrNull(trunc(_0), 'Int64')"}.items()
            },
            doc="Convert nanoseconds since 1970-01-01 UTC to a datetime.",
        ),
        Function(
            "format_datetime",
            "datetime string",
            "string",
            argument_uses=2,
            doc="Format a datetime, for example with yyyy-MM-dd HH:mm:ss.",
        ),
        Function(
            "format_timespan",
            "timespan string",
            "string",
            argument_uses=2,
            doc="Format a timespan, for example with d.HH:mm:ss.",
        ),
    ]
)
