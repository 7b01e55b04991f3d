"""Helpers that write templates: arrays as SQL lists, named intermediate values, results as JSON.

A pair is two templates: for DuckDB, for ClickHouse. Both engines store a dynamic array as JSON text; the
helpers turn it into a list of the engine, to which lambdas apply, and back. An element that is not a number
counts as null.
"""

from __future__ import annotations

__all__ = [
    "CLICK_REAL",
    "Pair",
    "array",
    "bag",
    "elements",
    "exact",
    "let",
    "lets",
    "numbers",
    "once",
    "single",
    "staged",
    "written",
]

Pair = tuple[str, str]
# ClickHouse writes 1.0 as 1, which would be read as a long.
CLICK_REAL = """
    multiIf(
        {x} IS NULL OR NOT isFinite({x}), 'null', match(toString({x}), '^-?[0-9]+$'),
        concat(toString({x}), '.0'), toString({x})
    )"""


def elements(x: str) -> Pair:
    """Return the list of the elements of an array as JSON texts; null or empty if it is not an array."""
    return (
        f"CAST(CASE WHEN json_type({x}) = 'ARRAY' THEN {x} END AS JSON[])",
        f"arrayMap(e -> nullIf(e, 'null'), JSONExtractArrayRaw(ifNull({x}, '[]')))",
    )


def numbers(x: str) -> Pair:
    """Return the list of the elements of an array as numbers, with null for other elements."""
    duck, click = elements(x)
    return (
        f"list_transform({duck}, lambda e: try_cast(json_extract_string(e, '$') AS DOUBLE))",
        f"arrayMap(e -> toFloat64OrNull(replaceAll(e, '\"', '')), {click})",
    )


def let(name: str, value: Pair, body: Pair) -> Pair:
    """Return a body inside of which a name refers to a value that is computed once."""
    return (
        f"list_extract(list_transform([{value[0]}], lambda {name}: {body[0]}), 1)",
        f"arrayElement(arrayMap({name} -> {body[1]}, [{value[1]}]), 1)",
    )


def written(body: Pair, *arrays: str) -> Pair:
    """Return the templates that write a list of numbers as an array; null if an argument is not an array."""
    present = " AND ".join(f"startsWith(ifNull({x}, ''), '[')" for x in arrays)
    texts = f"arrayStringConcat(arrayMap(o -> ifNull({CLICK_REAL.format(x='o')}, 'null'), {body[1]}), ',')"
    arrays_only = " AND ".join(f"json_type({x}) = 'ARRAY'" for x in arrays)
    return (
        f"""
            CASE
            WHEN {arrays_only}
                THEN to_json(list_transform({body[0]}, lambda o: CASE WHEN isfinite(o) THEN o END))
            END""",
        f"if({present}, concat('[', {texts}, ']'), NULL)",
    )


def exact(body: Pair, *arrays: str, whole: bool = False, also: str = "TRUE") -> Pair:
    """Return the templates that write a list of numbers as an array, with NaN and infinity as strings.

    ``arrays`` are the names that ``once`` gave to the arguments. ``whole`` writes whole numbers if all elements of the
    arguments are whole and the condition ``also`` holds.
    """
    tests = {"regexp_matches": "CAST({x} AS TEXT)", "match": "ifNull({x}, '')"}
    dotted = [
        " AND ".join(f"{test}({t}, '[0-9]') AND NOT {test}({t}, '[.eE]')" for t in (text.format(x=x) for x in arrays))
        for test, text in tests.items()
    ]
    broken = [f"{each} AND {also}" for each in dotted] if whole else ["FALSE", "FALSE"]
    odd = "CASE WHEN isnan(o) THEN 'NaN' WHEN o > 0 THEN 'Infinity' ELSE '-Infinity' END"
    number = (
        f"""
            CASE
            WHEN NOT isfinite(o) THEN to_json({odd})
            WHEN z AND abs(o) < 9e18 THEN to_json(CAST(o AS BIGINT))
            ELSE to_json(o)
            END""",
        f"""
            multiIf(
                o IS NULL, 'null', NOT isFinite(o), concat('"', {odd}, '"'), z AND abs(o) < 9e18,
                toString(toInt64(o)), {CLICK_REAL.format(x="o")}
            )""",
    )
    written_by = let(
        "z",
        (broken[0], broken[1]),
        (
            f"to_json(list_transform({body[0]}, lambda o: {number[0]}))",
            f"concat('[', arrayStringConcat(arrayMap(o -> {number[1]}, {body[1]}), ','), ']')",
        ),
    )
    ducks = " AND ".join(f"json_type({x}) = 'ARRAY'" for x in arrays)
    clicks = " AND ".join(f"startsWith(ifNull({x}, ''), '[')" for x in arrays)
    return f"CASE WHEN {ducks} THEN {written_by[0]} END", f"if({clicks}, {written_by[1]}, NULL)"


def once(body: Pair, **arguments: str) -> Pair:
    """Return a body with names for the arguments.

    A body that repeats an argument, inside of another one that does so, would double the SQL at each level.
    """
    return lets(body, **{name: (argument, argument) for name, argument in arguments.items()})


def lets(body: Pair, **values: Pair) -> Pair:
    """Return a body with several named values; each value may use the names before it."""
    for name, value in reversed(values.items()):
        body = let(name, value, body)
    return body


def staged(body: str, **values: str) -> str:
    """Return DuckDB's body with named values as nested subqueries.

    A name with ``_`` at its end replaces the value of the name.

    The time that DuckDB takes to bind nested lambdas doubles with each level, so that a dozen take seconds.
    """
    # Only constants of this package: the values of a hunt are expression trees.
    sql = "SELECT 1 AS one"
    given: set[str] = set()
    for name, value in values.items():
        known = name.rstrip("_")
        chosen = f"* REPLACE ({value} AS {known})" if known in given else f"*, {value} AS {known}"
        sql = f"SELECT {chosen} FROM ({sql})"  # noqa: S608
        given.add(known)
    return f"(SELECT {body} FROM ({sql}))"  # noqa: S608


REALS = {"min", "max", "avg", "stdev", "variance", "sum", "rsquare", "slope", "rvariance", "interception"}


def bag(values: dict[str, Pair]) -> Pair:
    """Return the templates that write values as a property bag."""
    duck = ", ".join(f"'{name}', {pair[0]}" for name, pair in values.items())
    numbers_of = {name: f"toFloat64({pair[1]})" if name in REALS else "" for name, pair in values.items()}
    click = ", ',', ".join(
        f"'\"{name}\":', {CLICK_REAL.format(x=real) if (real := numbers_of[name]) else f'toJSONString({pair[1]})'}"
        for name, pair in values.items()
    )
    return f"json_object({duck})", f"concat('{{', {click}, '}}')"


def array(values: dict[str, Pair]) -> Pair:
    """Return the templates that write values as an array."""
    duck = ", ".join(pair[0] for pair in values.values())
    click = ", ',', ".join(f"toJSONString({pair[1]})" for pair in values.values())
    return f"json_array({duck})", f"concat('[', {click}, ']')"


def single(body: Pair, *arrays: str) -> Pair:
    """Return the templates of a number of the lists ``a`` and ``b``; null if it is not finite or a list has a null."""
    names = dict(zip(("a", "b"), arrays, strict=False))
    present = " AND ".join(f"startsWith(ifNull({x}, ''), '[')" for x in arrays)
    whole = " AND ".join(f"len({n}) = len(list_filter({n}, lambda e: e IS NOT NULL))" for n in names)
    solid = {n: (n, f"arrayMap(e -> ifNull(e, nan), {n})") for n in names}
    inner = (f"CASE WHEN {whole} THEN {body[0]} END", lets(("", body[1]), **solid)[1])
    duck, click = lets(inner, **{name: numbers(x) for name, x in names.items()})
    return duck, f"if({present}, ifNotFinite({click}, NULL), NULL)"
