"""Bind scalar expressions: names to columns and lets, operators and calls to rows of tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from driftline.kql import constants, functions, syntax
from driftline.kql.bind import types
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.cursor import Stuck
from driftline.kql.plan import Call, Col, Column, Const, Filter, InPlan, Plan, Project, Scalar, Subquery
from driftline.kql.problems import Span, suggestion

__all__ = ["SPECIAL", "TABULAR", "bind_call_to", "bind_each", "bind_predicate", "bind_scalar", "constant", "is_tabular"]

SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {}
"""Functions that need more than a template; filled by ``driftline.kql.bind.calls``."""
TABULAR: dict[str, Callable[[syntax.Expr, Scope], Relation]] = {}
"""How to bind a table, under the key ``bind``; filled by ``driftline.kql.bind.tables``."""
AGGREGATED: dict[str, Callable[[str, syntax.Call, Scope], Scalar]] = {}
"""How to bind an aggregate, under the key ``bind``; filled by ``driftline.kql.bind.calls``."""
ENTER: dict[str, Callable[[syntax.Call, Closure, Scope], tuple[Scope, syntax.Expr]]] = {}
"""How to enter a user's function, under ``call``; filled by ``driftline.kql.bind.tables``."""

LIKE = {"like": "contains", "likecs": "contains_cs", "notlike": "!contains", "notlikecs": "!contains_cs"}
COMPARED = frozenset(["==", "!=", "<", "<=", ">", ">="])
TEXTUAL = frozenset(["contains", "contains_cs", "startswith", "startswith_cs", "endswith", "endswith_cs"])
TERMS = {
    "has": (True, True, False),
    "has_cs": (True, True, True),
    "hasprefix": (True, False, False),
    "hasprefix_cs": (True, False, True),
    "hassuffix": (False, True, False),
    "hassuffix_cs": (False, True, True),
    ":": (True, True, False),
}
ALNUM = re.compile(r"[A-Za-z0-9]+")
SEPARATOR = r"[\x00-/:-@\[-`{-\x7f]"


def bind_scalar(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind an expression; problems are noted, and ``Stuck`` is raised if there is no value."""
    scope.session.count(node.span)
    bind = BINDERS.get(type(node))
    if bind is None:
        scope.fail("expected a value here, got a table", node.span)
    return bind(node, scope)


def bind_each(nodes: tuple[syntax.Expr, ...], scope: Scope) -> tuple[Scalar, ...]:
    """Bind several expressions, so that all their problems are noted."""
    found: list[Scalar] = []
    for node in nodes:
        try:
            found.append(bind_scalar(node, scope))
        except Stuck:
            continue
    if len(found) < len(nodes):
        raise Stuck
    return tuple(found)


def bind_predicate(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind a condition."""
    return types.coerce(bind_scalar(node, scope), "bool", scope=scope, span=node.span)


def constant(node: syntax.Expr, scope: Scope, kind: str) -> object:
    """Give the value of what must be a constant of a type."""
    value = types.coerce(bind_scalar(node, scope), kind, scope=scope, span=node.span)
    if not isinstance(value, Const):
        scope.fail(f"expected a constant {kind}", node.span)
    return value.value


# Leaves


def _bind_literal(node: syntax.Literal, scope: Scope) -> Scalar:
    if node.value is None and node.type != "string":
        return Const(node.type, None)
    if node.type == "timespan":
        return Const("timespan", _read(constants.timespan_ticks, node, scope))
    if node.type == "datetime":
        return Const("datetime", _read(constants.datetime_us, node, scope))
    if node.type == "dynamic":
        return Const("dynamic", constants.dynamic_text(node.value))
    if node.type == "decimal":
        scope.fail("not supported: decimal numbers; use real", node.span)
    if node.type in {"long", "int"} and not -(2**63) <= node.value < 2**63:
        scope.fail("this number does not fit into 64 bits", node.span)
    if node.type == "string" and "\0" in node.value:
        scope.fail("not supported: a zero character in a string", node.span)
    return Const(node.type, node.value.lower() if node.type == "guid" else node.value)


def _read(read: Callable[[str], int | None], node: syntax.Literal, scope: Scope) -> int:
    value = read(node.value)
    if value is None:
        scope.fail(f"this is no {node.type}: '{node.value}'", node.span)
    return value


def _bind_name(node: syntax.Name, scope: Scope) -> Scalar:
    column = scope.column(node.name)
    if column is not None:
        return Col(column.id, column.type)
    binding = scope.names.get(node.name)
    if binding is None:
        scope.unknown_column(node.name, node.span)
    if isinstance(binding, Closure):
        if is_tabular(binding.value, binding.scope):
            scope.fail(f"'{node.name}' is a table; use toscalar() or 'in' to read values from it", node.span)
        return bind_scalar(binding.value, binding.scope)
    if isinstance(binding, Relation):
        scope.fail(f"'{node.name}' is a table, expected a value", node.span)
    return binding


def _bind_member(node: syntax.Member, scope: Scope) -> Scalar:
    if isinstance(node.base, syntax.Name) and node.base.name in {"$left", "$right"}:
        return _bind_side(node, scope)
    base = _dynamic_base(node.base, scope)
    return Call("member", (base, Const("string", node.name)), "dynamic")


def _bind_side(node: syntax.Member, scope: Scope) -> Scalar:
    if scope.sides is None:
        scope.fail("$left and $right have a meaning only in the 'on' of a join", node.span)
    assert isinstance(node.base, syntax.Name)
    relation = scope.sides[node.base.name == "$right"]
    return bind_scalar(syntax.Name(node.name, span=node.span), scope.with_row(relation))


def _dynamic_base(node: syntax.Expr, scope: Scope) -> Scalar:
    base = bind_scalar(node, scope)
    if base.type == "string":
        # Defender's AdditionalFields is text; its published hunts reach into it all the same.
        return Call("todynamic", (base,), "dynamic")
    if base.type != "dynamic":
        scope.fail(f"expected a dynamic value to reach into, got a {base.type}", node.span)
    return base


def _bind_index(node: syntax.Index, scope: Scope) -> Scalar:
    base = _dynamic_base(node.base, scope)
    index = bind_scalar(node.index, scope)
    if index.type == "string":
        return Call("member", (base, index), "dynamic")
    index = types.coerce(index, "long", scope=scope, span=node.index.span)
    return Call("element", (base, index), "dynamic")


# Operators


def _bind_unary(node: syntax.Unary, scope: Scope) -> Scalar:
    value = types.coerce(bind_scalar(node.operand, scope), "span", scope=scope, span=node.operand.span)
    if node.op == "+":
        return value
    if isinstance(value, Const):
        return Const(value.type, None if value.value is None else -value.value)
    return Call("negate", (value,), value.type)


def _bind_junction(node: syntax.Junction, scope: Scope) -> Scalar:
    values = bind_each(node.operands, scope)
    pairs = zip(values, node.operands, strict=True)
    return Call(node.op, tuple(types.coerce(v, "bool", scope=scope, span=n.span) for v, n in pairs), "bool")


def _bind_binary(node: syntax.Binary, scope: Scope) -> Scalar:
    op = LIKE.get(node.op, node.op)
    if op.startswith("!") and op not in {"!=", "!~"}:
        return negated(_bind_operator(op[1:], node, scope))
    return _bind_operator(op, node, scope)


def _bind_operator(op: str, node: syntax.Binary, scope: Scope) -> Scalar:
    if isinstance(node.left, syntax.Star):
        return _bind_any_column(op, node, scope)
    left, right = bind_each((node.left, node.right), scope)
    if op in {"+", "-", "*", "/", "%"}:
        return arithmetic(op, left, right, scope=scope, span=node.span)
    if op in COMPARED:
        return compared(op, left, right, scope=scope, span=node.span)
    left = types.coerce(left, "text" if op == "matches regex" else "string", scope=scope, span=node.left.span)
    right = types.coerce(right, "string", scope=scope, span=node.right.span)
    if op == "matches regex":
        check_regex(right, scope, node.right.span)
    return term(op, left, right) if op in TERMS else Call(op, (left, right), "bool")


def check_regex(pattern: Scalar, scope: Scope, span: Span) -> None:
    """Complain about a constant that is no regular expression, as far as can be told here."""
    if not isinstance(pattern, Const):
        return
    if re.search(r"\(\?<?[=!]", pattern.value):
        scope.fail("not supported: look-around in regular expressions (RE2 has none)", span)
    try:
        re.compile(
            re.sub(r"\(\?[a-zA-Z-]+[:)]", "(?:", pattern.value).replace("(?:)", "")
            if "(?" in pattern.value
            else pattern.value
        )
    except (re.error, OverflowError, RecursionError):
        if pattern.value.count("(") - pattern.value.count(r"\(") != pattern.value.count(")") - pattern.value.count(
            r"\)"
        ):
            scope.fail("this regular expression has unbalanced brackets", span)


# ``* has "x"``: some column of the row.
def _bind_any_column(op: str, node: syntax.Binary, scope: Scope) -> Scalar:
    right = bind_scalar(node.right, scope)
    searched = [c for c in scope.columns() if c.type in {"string", "dynamic"} or c.type == right.type]
    found = tuple(_match_column(op, Col(c.id, c.type), right, scope, node.span) for c in searched)
    return Call("or", found, "bool") if found else Const("bool", False)


def _match_column(op: str, column: Scalar, right: Scalar, scope: Scope, span: Span) -> Scalar:
    if op in COMPARED:
        return compared(op, column, right, scope=scope, span=span)
    left, right = types.converted(column, "string"), types.converted(right, "string")
    return term(op, left, right) if op in TERMS else Call(op, (left, right), "bool")


def negated(value: Scalar) -> Scalar:
    return Call("not", (value,), "bool")


def term(op: str, text: Scalar, needle: Scalar) -> Scalar:
    """Match whole terms: runs of letters and digits, between separators or the ends of the text.

    https://learn.microsoft.com/kusto/query/datatypes-string-operators#what-is-a-term
    A constant needle gives the engines a plain text to look for before the pattern.
    """
    begins, ends, exact = TERMS[op]
    flags = "" if exact else "(?i)"
    if not isinstance(needle, Const):
        quoted = Call("regex_quote", (needle,), "string")
        before = Const("string", f"{flags}(^|{SEPARATOR})" if begins else flags)
        after = Const("string", f"($|{SEPARATOR})" if ends else "")
        return Call("term_pattern", (text, Call("strcat", (before, quoted, after), "string")), "bool")
    word = needle.value
    if not word:
        return Const("bool", True)
    if begins and ends and ALNUM.fullmatch(word):
        return Call(
            "has_cs" if exact else "has", (text, _bounded(word, flags, begins, ends), _plain(word, exact)), "bool"
        )
    return Call(
        "term_cs" if exact else "term", (text, _bounded(word, flags, begins, ends), _plain(word, exact)), "bool"
    )


def _plain(word: str, exact: bool) -> Const:
    return Const("string", word if exact else word.lower())


def _bounded(word: str, flags: str, begins: bool, ends: bool) -> Const:
    before = f"(?:^|{SEPARATOR})" if begins and not re.match(SEPARATOR, word[0]) else ""
    after = f"(?:$|{SEPARATOR})" if ends and not re.match(SEPARATOR, word[-1]) else ""
    return Const("string", f"{flags}{before}{quote_regex(word)}{after}")


def quote_regex(text: str) -> str:
    """Escape text for RE2."""
    return re.sub(r"([^A-Za-z0-9_\u0080-\U0010ffff\n\r\t ])", r"\\\1", text)


def arithmetic(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Bind ``+ - * / %`` by the operands' types."""
    kinds = (left.type, right.type)
    if kinds == ("datetime", "datetime") and op == "-":
        return Call("datetime_minus", (left, right), "timespan")
    if left.type == "datetime" and right.type in {"timespan", "dynamic"} and op in {"+", "-"}:
        return Call(f"datetime{op}", (left, types.converted(right, "timespan")), "datetime")
    if kinds == ("timespan", "datetime") and op == "+":
        return Call("datetime+", (right, left), "datetime")
    if "timespan" in kinds:
        return _timespans(op, left, right, scope=scope, span=span)
    if not all(kind in types.NUMBERS or kind in {"dynamic", "bool"} for kind in kinds):
        scope.fail(f"'{op}' does not work on {left.type} and {right.type}", span)
    left, right = (types.coerce(value, "number", scope=scope, span=span) for value in (left, right))
    kind = "real" if "real" in {left.type, right.type} else "long"
    left, right = types.converted(left, kind), types.converted(right, kind)
    if op == "/":
        return Call("/real" if kind == "real" else "/whole", (left, right), kind)
    return folded(op, left, right, kind)


def _timespans(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    kinds = (left.type, right.type)
    if kinds == ("timespan", "timespan"):
        if op == "/":
            return Call("/real", (types.converted_ticks(left), types.converted_ticks(right)), "real")
        if op in {"+", "-", "%"}:
            return folded(op, left, right, "timespan")
    number = right if left.type == "timespan" else left
    length = left if left.type == "timespan" else right
    if number.type in {*types.NUMBERS, "dynamic"} and (op == "*" or (op == "/" and length is left)):
        number = types.converted(number, "real") if number.type != "long" or op == "/" else number
        if number.type == "long":
            return folded("*", length, number, "timespan")
        ticks = types.converted_ticks(length)
        made = Call("/real" if op == "/" else "*", (ticks, number), "real")
        return Call("real_to_span", (made,), "timespan")
    scope.fail(f"'{op}' does not work on {left.type} and {right.type}", span)


FOLDS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def folded(op: str, left: Scalar, right: Scalar, kind: str) -> Scalar:
    """Compute whole-number constants here: ``1d * 7`` is then a constant for who needs one."""
    if isinstance(left, Const) and isinstance(right, Const) and kind != "real" and op in FOLDS:
        if left.value is None or right.value is None:
            return Const(kind, None)
        value = FOLDS[op](left.value, right.value)
        if -(2**63) <= value < 2**63:
            return Const(kind, value)
    return Call(op, (left, right), kind)


def compared(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Bind a comparison; a dynamic side takes the other side's type."""
    if "dynamic" in {left.type, right.type} and left.type != right.type:
        kind = right.type if left.type == "dynamic" else left.type
        left, right = types.converted(left, kind), types.converted(right, kind)
    elif left.type == right.type == "dynamic":
        left, right = types.converted(left, "string"), types.converted(right, "string")
    kinds = frozenset([left.type, right.type])
    if not (_comparable_types(kinds) or types.is_null(left) or types.is_null(right)):
        scope.fail(f"cannot compare {left.type} with {right.type}; convert one of them", span)
    kind, values = types.common(_comparable(left, right), scope=scope, span=span)
    name = f"{op}string" if kind == "string" and op in {"==", "!="} else op
    return Call(name, values, "bool")


def _comparable_types(kinds: frozenset[str]) -> bool:
    return (
        len(kinds) == 1
        or kinds <= types.NUMBERS.keys()
        or kinds in {frozenset(["bool", "long"]), frozenset(["string", "guid"])}
    )


def _comparable(left: Scalar, right: Scalar) -> tuple[Scalar, Scalar]:
    if {left.type, right.type} == {"bool", "long"}:
        return types.converted(left, "long"), types.converted(right, "long")
    return left, right


def _bind_between(node: syntax.Between, scope: Scope) -> Scalar:
    value, low, high = bind_each((node.left, node.low, node.high), scope)
    if value.type == "datetime" and high.type == "timespan":
        high = arithmetic("+", low, high, scope=scope, span=node.span)
    inside = Call(
        "and",
        (
            compared(">=", value, low, scope=scope, span=node.span),
            compared("<=", value, high, scope=scope, span=node.span),
        ),
        "bool",
    )
    return negated(inside) if node.op.startswith("!") else inside


def _bind_in(node: syntax.In, scope: Scope) -> Scalar:
    found = _bind_membership(node, scope)
    return negated(found) if node.op.startswith("!") else found


def _bind_membership(node: syntax.In, scope: Scope) -> Scalar:
    op = node.op.removeprefix("!")
    if isinstance(node.left, syntax.Star):
        parts = tuple(_member_of(op, Col(c.id, c.type), node, scope) for c in scope.columns() if c.type == "string")
        return Call("or", parts, "bool") if parts else Const("bool", False)
    return _member_of(op, bind_scalar(node.left, scope), node, scope)


def _member_of(op: str, value: Scalar, node: syntax.In, scope: Scope) -> Scalar:
    if op in {"in~", "has_any", "has_all"}:
        value = types.coerce(value, "text" if value.type == "dynamic" else "string", scope=scope, span=node.left.span)
    if len(node.items) == 1 and is_tabular(node.items[0], scope):
        return _in_table(op, value, node.items[0], scope)
    items = [item for each in node.items for item in _items(each, scope)]
    lists = [item for item in items if item.type == "dynamic" and not isinstance(item, Const)]
    if lists and op in {"in", "in~"}:
        lowered = Call("tolower", (value,), "string") if op == "in~" else value
        arrays = [
            Call("todynamic", (Call("tolower", (types.converted(a, "string"),), "string"),), "dynamic")
            if op == "in~"
            else a
            for a in lists
        ]
        found = tuple(Call("in_array", (types.converted(lowered, "dynamic"), a), "bool") for a in arrays)
        return Call("or", found, "bool")
    if lists:
        scope.fail(f"not supported: '{op}' with a list computed for each row", node.span)
    if op in {"has_any", "has_all"}:
        words = tuple(term("has", value, types.converted(item, "string")) for item in items)
        return Call("or" if op == "has_any" else "and", words, "bool") if words else Const("bool", op == "has_all")
    return _in_items(op, value, items, node, scope)


def _in_items(op: str, value: Scalar, items: list[Scalar], node: syntax.In, scope: Scope) -> Scalar:
    if not items:
        return Const("bool", False)
    if value.type == "dynamic":
        value = types.converted(value, items[0].type)
    if op == "in~":
        items = [_lowered(types.converted(item, "string")) for item in items]
        return Call("in", (Call("tolower", (value,), "string"), *items), "bool")
    _, values = types.common([value, *items], scope=scope, span=node.span)
    return Call("in", values, "bool")


def _lowered(item: Scalar) -> Scalar:
    return Const("string", item.value.lower()) if isinstance(item, Const) else Call("tolower", (item,), "string")


def _items(node: syntax.Expr, scope: Scope) -> list[Scalar]:
    """Give a list's elements; a constant dynamic array stands for its own."""
    value = bind_scalar(node, scope)
    if not isinstance(value, Const) or value.type != "dynamic" or value.value is None:
        return [value]
    return [_json_constant(item) for item in constants.loads_array(value.value)]


def array_of(value: Const) -> list[object]:
    """Give the elements of a constant dynamic array as Python values."""
    return [] if value.value is None else constants.loads_array(value.value)


def _json_constant(item: object) -> Scalar:
    for kind, python in (("bool", bool), ("long", int), ("real", float), ("string", str)):
        if isinstance(item, python):
            return Const(kind, item)
    return Const("dynamic", None if item is None else constants.dumps(item))


def _in_table(op: str, value: Scalar, node: syntax.Expr, scope: Scope) -> Scalar:
    relation = TABULAR["bind"](node, scope)
    if not relation.columns:
        scope.fail("this table has no columns", node.span)
    if op in {"has_any", "has_all"}:
        scope.fail(f"not supported: '{op}' with a table; give it a list", node.span)
    column = relation.columns[0]
    inner: Scalar = Col(column.id, column.type)
    if op == "in~":
        value = Call("tolower", (value,), "string")
        inner = Call("tolower", (types.converted(inner, "string"),), "string")
    elif column.type != value.type:
        inner = types.converted(inner, value.type)
    made = scope.session.column("value", inner.type)
    plan = plan_of_one(relation, made, inner)
    if inner.type == "string":
        return InPlan(value, plan)
    # SQL's NOT IN answers null for every value as soon as the list holds a null.
    present = Filter(plan, Call("isnotnull", (Col(made.id, made.type),), "bool"))
    return Call("coalesce_null", (InPlan(value, present), Const("bool", False)), "bool")


def plan_of_one(relation: Relation, column: Column, value: Scalar) -> Plan:
    """Give a plan of one column."""
    return Project(relation.plan, (column,), (value,))


# Calls


def _bind_call(node: syntax.Call, scope: Scope) -> Scalar:
    name = functions.ALIASES.get(node.name, node.name)
    binding = scope.names.get(node.name)
    if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
        return _bind_user_function(node, binding, scope)
    if name == "toscalar":
        return _bind_toscalar(node, scope)
    if name in functions.AGGREGATES:
        return AGGREGATED["bind"](name, node, scope)
    if name in SPECIAL:
        return SPECIAL[name](node, scope)
    row = functions.FUNCTIONS.get(name)
    if row is None or not row.doc:
        _unknown_function(node, scope)
    if any(isinstance(argument, (syntax.Star, syntax.Named)) for argument in node.arguments):
        scope.fail(f"expected plain values in '{node.name}'", node.span)
    return bind_call_to(row, node, bind_each(node.arguments, scope), scope)


def _unknown_function(node: syntax.Call, scope: Scope) -> NoReturn:
    if node.name in UNSUPPORTED:
        scope.fail(f"not supported: the function '{node.name}'", node.span)
    known = [*functions.FUNCTIONS, *functions.ALIASES, *SPECIAL, *scope.names]
    scope.fail(f"unknown function '{node.name}'{suggestion(node.name, known)}", Span(node.span.offset, len(node.name)))


def bind_call_to(row: functions.Function, node: syntax.Call, values: tuple[Scalar, ...], scope: Scope) -> Scalar:
    """Check arguments against a row of the table, and make the call."""
    parameters = expanded_parameters(row, len(values))
    if parameters is None:
        scope.fail(f"expected {row.signature}, got {len(values)} arguments", node.span)
    spans = [argument.span for argument in node.arguments] + [node.span] * len(values)
    args = tuple(
        types.coerce(value, kind, scope=scope, span=span)
        for value, kind, span in zip(values, parameters, spans, strict=False)
    )
    if row.result == "common":
        kind, args = types.common(args, scope=scope, span=node.span)
        return Call(row.name, args, kind)
    padded = args + tuple(Const(p.rstrip("?*"), None) for p in row.parameters[len(args) :] if p.endswith("?"))
    return Call(row.name, padded, result_type(row, args))


def result_type(row: functions.Function, args: tuple[Scalar, ...]) -> str:
    """Give the type a function makes of these arguments."""
    if row.result == "same":
        return args[0].type if args else "dynamic"
    if row.result == "sum":
        return "long" if args[0].type == "int" else args[0].type
    if row.result == "average":
        return args[0].type if args[0].type in {"timespan", "datetime"} else "real"
    return row.result


def expanded_parameters(row: functions.Function, count: int) -> list[str] | None:
    """Give one type for each of ``count`` arguments, None if so many do not fit."""
    plain = [parameter.rstrip("?*") for parameter in row.parameters]
    needed = sum(not parameter.endswith("?") for parameter in row.parameters)
    if count < needed:
        return None
    if row.parameters and row.parameters[-1].endswith("*"):
        return plain[:count] + plain[-1:] * (count - len(plain))
    return plain[:count] if count <= len(plain) else None


def _bind_user_function(node: syntax.Call, closure: Closure, scope: Scope) -> Scalar:
    inner, body = ENTER["call"](node, closure, scope)
    return bind_scalar(body, inner)


def _bind_toscalar(node: syntax.Call, scope: Scope) -> Scalar:
    if len(node.arguments) != 1:
        scope.fail("expected toscalar(table)", node.span)
    if not is_tabular(node.arguments[0], scope):
        return bind_scalar(node.arguments[0], scope)
    relation = TABULAR["bind"](node.arguments[0], scope.with_row(None))
    if not relation.columns:
        scope.fail("this table has no columns", node.span)
    column = relation.columns[0]
    made = scope.session.column(column.name, column.type)
    plan = plan_of_one(relation, made, Col(column.id, column.type))
    value = Subquery(plan, column.type)
    return Call("text_or_empty", (value,), "string") if column.type == "string" else value


def is_tabular(node: syntax.Expr, scope: Scope) -> bool:
    """Say whether an expression is a table rather than a value."""
    if isinstance(
        node,
        (
            syntax.Pipe,
            syntax.Datatable,
            syntax.Range,
            syntax.Union,
            syntax.Find,
            syntax.Search,
            syntax.Print,
            syntax.Elsewhere,
        ),
    ):
        return True
    if isinstance(node, syntax.Name):
        return _is_table_name(node.name, scope)
    if isinstance(node, syntax.Call):
        binding = scope.names.get(node.name)
        if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
            tables = {p.name for p in binding.value.parameters if p.columns is not None}
            lets = {s.name: s.value for s in binding.value.statements if isinstance(s, syntax.Let)}
            return _is_tabular_body(binding.value.body, tables, lets, binding.scope)
        return node.name in {"materialize", "table", "view"}
    return False


def _is_tabular_body(body: syntax.Expr, tables: set[str], lets: dict[str, syntax.Expr], scope: Scope) -> bool:
    if isinstance(body, syntax.Name):
        if body.name in tables:
            return True
        if body.name in lets:
            return _is_tabular_body(lets[body.name], tables, {}, scope)
    return is_tabular(body, scope)


def _is_table_name(name: str, scope: Scope) -> bool:
    if scope.column(name) is not None:
        return False
    binding = scope.names.get(name)
    if isinstance(binding, Closure):
        if isinstance(binding.value, syntax.Function):
            return False
        return is_tabular(binding.value, binding.scope)
    return isinstance(binding, Relation) or (binding is None and name in scope.session.schema)


UNSUPPORTED = frozenset(
    [
        "geo_distance_2points",
        "geo_point_in_polygon",
        "geo_point_in_circle",
        "geo_point_to_geohash",
        "geo_info_from_ip_address",
        "series_decompose",
        "series_decompose_anomalies",
        "series_decompose_forecast",
        "series_fit_line",
        "series_fit_2lines",
        "series_fir",
        "series_iir",
        "series_fft",
        "series_ifft",
        "series_periods_detect",
        "series_outliers",
        "series_fill_linear",
        "series_fill_forward",
        "series_fill_backward",
        "series_fill_const",
        "series_stats",
        "series_stats_dynamic",
        "series_sum",
        "series_add",
        "series_subtract",
        "series_multiply",
        "series_divide",
        "hll",
        "hll_merge",
        "tdigest",
        "tdigest_merge",
        "percentile_tdigest",
        "dcount_hll",
        "parse_xml",
        "parse_csv",
        "parse_user_agent",
        "ipv6_compare",
        "ipv6_is_match",
        "ipv6_is_in_range",
        "ipv4_lookup",
        "has_any_ipv4",
        "has_any_ipv4_prefix",
        "format_bytes",
        "format_ipv4",
        "format_ipv4_mask",
        "row_rank_dense",
        "row_rank_min",
        "row_window_session",
        "buildschema",
        "translate",
        "punycode_to_string",
        "to_utf8",
        "dynamic_to_json",
        "estimate_data_size",
        "current_principal",
        "ingestion_time",
        "extent_id",
        "cursor_after",
        "welch_test",
        "zlib_decompress_from_base64_string",
        "gzip_decompress_from_base64_string",
        "jaccard_index",
        "treepath",
        "datetime_local_to_utc",
        "datetime_utc_to_local",
        "FileProfile",
        "DeviceFromIP",
        "SeenBy",
        "bag_remove_keys",
        "bag_set_key",
        "bag_zip",
        "array_rotate_left",
        "array_rotate_right",
        "array_shift_left",
        "array_shift_right",
        "array_split",
        "array_iff",
        "zip",
        "hash",
        "hash_many",
        "hash_xxhash64",
        "hash_combine",
        "parse_urlquery",
        "parse_command_line",
        "parse_version",
        "parse_ipv6",
        "ipv4_is_match",
        "ipv4_compare",
        "ipv4_netmask_suffix",
        "ipv4_is_in_any_range",
    ]
)
BINDERS: dict[type, Callable[..., Scalar]] = {
    syntax.Literal: _bind_literal,
    syntax.Name: _bind_name,
    syntax.Member: _bind_member,
    syntax.Index: _bind_index,
    syntax.Unary: _bind_unary,
    syntax.Binary: _bind_binary,
    syntax.Junction: _bind_junction,
    syntax.In: _bind_in,
    syntax.Between: _bind_between,
    syntax.Call: _bind_call,
}
