"""Arithmetic, comparison, logic and mathematics.

Whole-number division by zero is null, modulo is never negative, and comparisons with null
follow https://learn.microsoft.com/kusto/query/scalar-data-types/null-values: ``==`` is null
only if both sides are.
"""

from __future__ import annotations

from driftline.kql.functions.row import rows

__all__ = ["MATHS"]

HALVES = "if(abs({x} - trunc({x})) = 0.5, trunc({x}) + sign({x}), round({x}))"  # ClickHouse rounds them to even
POWER = "pow(10, assumeNotNull(toFloat64(ifNull(_1, 0))))"
ROUNDED = (
    {
        "int": "CAST(round(_0, CAST(coalesce(_1, 0) AS INT)) AS INT)",
        "long": "CAST(round(_0, CAST(coalesce(_1, 0) AS INT)) AS BIGINT)",
        "real": "round(_0, CAST(coalesce(_1, 0) AS INT))",
    },
    {
        "int": f"toInt32({HALVES.format(x=f'(_0 * {POWER})')} / {POWER})",
        "long": f"if(ifNull(_1, 0) >= 0, _0, toInt64({HALVES.format(x=f'(_0 * {POWER})')} / {POWER}))",
        "real": f"if(abs(_0 * {POWER}) < 4503599627370496, {HALVES.format(x=f'(_0 * {POWER})')} / {POWER}, _0)",
    },
)
ROUNDED_UP = (
    {"int": "_0", "long": "_0", "real": "ceil(_0)"},
    {"int": "_0", "long": "_0", "real": "ceil(_0)"},
)


def logarithm(name: str) -> tuple[str, str]:
    """Give a logarithm: null below zero, and minus infinity, where DuckDB would fail, at zero."""
    click = name.replace("ln", "log")
    return (
        f"CASE WHEN _0 > 0 THEN {name}(_0) WHEN _0 = 0 THEN CAST('-inf' AS DOUBLE) WHEN isnan(_0) THEN _0 END",
        f"if(_0 < 0, NULL, {click}(_0))",
    )


def shifted(duck: str, click: str) -> tuple[str, str]:
    """Shift by a number of bits taken modulo 64; null if it is negative."""
    return (
        f"CASE WHEN _1 >= 0 THEN {duck.format(bits='(_1 % 64)')} END",
        f"if(_1 >= 0, {click.format(bits='bitAnd(_1, 63)')}, NULL)",
    )


# DuckDB refuses to shift a bit out, or a negative number.
SHIFTED_LEFT = shifted(
    "CAST((((CAST(_0 AS HUGEINT) & ((1::HUGEINT << (64 - {bits})) - 1)) << {bits}) + 9223372036854775808) % 18446744073709551616 - 9223372036854775808 AS BIGINT)",
    "bitShiftLeft(_0, {bits})",
)
MATHS = rows(
    [
        ("+", "span span", "common", "_0 + _1", "=", "Add."),
        ("-", "span span", "common", "_0 - _1", "=", "Subtract."),
        ("*", "span span", "common", "_0 * _1", "=", "Multiply."),
        ("/whole", "long long", "long", "_0 // nullif(_1, 0)", "if(_1 = 0, NULL, intDiv(_0, nullIf(_1, 0)))", ""),
        ("/real", "real real", "real", "CAST(_0 AS DOUBLE) / CAST(_1 AS DOUBLE)", "_0 / _1", ""),
        (
            "%",
            "span span",
            "common",
            "((_0 % nullif(abs(_1), 0)) + abs(_1)) % nullif(abs(_1), 0)",
            "positiveModulo(_0, nullIf(abs(_1), 0))",
            "Give the remainder, never negative.",
        ),
        ("negate", "span", "same", "-(_0)", "=", ""),
        ("not", "bool", "bool", "NOT (_0)", "=", "Negate a condition; null stays null."),
        ("==string", "string string", "bool", "_0 = _1", "=", ""),
        ("!=string", "string string", "bool", "_0 <> _1", "=", ""),
        (
            "==",
            "any any",
            "bool",
            "CASE WHEN _0 IS NULL AND _1 IS NULL THEN NULL ELSE coalesce(_0 = _1, FALSE) END",
            "=",
            "Be equal; null only if both sides are null.",
        ),
        (
            "!=",
            "any any",
            "bool",
            "CASE WHEN _0 IS NULL AND _1 IS NULL THEN NULL ELSE coalesce(_0 <> _1, TRUE) END",
            "=",
            "Differ; null only if both sides are null.",
        ),
        ("==filter", "any any", "bool", "_0 = _1", "=", ""),
        ("!=filter", "any any", "bool", "_0 IS DISTINCT FROM _1", "ifNull(_0 <> _1, (_0 IS NULL) <> (_1 IS NULL))", ""),
        ("<", "any any", "bool", "_0 < _1", "=", "Be less."),
        ("<=", "any any", "bool", "_0 <= _1", "=", "Be less or equal."),
        (">", "any any", "bool", "_0 > _1", "=", "Be greater."),
        (">=", "any any", "bool", "_0 >= _1", "=", "Be greater or equal."),
        ("abs", "span", "same", "abs(_0)", "=", "Give the absolute value."),
        ("sign", "number", "real", "CAST(sign(_0) AS DOUBLE)", "toFloat64(sign(_0))", "Give -1, 0 or 1."),
        ("ceiling", "number", "same", *ROUNDED_UP, "Round up."),
        ("round", "number long?", "same", *ROUNDED, "Round to digits, halves away from zero."),
        (
            "sqrt",
            "real",
            "real",
            "CASE WHEN _0 >= 0 THEN sqrt(_0) END",
            "if(_0 < 0, NULL, sqrt(_0))",
            "Give the square root; null of a negative number.",
        ),
        ("exp", "real", "real", "exp(_0)", "=", "Give e to the power."),
        ("exp2", "real", "real", "pow(2, _0)", "=", "Give 2 to the power."),
        ("exp10", "real", "real", "pow(10, _0)", "=", "Give 10 to the power."),
        ("log", "real", "real", *logarithm("ln"), "Give the natural logarithm; null of a negative number."),
        ("log2", "real", "real", *logarithm("log2"), "Give the logarithm of base 2; null of a negative number."),
        ("log10", "real", "real", *logarithm("log10"), "Give the logarithm of base 10; null of a negative number."),
        ("pow", "real real", "real", "pow(_0, _1)", "=", "Give the power."),
        ("pi", "", "real", "pi()", "=", "Give the number pi."),
        ("sin", "real", "real", "sin(_0)", "=", "Give the sine."),
        ("cos", "real", "real", "cos(_0)", "=", "Give the cosine."),
        ("tan", "real", "real", "tan(_0)", "=", "Give the tangent."),
        ("cot", "real", "real", "1 / tan(_0)", "=", "Give the cotangent."),
        ("asin", "real", "real", "CASE WHEN abs(_0) <= 1 THEN asin(_0) END", "=", "Give the arcus sine."),
        ("acos", "real", "real", "CASE WHEN abs(_0) <= 1 THEN acos(_0) END", "=", "Give the arcus cosine."),
        ("atan", "real", "real", "atan(_0)", "=", "Give the arcus tangent."),
        ("atan2", "real real", "real", "atan2(_0, _1)", "=", "Give the angle of a point."),
        ("degrees", "real", "real", "degrees(_0)", "=", "Turn radians into degrees."),
        ("radians", "real", "real", "radians(_0)", "=", "Turn degrees into radians."),
        ("gamma", "real", "real", "gamma(_0)", "tgamma(_0)", "Give the gamma function."),
        (
            "loggamma",
            "real",
            "real",
            "lgamma(_0)",
            "if(isFinite(_0) AND isNaN(lgamma(_0)), inf, lgamma(_0))",
            "Give the gamma function's logarithm.",
        ),
        ("isnan", "real", "bool", "isnan(_0)", "isNaN(_0) = 1", "Say whether a number is NaN."),
        ("isinf", "real", "bool", "isinf(_0)", "isInfinite(_0) = 1", "Say whether a number is infinite."),
        ("isfinite", "real", "bool", "isfinite(_0)", "isFinite(_0) = 1", "Say whether a number is finite."),
        (
            "rand",
            "long?",
            "real",
            "random()",
            "randCanonical()",
            "Give a random number from 0 to 1, or a whole one below another.",
        ),
        ("rand_below", "long", "real", "floor(random() * _0)", "floor(randCanonical() * _0)", ""),
        ("min_of", "any*", "common", "least(_all)", "least(_all)", "Give the least argument."),
        ("max_of", "any*", "common", "greatest(_all)", "greatest(_all)", "Give the greatest argument."),
        ("coalesce", "any*", "common", None, None, "Give the first argument that is not null (a string: not empty)."),
        ("coalesce_null", "any*", "common", "coalesce(_all)", "=", ""),
        ("binary_and", "long long", "long", "_0 & _1", "bitAnd(_0, _1)", "And the bits."),
        ("binary_or", "long long", "long", "_0 | _1", "bitOr(_0, _1)", "Or the bits."),
        ("binary_xor", "long long", "long", "xor(_0, _1)", "bitXor(_0, _1)", "Exclusive-or the bits."),
        ("binary_not", "long", "long", "~_0", "bitNot(_0)", "Negate the bits."),
        ("binary_shift_left", "long long", "long", *SHIFTED_LEFT, "Shift the bits left, by the number modulo 64."),
        (
            "binary_shift_right",
            "long long",
            "long",
            *shifted("_0 >> {bits}", "bitShiftRight(_0, {bits})"),
            "Shift the bits right, by the number modulo 64.",
        ),
        (
            "bitset_count_ones",
            "long",
            "long",
            "CAST(bit_count(_0) AS BIGINT)",
            "toInt64(bitCount(_0))",
            "Count the one bits.",
        ),
        ("iff", "bool any any", "any", None, None, "Choose by a condition; null counts as false."),
        ("case", "any*", "any", None, None, "Choose by the first true condition; the last argument is the default."),
        ("choose", "any*", "any", "CASE WHEN _0 THEN _1 ELSE _2 END", "=", ""),
        ("bin", "any any", "same", None, None, "Round down to a multiple; datetimes from year 1 on."),
        (
            "bin_auto",
            "any",
            "same",
            None,
            None,
            "Round down as bin_at, by what query_bin_auto_size and query_bin_auto_at are set to.",
        ),
        (
            "assert",
            "bool string",
            "bool",
            None,
            None,
            "Refuse the query, with a message, where a condition is not met.",
        ),
        ("bin_at", "any any any", "same", None, None, "Round down to a multiple, aligned at a point."),
        (
            "bin_number",
            "number number",
            "common",
            "CASE WHEN _1 > 0 THEN floor(_0 / _1) * _1 END",
            "if(_1 > 0, floor(_0 / _1) * _1, NULL)",
            "",
        ),
        (
            "bin_whole",
            "long long",
            "long",
            "CASE WHEN _1 > 0 THEN _0 - (((_0 % _1) + _1) % _1) END",
            "if(_1 > 0, _0 - positiveModulo(_0, nullIf(_1, 0)), NULL)",
            "",
        ),
    ]
)
