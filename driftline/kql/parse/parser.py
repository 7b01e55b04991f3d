"""Parse whole queries: statements, pipelines, and the helpers that the operators' parsers share.

A broken operator is noted and skipped to the next ``|``, a broken statement to the next ``;``, so that one reading
finds all mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from driftline.kql import syntax
from driftline.kql.parse import request_properties
from driftline.kql.parse.cursor import Stuck
from driftline.kql.parse.expressions import ExpressionParser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text import hints
from driftline.kql.text.hints import instead
from driftline.kql.text.problems import Problems
from driftline.kql.text.tokens import Kind, Token

__all__ = ["ParseOperator", "ParseSource", "Parser"]

# Names that are parameters wherever an operator takes parameters.
PARAMETERS = frozenset(
    [
        "kind",
        "withsource",
        "with_source",
        "isfuzzy",
        "bagexpansion",
        "with_itemindex",
        "flags",
        "strategy",
        "with_match_id",
    ]
)


ParseOperator = Callable[["Parser", Token], Operator]
"""Parses an operator whose first word, the token, is already read."""
ParseSource = Callable[["Parser", Token], Expr]
"""Parses a source whose first word, the token, is already read."""


class Parser(ExpressionParser):
    """A parser of statements and pipelines, on top of scalar expressions."""

    operators: Mapping[str, ParseOperator]

    def __init__(
        self,
        tokens: list[Token],
        problems: Problems,
        text: str,
        *,
        operators: Mapping[str, ParseOperator],
        sources: Mapping[str, ParseSource],
    ) -> None:
        """Read ``tokens`` of ``text`` by two tables: operator's or source's first word -> function that parses it."""
        super().__init__(tokens, problems, text)
        self.operators = operators
        self.sources = sources

    def parse_query(self) -> syntax.Query:
        """Parse a query: statements, then one expression.

        A query of which nothing can be read becomes a tree of an empty print; the problems tell why.
        """
        start = self.token
        statements: list[syntax.Statement] = []
        body: Expr | None = None
        # ``.show tables`` and the like.
        if self.is_symbol("."):
            self.problems.add("not supported: management commands; a hunt only reads", self.token.span)
            self.at = len(self.tokens) - 1
        self._check_begin()
        while self.token.kind is not Kind.END:
            if self.take_symbol(";"):
                continue
            try:
                body = self._parse_statement_or_body(statements, body)
            except Stuck:
                self.skip_statement()
        if body is None:
            # An empty query, or one of comments alone.
            if not len(self.problems):
                self.problems.add(
                    "expected a query: a table's name, or a 'print', 'range' or 'datatable'", self.token.span
                )
            body = syntax.Print((), span=start.span)
        return syntax.Query(tuple(statements), body, span=self.since(start))

    def _check_begin(self) -> None:
        """Note a query that begins with an operator or with SQL, and skip it: everything in it would be a problem."""
        token, after = self.token, self.ahead()
        if self.is_symbol("|") or (
            token.text in self.operators and token.text not in self.sources and after.kind is Kind.WORD
        ):
            self.problems.add(f"expected a table's name before '{token.text}'", token.span)
        elif token.text.lower() in hints.STATEMENTS and (after.kind is Kind.WORD or after.text == "*"):
            self.problems.add(
                f"'{token.text}' is SQL; a hunt begins with a table: Table | where … | project …", token.span
            )
        else:
            return
        self.at = len(self.tokens) - 1

    def _parse_statement_or_body(self, statements: list[syntax.Statement], body: Expr | None) -> Expr | None:
        """Parse a statement into ``statements``, or the query's expression; return the expression found so far."""
        statement = self._parse_statement()
        if statement is not None:
            statements.append(statement)
            return body
        start = self.token
        found = self.parse_pipe()
        if self.token.kind is not Kind.END and not self.is_symbol(";"):
            self.fail("'|', ';' or the end of the query")
        if body is not None:
            self.problems.add("not supported: more than one result in one query", start.span)
        return found

    def _parse_statement(self) -> syntax.Statement | None:
        """Parse let, set or declare; ``None`` if no statement begins here."""
        start = self.token
        # ``let`` may also be a column's name, at the beginning of an expression.
        if self.is_word("let") and self.ahead().kind in {Kind.WORD, Kind.SYMBOL}:
            return self._parse_let(start)
        if self.is_word("set") and self.ahead().kind is Kind.WORD:
            self.advance()
            return self._parse_set(start)
        if self.is_word("declare"):
            self.advance()
            if self.is_word("pattern"):
                self.problems.add("not supported: 'declare pattern' statements", self.token.span)
                raise Stuck
            self.expect_word("query_parameters")
            self.expect_symbol("(")
            return syntax.Declare(self.until(")", self._parse_parameter), span=self.since(start))
        if self.is_word("alias", "restrict") and self.ahead().kind is Kind.WORD:
            self.problems.add(f"not supported: '{self.token.text}' statements", self.token.span)
            raise Stuck
        return None

    def _parse_set(self, start: Token) -> syntax.Set:
        """Parse ``set``; note a problem for a request property that driftline does not support."""
        name = self.advance()
        if name.text.lower() in request_properties.USED:
            self.expect_symbol("=")
            return syntax.Set(name.text.lower(), "", self.parse_expression(), span=self.since(start))
        value = self.advance().text if self.take_symbol("=") else ""
        if problem := request_properties.problem_of(name.text):
            self.problems.add(problem, name.span)
        return syntax.Set(name.text, value, span=self.since(start))

    def _parse_let(self, start: Token) -> syntax.Let:
        """Parse ``let name = expression or function``."""
        self.advance()
        name = self.parse_name()
        self.expect_symbol("=")
        value = self._parse_function() if self._at_function() else self.parse_pipe()
        span = self.since(start)
        if self.token.kind is not Kind.END:
            self.expect_symbol(";")
        return syntax.Let(name, value, span=span)

    def _at_function(self) -> bool:
        """Whether ``(…) {`` follows, with an optional ``view`` before."""
        place = self.at
        self.take_word("view")
        found = False
        if self.take_symbol("("):
            self.skip_to(")")
            found = self.take_symbol(")") is not None and self.is_symbol("{")
        self.at = place
        return found

    def _parse_function(self) -> syntax.Function:
        """Parse a function: parameters, statements and an expression.

        https://learn.microsoft.com/kusto/query/functions/user-defined-functions
        """
        start = self.token
        view = self.take_word("view") is not None
        self.expect_symbol("(")
        parameters = self.until(")", self._parse_parameter)
        self.expect_symbol("{")
        statements = []
        while (statement := self._parse_statement()) is not None:
            statements.append(statement)
            self.take_symbol(";")
        body = self.nested(self.parse_pipe)
        self.take_symbol(";")
        self.expect_symbol("}")
        return syntax.Function(parameters, tuple(statements), body, view, span=self.since(start))

    def _parse_parameter(self) -> syntax.FunctionParameter:
        """Parse a parameter: ``name: type = default``, or ``name: (columns)`` for a table."""
        start = self.token
        name = self.parse_name()
        self.expect_symbol(":")
        if self.take_symbol("("):
            columns = self._parse_parameter_columns()
            return syntax.FunctionParameter(name, "", columns, span=self.since(start))
        kind = self.parse_type()
        default = self.parse_expression() if self.take_symbol("=") else None
        return syntax.FunctionParameter(name, kind, None, default, span=self.since(start))

    def _parse_parameter_columns(self) -> tuple[syntax.TypedName, ...]:
        """Parse the columns of a tabular parameter; ``*`` allows further columns, which is always so here."""
        found = []
        while not self.is_symbol(")"):
            if not self.take_symbol("*"):
                found.append(self.parse_typed_name())
            if not self.take_symbol(","):
                break
        self.expect_symbol(")")
        return tuple(found)

    def parse_pipe(self) -> Expr:
        """Parse ``source | operator | …``; a plain expression is a pipe without operators."""
        start = self.token
        source = self._parse_source()
        operators = self.parse_operators() if self.is_symbol("|") else ()
        return syntax.Pipe(source, operators, span=self.since(start)) if operators else source

    def _parse_source(self) -> Expr:
        """Parse the source of a pipeline: by its first word, or else as an expression."""
        word = self.token.text if self.token.kind is Kind.WORD else ""
        parse = self.sources.get(word)
        if parse is None or not self._is_source(word):
            return self.parse_expression()
        return parse(self, self.advance())

    def _is_source(self, word: str) -> bool:
        """Whether a word begins a source here; print, range and others may also be names of columns or functions."""
        after = self.ahead()
        if word == "datatable":
            return after.text == "("
        # ``print | …`` and ``union = 1`` use the word as a name.
        if word in {"print", "search", "find", "union"}:
            is_operator = after.kind is Kind.SYMBOL and after.text in {"|", ")", ";", ",", "=", "==", "."}
            return not is_operator and after.kind is not Kind.END
        return after.kind is Kind.WORD or word in {"externaldata", "macro-expand"}

    def parse_operators(self) -> tuple[Operator, ...]:
        """Parse ``| operator`` repeatedly; a broken operator is noted and left out."""
        found: list[Operator] = []
        while self.take_symbol("|"):
            place = self.at
            try:
                # On failure, tokens are skipped from the operator's first word on, out of brackets it opened.
                found.append(self.parse_operator())
                if not self.ends_operator():
                    self.fail("'|' or the end of the query")
            except Stuck:
                self.skip_out(place, "|", ";")
        return tuple(found)

    def ends_operator(self) -> bool:
        """Whether the current token ends an operator; so does ``on`` behind the arrays of mv-apply."""
        return self.token.kind is Kind.END or self.is_symbol("|", ";", ")", "}", ",", "]") or self.is_word("on")

    def parse_operator(self) -> Operator:
        """Parse one operator by its first word."""
        token = self.token
        if token.kind is Kind.WORD and token.text in self.operators:
            return self.nested(lambda: self.operators[token.text](self, self.advance()))
        if token.kind is Kind.WORD:
            hint = instead(token.text, hints.OPERATORS, self.operators)
            self.problems.add(f"unknown operator '{token.text}'{hint}", token.span)
            raise Stuck
        # ``||`` is no token: two bars that touch are the or of another language.
        if self.is_symbol("|") and self._touches():
            self.problems.add("unexpected '||'; write 'or'", token.span)
            self.advance()
            raise Stuck
        self.fail("an operator such as 'where' or 'summarize'")
        raise AssertionError  # pragma: no cover -- fail raises

    def parse_parameters(self) -> tuple[syntax.Parameter, ...]:
        """Parse the parameters ``name=value`` behind an operator's name, hints (``hint.strategy=…``) among them."""
        found = []
        while self._at_parameter():
            start = self.token
            name = self.advance().text
            while self.take_symbol("."):
                name += "." + self.advance().text
            self.expect_symbol("=")
            found.append(syntax.Parameter(name, self.advance().text, span=self.since(start)))
        return tuple(found)

    def _at_parameter(self) -> bool:
        """Whether a parameter or a hint begins here."""
        if self.token.kind is not Kind.WORD:
            return False
        if self.token.text == "hint":
            return self.ahead().text == "."
        return self.token.text in PARAMETERS and self.ahead().text == "="

    def parse_body(self) -> tuple[Operator, ...]:
        """Parse operators in brackets: the body of partition and mv-apply."""
        self.expect_symbol("(")
        self.take_symbol("|")
        first = self.parse_operator()
        rest = self.parse_operators()
        self.expect_symbol(")")
        return (first, *rest)
