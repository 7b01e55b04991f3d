"""Parse scalar expressions: operators by precedence, then postfix, then primary expressions.

Loosest first: ``or``, ``and``, comparisons, ``+ -``, ``* / %``, signs, then member access.
https://learn.microsoft.com/kusto/query/scalar-operators
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.parse.cursor import Cursor, Stuck
from driftline.kql.syntax import Expr
from driftline.kql.text.tokens import Kind, Token

__all__ = ["LITERAL_TYPES", "REMOTE_FUNCTIONS", "TYPES", "ExpressionParser"]

# Name or alias -> type. https://learn.microsoft.com/kusto/query/scalar-data-types/
TYPES = {
    "bool": "bool",
    "boolean": "bool",
    "int": "int",
    "int32": "int",
    "long": "long",
    "int64": "long",
    "real": "real",
    "double": "real",
    "decimal": "decimal",
    "string": "string",
    "datetime": "datetime",
    "date": "datetime",
    "timespan": "timespan",
    "time": "timespan",
    "guid": "guid",
    "dynamic": "dynamic",
}
LITERAL_TYPES = {name: TYPES[name] for name in ("bool", "boolean", "int", "long", "real", "double", "decimal")}
# https://learn.microsoft.com/kusto/query/datatypes-string-operators
WORD_OPERATORS = [
    "has",
    "has_cs",
    "hasprefix",
    "hasprefix_cs",
    "hassuffix",
    "hassuffix_cs",
    "contains",
    "contains_cs",
    "startswith",
    "startswith_cs",
    "endswith",
    "endswith_cs",
    "like",
    "notlike",
    "likecs",
    "notlikecs",
]
COMPARISONS = frozenset(
    ["==", ":", "!=", "<>", "=~", "!~", "<", ">", "<=", ">=", *WORD_OPERATORS, *("!" + word for word in WORD_OPERATORS)]
)
SPELLINGS = {"<>": "!=", "=": "=="}
MEMBERSHIP = frozenset(["in", "!in", "in~", "!in~", "has_any", "has_all"])
RANGES = frozenset(["between", "!between"])
SPECIAL_REALS = {"nan": float("nan"), "inf": float("inf")}
REMOTE_FUNCTIONS = frozenset(["cluster", "database", "workspace", "app", "external_table", "adx", "arg", "resource"])
"""Functions that name tables outside of driftline."""
TABULAR_HEADS = frozenset(["datatable", "range", "print", "union", "find", "search", "externaldata", "evaluate"])


class ExpressionParser(Cursor):
    """A parser of scalar expressions. A subclass parses pipelines, which may stand in brackets."""

    def parse_pipe(self) -> Expr:
        """Parse a pipeline or a scalar expression."""
        raise NotImplementedError  # pragma: no cover -- an abstract method

    def parse_expression(self) -> Expr:
        """Parse a scalar expression."""
        return self.nested(lambda: self._parse_junction("or"))

    def parse_condition(self) -> Expr:
        """Parse the predicate of ``where``, in which Kusto takes ``=`` for ``==``."""
        before, self.in_condition = self.in_condition, True
        try:
            return self.parse_expression()
        finally:
            self.in_condition = before

    def parse_named(self) -> syntax.Named:
        """Parse ``value``, ``name = value`` or ``(a, b) = value``."""
        start = self.token
        names = self._parse_names()
        return syntax.Named(names, self.parse_expression(), span=self.since(start))

    def parse_name(self) -> str:
        """Parse a plain or quoted name: ``a``, ``['a b']``.

        https://learn.microsoft.com/kusto/query/schema-entities/entity-names
        """
        if self.token.kind is Kind.WORD:
            return self.advance().text
        if self.is_symbol("[") and self.ahead().kind is Kind.STRING:
            self.advance()
            name = self.advance().text
            self.expect_symbol("]")
            return name
        return self.fail("a name").text

    def parse_typed_name(self) -> syntax.TypedName:
        """Parse ``name: type``."""
        start = self.token
        name = self.parse_name()
        self.expect_symbol(":")
        return syntax.TypedName(name, self.parse_type(), span=self.since(start))

    def parse_type(self) -> str:
        """Parse the name of a type; an alias becomes the type's own name."""
        if self.token.kind is Kind.WORD and self.token.text in TYPES:
            return TYPES[self.advance().text]
        return self.fail("a type such as string, long or datetime").text

    def parse_pattern(self) -> Expr:
        """Parse a name that may hold wildcards, or ``*``; the parts of a name with wildcards touch."""
        start = self.token
        if self.token.kind is Kind.WORD or self.is_symbol("*"):
            text = self.advance().text
            while self._touches() and (self.is_symbol("*") or self.token.kind in {Kind.WORD, Kind.LONG}):
                text += self.advance().text
            return syntax.Star(text, span=self.since(start)) if "*" in text else syntax.Name(text, span=start.span)
        return syntax.Name(self.parse_name(), span=self.since(start))

    # Junctions and comparisons

    def _parse_junction(self, op: str) -> Expr:
        """Parse operands with ``and`` or ``or`` between them, into one flat node."""
        start = self.token
        operands = [self._parse_operand(op)]
        while self.take_word(op):
            operands.append(self._parse_operand(op))
        return operands[0] if len(operands) == 1 else syntax.Junction(op, tuple(operands), span=self.since(start))

    def _parse_operand(self, op: str) -> Expr:
        """Parse an operand of ``or`` or ``and``: the next tighter level."""
        return self._parse_junction("and") if op == "or" else self._parse_comparison()

    def _parse_comparison(self) -> Expr:
        """Parse comparisons, which associate to the left."""
        start = self.token
        left = self._parse_star() or self._parse_sum()
        while True:
            found = self._parse_rest_of_comparison(start, left)
            if found is None:
                return left
            left = found

    def _parse_star(self) -> Expr | None:
        """Parse ``*`` before a comparison: all columns."""
        if self.is_symbol("*") and (self.ahead().text in COMPARISONS or self.ahead().text in MEMBERSHIP):
            return syntax.Star(span=self.advance().span)
        return None

    def _parse_rest_of_comparison(self, start: Token, left: Expr) -> Expr | None:
        """Parse an operator and its right side; ``None`` if no comparison follows."""
        op = self.token.text
        # A string constant "has" is no operator.
        if self.token.kind not in {Kind.WORD, Kind.SYMBOL}:
            return None
        if op in COMPARISONS or (op == "=" and self.in_condition):
            self.advance()
            right = self._parse_sum()
            return syntax.Binary(SPELLINGS.get(op, op), left, right, span=self.since(start))
        # The only operator of two words.
        if op == "matches" and self.ahead().text == "regex":
            self.at += 2
            return syntax.Binary("matches regex", left, self._parse_sum(), span=self.since(start))
        if op == "in" and self.ahead().text == "range":
            return None  # make-series … on axis in range(…)
        if op in MEMBERSHIP:
            self.advance()
            self.expect_symbol("(")
            items = self.until(")", self._parse_item)
            return syntax.In(op, left, items, span=self.since(start))
        return self._parse_between(start, left) if op in RANGES else None

    def _parse_item(self) -> Expr:
        """Parse an item of a list: a value, or a table."""
        return self.parse_pipe()

    def _parse_between(self, start: Token, left: Expr) -> Expr:
        """Parse ``between (low .. high)``."""
        op = self.advance().text
        self.expect_symbol("(")
        low = self.parse_expression()
        self.expect_symbol("..")
        high = self.parse_expression()
        self.expect_symbol(")")
        return syntax.Between(op, left, low, high, span=self.since(start))

    # Arithmetic

    def _parse_sum(self) -> Expr:
        """Parse sums and differences."""
        start = self.token
        left = self._parse_product()
        while self.is_symbol("+", "-"):
            op = self.advance().text
            left = syntax.Binary(op, left, self._parse_product(), span=self.since(start))
        return left

    def _parse_product(self) -> Expr:
        """Parse products, quotients and remainders."""
        start = self.token
        left = self._parse_sign()
        while self.is_symbol("*", "/", "%"):
            op = self.advance().text
            left = syntax.Binary(op, left, self._parse_sign(), span=self.since(start))
        return left

    def _parse_sign(self) -> Expr:
        """Parse signs."""
        start = self.token
        if not self.is_symbol("-", "+"):
            return self.parse_postfix()
        op = self.advance().text
        operand = self.nested(self._parse_sign)
        return syntax.Unary(op, operand, span=self.since(start))

    # Postfix and primary

    def parse_postfix(self) -> Expr:
        """Parse a primary expression and the member accesses behind it."""
        start = self.token
        base = self._parse_primary()
        while self.is_symbol(".", "["):
            # ``bag.name`` and ``bag.['name']`` are members, ``bag.[0]`` is an index.
            if self.is_symbol(".") and not (self.ahead().text == "[" and self.ahead(2).kind is not Kind.STRING):
                self.advance()
                base = self._parse_member(start, base)
            else:  # the dot of ``bag.[name]`` says nothing
                self.take_symbol(".")
                self.advance()
                index = self.parse_expression()
                self.expect_symbol("]")
                base = syntax.Index(base, index, span=self.since(start))
        return base

    def _parse_member(self, start: Token, base: Expr) -> Expr:
        """Parse the name behind a dot; ``cluster(…).`` begins the name of a remote table."""
        if isinstance(base, syntax.RemoteTable) or (isinstance(base, syntax.Call) and base.name in REMOTE_FUNCTIONS):
            return self._parse_remote_table(start, base)
        if self.is_symbol("["):
            return syntax.Member(base, self.parse_name(), span=self.since(start))
        name = self.expect_kind(Kind.WORD).text
        if self.is_symbol("("):
            what = base.name if isinstance(base, (syntax.Call, syntax.Name)) else "…"
            self.problems.add(
                f"not supported: '{what}….{name}(…)'; a hunt reads only the tables it is given", start.span
            )
            raise Stuck
        return syntax.Member(base, name, span=self.since(start))

    def _parse_remote_table(self, start: Token, base: syntax.RemoteTable | syntax.Call) -> Expr:
        """Parse ``cluster("c").database("d").T``; in a union, the name may hold wildcards."""
        name = self.parse_pattern()
        if isinstance(name, syntax.Name) and self.is_symbol("("):
            self._parse_call(start, name.name)
        what = base.what if isinstance(base, syntax.RemoteTable) else base.name
        return syntax.RemoteTable(what, self.text_since(start), span=self.since(start))

    def _parse_primary(self) -> Expr:
        """Parse a literal, a name, a call or an expression in brackets."""
        token = self.token
        if token.kind in LITERAL_KINDS:
            self.advance()
            return syntax.Literal(*LITERAL_KINDS[token.kind](token.text), span=token.span)
        if token.kind is Kind.STRING:
            return self._parse_string()
        if token.kind is Kind.WORD:
            return self._parse_word()
        if self.is_symbol("("):
            return self.parse_bracketed()
        if self.is_symbol("["):
            return syntax.Name(self.parse_name(), span=self.since(token))
        self.fail("an expression")
        raise AssertionError  # pragma: no cover -- fail raises

    def _parse_string(self) -> Expr:
        """Parse a string; adjacent literals are one string.

        https://learn.microsoft.com/kusto/query/scalar-data-types/string
        """
        start = self.token
        text = self.advance().text
        while self.token.kind is Kind.STRING:
            text += self.advance().text  # adjacent literals are one, as in C
        return syntax.Literal("string", text, span=self.since(start))

    def parse_bracketed(self) -> Expr:
        """Parse a pipeline or expression in round brackets."""
        self.expect_symbol("(")
        inner = self.nested(self.parse_pipe)
        self.expect_symbol(")")
        return inner

    def _parse_word(self) -> Expr:
        """Parse an expression that begins with a word: a bool, a typed literal, a call or a name."""
        token = self.advance()
        if token.text in CONSTANTS:
            return syntax.Literal("bool", CONSTANTS[token.text], span=token.span)
        if not self.is_symbol("("):
            return self._parse_loose_name(token)
        if token.text in LITERAL_TYPES:
            return self._parse_typed_literal(token)
        if token.text == "dynamic":
            return self._parse_dynamic(token)
        return self._parse_call(token, token.text)

    def _parse_loose_name(self, token: Token) -> Expr:
        """Parse a name without brackets behind it; a touching ``*`` is a wildcard unless an operand follows."""
        if self.is_symbol("*") and self._touches() and not self._starts_operand(self.ahead()):
            self.at -= 1
            return self.parse_pattern()
        return syntax.Name(token.text, span=token.span)

    def _parse_call(self, start: Token, name: str) -> Expr:
        """Parse the arguments of a call."""
        self.expect_symbol("(")
        arguments = self.until(")", self.parse_argument)
        return syntax.Call(name, arguments, span=self.since(start))

    def parse_argument(self) -> Expr:
        """Parse an argument: ``*``, ``name = value``, a value or a table."""
        if self.is_symbol("*") and self.ahead().text in {")", ","}:
            return syntax.Star(span=self.advance().span)
        if self.token.kind is Kind.WORD and self.ahead().text == "=":
            return self.parse_named()
        return self.nested(self.parse_pipe)

    def _parse_typed_literal(self, token: Token) -> Expr:
        """Parse ``long(null)``, ``real(-inf)``, ``bool(1)``; anything else in the brackets is no constant."""
        self.expect_symbol("(")
        # The tokenizer makes the sign a token of its own.
        sign = -1 if self.take_symbol("-") else 1
        self.take_symbol("+")
        word = self.advance()
        self.expect_symbol(")")
        value = _typed_value(LITERAL_TYPES[token.text], word, sign)
        if value is Ellipsis:
            self.problems.add(f"expected a constant of type {token.text}, got '{word.text}'", word.span)
            value = None
        return syntax.Literal(LITERAL_TYPES[token.text], value, span=self.since(token))

    def _parse_dynamic(self, start: Token) -> Expr:
        """Parse ``dynamic(…)``.

        https://learn.microsoft.com/kusto/query/scalar-data-types/dynamic
        """
        self.expect_symbol("(")
        value = self.nested(self._parse_json)
        self.expect_symbol(")")
        return syntax.Literal("dynamic", value, span=self.since(start))

    def _parse_json(self) -> object:
        """Parse the contents of ``dynamic(…)``: JSON, whose leaves may be Kusto constants.

        Arrays are ``("array", items)``, bags ``("bag", ((name, value), …))``, leaves ``(type, value)``, null is
        ``None``.
        """
        if self.take_symbol("["):
            return ("array", self.until("]", lambda: self.nested(self._parse_json)))
        if self.take_symbol("{"):
            return ("bag", self.until("}", self._parse_property))
        if self.take_word("null"):
            return None
        sign = self.take_symbol("-")
        literal = self._parse_primary()
        if not isinstance(literal, syntax.Literal) or (sign and not _has_sign(literal)):
            self.problems.add("expected a constant", literal.span)
            return None
        if literal.type == "dynamic":
            return literal.value
        return (literal.type, -literal.value if sign else literal.value)

    def _parse_property(self) -> tuple[str, object]:
        """Parse a property of a bag."""
        name = self.advance().text
        self.expect_symbol(":")
        return (name, self.nested(self._parse_json))

    def _parse_names(self) -> tuple[str, ...]:
        """Parse ``name =`` or ``(a, b) =`` before a value; go back and return no names if there is no ``=``."""
        if self.is_symbol("(") and (names := self._parse_name_list()):
            return names
        place = self.at
        if self.token.kind is Kind.WORD or (self.is_symbol("[") and self.ahead().kind is Kind.STRING):
            name = self.parse_name()
            if self.take_symbol("="):
                return (name,)
        self.at = place
        return ()

    def _parse_name_list(self) -> tuple[str, ...]:
        """Parse ``(a, b) =``; go back and return no names if it is none."""
        place = self.at
        self.advance()
        names = []
        while self.token.kind is Kind.WORD:
            names.append(self.advance().text)
            self.take_symbol(",")
        if names and self.take_symbol(")") and self.take_symbol("="):
            return tuple(names)
        self.at = place
        return ()

    def _touches(self) -> bool:
        """Whether the current token follows the one before without space."""
        before = self.tokens[self.at - 1].span
        return before.offset + before.length == self.token.span.offset

    def _starts_operand(self, token: Token) -> bool:
        """Whether a token can begin an operand."""
        return token.kind in {Kind.WORD, Kind.LONG, Kind.REAL, Kind.TIMESPAN, Kind.STRING} or token.text in {"(", "-"}


CONSTANTS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}


def _has_sign(literal: syntax.Literal) -> bool:
    """Whether a sign may stand before a literal in JSON."""
    return literal.type in {"int", "long", "real", "decimal"} and literal.value is not None


def _bracketed(kind: str) -> Callable[[str], tuple[str, object]]:
    """Return the reader of a literal with brackets, such as ``datetime(…)``.

    Spaces and line breaks within the brackets count as one space.
    """
    return lambda text: (kind, None if text == "null" else " ".join(text.strip("\"'").split()))


LITERAL_KINDS = {
    Kind.LONG: lambda text: ("long", int(text, 0) if text[:2] in {"0x", "0X"} else int(text)),
    Kind.REAL: lambda text: ("real", float(text)),
    Kind.TIMESPAN: _bracketed("timespan"),
    Kind.DATETIME: _bracketed("datetime"),
    Kind.GUID: _bracketed("guid"),
}


def _typed_value(kind: str, token: Token, sign: int) -> object:
    """Return the value of a constant, ``None`` for null, or ``...`` if the token is no constant of the type."""
    if token.text == "null":
        return None
    if kind == "bool":
        return {"true": True, "false": False, "1": True, "0": False}.get(token.text.lower(), ...)
    if kind in {"real", "decimal"} and token.text in SPECIAL_REALS:
        return sign * SPECIAL_REALS[token.text]
    if token.kind not in {Kind.LONG, Kind.REAL} or (kind in {"int", "long"} and token.kind is Kind.REAL):
        return ...
    value = LITERAL_KINDS[token.kind](token.text)[1]
    number = float(str(value)) if kind == "real" else value
    return sign * number  # type: ignore[operator]  # both kinds of token hold numbers
