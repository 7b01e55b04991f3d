"""Parse whole queries: statements, pipelines, operators.

A broken operator is noted and skipped to the next ``|``, so that one reading finds all
mistakes. Each operator is one row of ``OPERATORS``.
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.cursor import Stuck
from driftline.kql.expressions import ExpressionParser
from driftline.kql.problems import Problems, Span, suggestion
from driftline.kql.syntax import Expr, Operator
from driftline.kql.tokens import Kind, Token, tokenize

__all__ = ["OPERATORS", "Parser", "parse"]


def parse(text: str) -> syntax.Query:
    """Parse a query; raises ``InvalidQuery`` with every problem and its place."""
    problems = Problems(text)
    parser = Parser(tokenize(text, problems), problems, text)
    query = parser.parse_query()
    problems.raise_if_any()
    return query


class Parser(ExpressionParser):
    """Parse statements and pipelines on top of scalar expressions."""

    def __init__(self, tokens: list[Token], problems: Problems, text: str) -> None:
        super().__init__(tokens, problems)
        self.text = text

    # Statements

    def parse_query(self) -> syntax.Query:
        start = self.token
        statements: list[syntax.Statement] = []
        body: Expr | None = None
        while self.token.kind is not Kind.END:
            if self.take_symbol(";"):
                continue
            try:
                body = self._parse_statement_or_body(statements, body)
            except Stuck:
                self.skip_to(";")
                if not self.take_symbol(";"):
                    self.advance()
        if body is None:
            if not len(self.problems):
                self.problems.add(
                    "expected a query: a table's name, or a 'print', 'range' or 'datatable'", self.token.span
                )
            body = syntax.Print((), span=start.span)
        return syntax.Query(tuple(statements), body, span=self.since(start))

    def _parse_statement_or_body(self, statements: list[syntax.Statement], body: Expr | None) -> Expr | None:
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
        start = self.token
        if self.is_word("let") and self.ahead().kind in {Kind.WORD, Kind.SYMBOL}:
            return self._parse_let(start)
        if self.is_word("set") and self.ahead().kind is Kind.WORD:
            self.advance()
            name = self.advance().text
            value = self.advance().text if self.take_symbol("=") else ""
            return syntax.Set(name, value, span=self.since(start))
        if self.is_word("declare"):
            self.advance()
            self.expect_word("query_parameters")
            self.expect_symbol("(")
            return syntax.Declare(self.until(")", self._parse_parameter), span=self.since(start))
        if self.is_word("alias", "restrict") and self.ahead().kind is Kind.WORD:
            self.problems.add(f"not supported: '{self.token.text}' statements", self.token.span)
            raise Stuck
        return None

    def _parse_let(self, start: Token) -> syntax.Let:
        self.advance()
        name = self.parse_name()
        self.expect_symbol("=")
        value = self._parse_function() if self._at_function() else self.parse_pipe()
        span = self.since(start)
        if self.token.kind is not Kind.END:
            self.expect_symbol(";")
        return syntax.Let(name, value, span=span)

    def _at_function(self) -> bool:
        """Say whether ``(…) {`` follows, with an optional ``view`` before."""
        place = self.at
        self.take_word("view")
        found = False
        if self.take_symbol("("):
            self.skip_to(")")
            found = self.take_symbol(")") is not None and self.is_symbol("{")
        self.at = place
        return found

    def _parse_function(self) -> syntax.Function:
        start = self.token
        self.take_word("view")
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
        return syntax.Function(parameters, tuple(statements), body, span=self.since(start))

    def _parse_parameter(self) -> syntax.FunctionParameter:
        start = self.token
        name = self.parse_name()
        self.expect_symbol(":")
        if self.take_symbol("("):
            columns = self._closed(()) if self.take_symbol("*") else self.until(")", self.parse_typed_name)
            return syntax.FunctionParameter(name, "", columns, span=self.since(start))
        kind = self.parse_type()
        default = self.parse_expression() if self.take_symbol("=") else None
        return syntax.FunctionParameter(name, kind, None, default, span=self.since(start))

    def _closed(self, columns: tuple[syntax.TypedName, ...]) -> tuple[syntax.TypedName, ...]:
        self.expect_symbol(")")
        return columns

    # Pipelines

    def parse_pipe(self) -> Expr:
        """Parse ``source | operator | …``; a plain expression is a pipe without operators."""
        start = self.token
        source = self._parse_source()
        operators = self._parse_operators() if self.is_symbol("|") else ()
        return syntax.Pipe(source, operators, span=self.since(start)) if operators else source

    def _parse_source(self) -> Expr:
        word = self.token.text if self.token.kind is Kind.WORD else ""
        parse = SOURCES.get(word)
        if parse is None or not self._is_source(word):
            return self.parse_expression()
        return parse(self, self.advance())

    def _is_source(self, word: str) -> bool:
        after = self.ahead()
        if word == "datatable":
            return after.text == "("
        if word in {"print", "search", "find", "union"}:
            is_operator = after.kind is Kind.SYMBOL and after.text in {"|", ")", ";", ",", "=", "==", "."}
            return not is_operator and after.kind is not Kind.END
        return after.kind is Kind.WORD or word == "externaldata"

    def _parse_operators(self) -> tuple[Operator, ...]:
        found: list[Operator] = []
        while self.take_symbol("|"):
            try:
                found.append(self.parse_operator())
                if not self._ends_operator():
                    self.fail("'|' or the end of the query")
            except Stuck:
                self.skip_to("|", ";")
        return tuple(found)

    def _ends_operator(self) -> bool:
        return self.token.kind is Kind.END or self.is_symbol("|", ";", ")", "}", ",", "]") or self.is_word("on")

    def parse_operator(self) -> Operator:
        token = self.token
        if token.kind is Kind.WORD and token.text in OPERATORS:
            return self.nested(lambda: OPERATORS[token.text](self, self.advance()))
        if token.kind is Kind.WORD:
            self.problems.add(f"unknown operator '{token.text}'{suggestion(token.text, OPERATORS)}", token.span)
            raise Stuck
        self.fail("an operator such as 'where' or 'summarize'")
        raise AssertionError  # pragma: no cover -- fail raises

    # Sources

    def _parse_datatable(self, start: Token) -> Expr:
        self.expect_symbol("(")
        columns = self.until(")", self.parse_typed_name)
        self.expect_symbol("[")
        values = self.until("]", self.parse_expression)
        return syntax.Datatable(columns, values, span=self.since(start))

    def _parse_range(self, start: Token) -> Expr:
        name = self.parse_name()
        self.expect_word("from")
        first = self.parse_expression()
        self.expect_word("to")
        last = self.parse_expression()
        self.expect_word("step")
        return syntax.Range(name, first, last, self.parse_expression(), span=self.since(start))

    def _parse_print(self, start: Token) -> Expr:
        return syntax.Print(self.separated(self.parse_named), span=self.since(start))

    def _parse_union(self, start: Token) -> syntax.Union:
        parameters = self.parse_parameters()
        tables = self.separated(self._parse_table)
        return syntax.Union(parameters, tables, span=self.since(start))

    def _parse_table(self) -> Expr:
        if self.is_symbol("("):
            return self._parse_bracketed()
        if self.token.kind is Kind.WORD and self.ahead().text != "(" and self.ahead().text != ".":
            return self.parse_pattern()
        if self.is_symbol("*"):
            return self.parse_pattern()
        return self._parse_postfix()

    def _parse_find(self, start: Token) -> Expr:
        parameters = self.parse_parameters()
        tables = self._parse_in()
        self.take_word("where")
        predicate = self.parse_expression()
        items: tuple[Expr, ...] = ()
        if self.take_word("project"):
            items = self.separated(self._parse_found)
        elif self.take_word("project-smart"):
            items = ()
        return syntax.Find(parameters, tables, predicate, items, span=self.since(start))

    def _parse_found(self) -> Expr:
        start = self.token
        name = self.parse_name()
        if self.is_symbol("(") and name == "pack":
            self.advance()
            self.expect_symbol("*")
            self.expect_symbol(")")
            return syntax.Star(span=self.since(start))
        if self.take_symbol(":"):
            return syntax.TypedName(name, self.parse_type(), span=self.since(start))
        return syntax.Name(name, span=start.span)

    def _parse_search(self, start: Token) -> syntax.Search:
        parameters = self.parse_parameters()
        tables = self._parse_in()
        return syntax.Search(parameters, tables, self._parse_sought(), span=self.since(start))

    def _parse_sought(self) -> Expr:
        return self.parse_expression()

    def _parse_in(self) -> tuple[Expr, ...]:
        if not self.take_word("in"):
            return ()
        self.expect_symbol("(")
        return self.until(")", self._parse_table)

    def _parse_refused_source(self, start: Token) -> Expr:
        self.problems.add(f"not supported: '{start.text}'; a hunt reads only the tables it is given", start.span)
        raise Stuck

    # Operators

    def parse_parameters(self) -> tuple[syntax.Parameter, ...]:
        """Parse ``name=value`` settings behind an operator's name."""
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
        if self.token.kind is not Kind.WORD:
            return False
        if self.token.text == "hint":
            return self.ahead().text == "."
        return self.token.text in PARAMETERS and self.ahead().text == "="

    def _parse_where(self, start: Token) -> Operator:
        return syntax.Where(self.parse_expression(), span=self.since(start))

    def _parse_columns(self, start: Token) -> Operator:
        item = self.parse_pattern_item if start.text in PATTERN_LISTS else self.parse_named_item
        items = self.separated(item)
        return syntax.Columns(start.text, items, span=self.since(start))

    def parse_pattern_item(self) -> Expr:
        item = self.parse_pattern()
        self.take_word("asc", "desc", "granny-asc", "granny-desc")
        return item

    def parse_named_item(self) -> Expr:
        if self.is_symbol("*"):
            return syntax.Star(span=self.advance().span)
        named = self.parse_named()
        return named.value if isinstance(named.value, syntax.Star) else named

    def _parse_summarize(self, start: Token) -> Operator:
        self.parse_parameters()
        aggregates = () if self.is_word("by") else self.separated(self.parse_named)
        self.take_symbol(",")
        groups = self.separated(self.parse_named) if self.take_word("by") else ()
        return syntax.Summarize(aggregates, groups, span=self.since(start))

    def _parse_sort(self, start: Token) -> Operator:
        self.parse_parameters()
        self.expect_word("by")
        return syntax.Sort(self.separated(self._parse_key), span=self.since(start))

    def _parse_key(self) -> syntax.Key:
        start = self.token
        value = self.parse_expression()
        descending = self._parse_direction()
        nulls = self.expect_word("first", "last").text if self.take_word("nulls") else None
        return syntax.Key(value, descending, nulls, span=self.since(start))

    def _parse_direction(self) -> bool | None:
        word = self.take_word("asc", "desc")
        return None if word is None else word.text == "desc"

    def _parse_top(self, start: Token) -> Operator:
        count = self.parse_expression()
        self.parse_parameters()
        self.expect_word("by")
        return syntax.Top(count, self.separated(self._parse_key), span=self.since(start))

    def _parse_top_nested(self, start: Token) -> Operator:
        levels = [self._parse_level(start)]
        while self.take_symbol(","):
            levels.append(self._parse_level(self.expect_word("top-nested")))
        return syntax.TopNested(tuple(levels), span=self.since(start))

    def _parse_level(self, start: Token) -> syntax.NestedLevel:
        count = None if self.is_word("of") else self.parse_expression()
        self.expect_word("of")
        value = self.parse_named()
        others = None
        if self.take_word("with"):
            self.expect_word("others")
            self.expect_symbol("=")
            others = self.parse_expression()
        self.expect_word("by")
        aggregate = self.parse_named()
        return syntax.NestedLevel(count, value, others, aggregate, self._parse_direction(), span=self.since(start))

    def _parse_top_hitters(self, start: Token) -> Operator:
        count = self.parse_expression()
        self.expect_word("of")
        value = self.parse_expression()
        weight = self.parse_expression() if self.take_word("by") else None
        return syntax.TopHitters(count, value, weight, span=self.since(start))

    def _parse_limit(self, start: Token) -> Operator:
        op = "sample" if start.text == "sample" else "take"
        return syntax.Limit(op, self.parse_expression(), span=self.since(start))

    def _parse_sample_distinct(self, start: Token) -> Operator:
        count = self.parse_expression()
        self.expect_word("of")
        return syntax.SampleDistinct(count, self.parse_expression(), span=self.since(start))

    def _parse_plain(self, start: Token) -> Operator:
        return syntax.Plain(start.text, span=start.span)

    def _parse_serialize(self, start: Token) -> Operator:
        items = () if self._ends_operator() else self.separated(self.parse_named)
        return syntax.Serialize(items, span=self.since(start))

    def _parse_join(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        table = self._parse_bracketed() if self.is_symbol("(") else self._parse_postfix()
        parameters += self.parse_parameters()
        conditions = self.separated(self.parse_expression) if self.take_word("on") else ()
        return syntax.Join(start.text, parameters, table, conditions, span=self.since(start))

    def _parse_mv_expand(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        items = self.separated(self._parse_expanded)
        limit = self.parse_expression() if self.take_word("limit") else None
        return syntax.MvExpand(parameters, items, limit, span=self.since(start))

    def _parse_mv_apply(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        items = self.separated(self._parse_expanded)
        limit = self.parse_expression() if self.take_word("limit") else None
        self.expect_word("on")
        body = self._parse_body()
        return syntax.MvApply(parameters, items, limit, body, span=self.since(start))

    def _parse_body(self) -> tuple[Operator, ...]:
        self.expect_symbol("(")
        self.take_symbol("|")
        first = self.parse_operator()
        rest = self._parse_operators()
        self.expect_symbol(")")
        return (first, *rest)

    def _parse_expanded(self) -> syntax.Expanded:
        start = self.token
        item = self.parse_named()
        kind = None
        if self.take_word("to"):
            self.expect_word("typeof")
            self.expect_symbol("(")
            kind = self.parse_type()
            self.expect_symbol(")")
        return syntax.Expanded(item, kind, span=self.since(start))

    def _parse_parse(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        value = self.parse_expression()
        self.expect_word("with")
        pattern = []
        while not self._ends_operator():
            pattern.append(self._parse_pattern_part())
        return syntax.Parse(start.text, parameters, value, tuple(pattern), span=self.since(start))

    def _parse_pattern_part(self) -> Expr:
        start = self.token
        if self.take_symbol("*"):
            return syntax.Star(span=start.span)
        if start.kind is Kind.STRING:
            self.advance()
            return syntax.Literal("string", start.text, span=start.span)
        name = self.parse_name()
        kind = self.parse_type() if self.take_symbol(":") else "string"
        return syntax.TypedName(name, kind, span=self.since(start))

    def _parse_parse_kv(self, start: Token) -> Operator:
        value = self.parse_expression()
        self.expect_word("as")
        self.expect_symbol("(")
        columns = self.until(")", self.parse_typed_name)
        settings: tuple[syntax.Named, ...] = ()
        if self.take_word("with"):
            self.expect_symbol("(")
            settings = self.until(")", self.parse_named)
        return syntax.ParseKv(value, columns, settings, span=self.since(start))

    def _parse_make_series(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        series = self.separated(self._parse_series)
        self.expect_word("on")
        axis = self.parse_named()
        first = last = None
        if self.take_word("from"):
            first = self.parse_expression()
        if self.take_word("to"):
            last = self.parse_expression()
        if self.take_word("in"):
            first, last, step = self._parse_in_range()
        else:
            self.expect_word("step")
            step = self.parse_expression()
        groups = self.separated(self.parse_named) if self.take_word("by") else ()
        return syntax.MakeSeries(parameters, series, axis, first, last, step, groups, span=self.since(start))

    def _parse_in_range(self) -> tuple[Expr, Expr, Expr]:
        self.expect_word("range")
        self.expect_symbol("(")
        first = self.parse_expression()
        self.expect_symbol(",")
        last = self.parse_expression()
        self.expect_symbol(",")
        step = self.parse_expression()
        self.expect_symbol(")")
        return first, last, step

    def _parse_series(self) -> syntax.Series:
        start = self.token
        aggregate = self.parse_named()
        default = None
        if self.take_word("default"):
            self.expect_symbol("=")
            default = self.parse_expression()
        return syntax.Series(aggregate, default, span=self.since(start))

    def _parse_as(self, start: Token) -> Operator:
        self.parse_parameters()
        return syntax.As(self.parse_name(), span=self.since(start))

    def _parse_partition(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        self.expect_word("by")
        place = self.token
        column = syntax.Name(self.parse_name(), span=place.span)
        return syntax.Partition(parameters, column, self._parse_body(), span=self.since(start))

    def _parse_scan(self, start: Token) -> Operator:
        parameters = self.parse_parameters()
        declared: tuple[tuple[syntax.TypedName, Expr | None], ...] = ()
        if self.take_word("declare"):
            self.expect_symbol("(")
            declared = self.until(")", self._parse_declared)
        self.expect_word("with")
        self.expect_symbol("(")
        steps = []
        while self.is_word("step"):
            steps.append(self._parse_step())
        self.expect_symbol(")")
        return syntax.Scan(parameters, declared, tuple(steps), span=self.since(start))

    def _parse_declared(self) -> tuple[syntax.TypedName, Expr | None]:
        column = self.parse_typed_name()
        return column, self.parse_expression() if self.take_symbol("=") else None

    def _parse_step(self) -> syntax.ScanStep:
        start = self.advance()
        name = self.parse_name()
        optional = self.take_word("optional") is not None
        output = "all"
        if self.take_word("output"):
            self.expect_symbol("=")
            output = self.expect_word("all", "last", "none").text
        self.expect_symbol(":")
        condition = self.parse_expression()
        assignments = self.separated(self.parse_named) if self.take_symbol("=>") else ()
        self.expect_symbol(";")
        return syntax.ScanStep(name, optional, output, condition, assignments, span=self.since(start))

    def _parse_render(self, start: Token) -> Operator:
        kind = self.expect_kind(Kind.WORD).text
        settings: list[tuple[str, str]] = []
        bracketed = self.take_word("with") is not None
        if bracketed:
            self.expect_symbol("(")
        while self.token.kind is Kind.WORD and self.ahead().text == "=":
            settings.append(self._parse_setting())
            self.take_symbol(",")
        if bracketed:
            self.expect_symbol(")")
        return syntax.Render(kind, tuple(settings), span=self.since(start))

    def _parse_setting(self) -> tuple[str, str]:
        name = self.advance().text
        self.expect_symbol("=")
        value = self.advance().text
        while self.is_symbol(",") and self.ahead().kind is Kind.WORD and self.ahead(2).text != "=":
            self.advance()
            value += "," + self.advance().text
        return name, value

    def _parse_evaluate(self, start: Token) -> Operator:
        self.parse_parameters()
        call = self._parse_plugin()
        schema: tuple[syntax.TypedName, ...] = ()
        if self.take_symbol(":"):
            self.expect_symbol("(")
            if self.take_symbol("*"):
                self.take_symbol(",")
            schema = self.until(")", self.parse_typed_name)
        return syntax.Evaluate(call, schema, span=self.since(start))

    def _parse_plugin(self) -> syntax.Call:
        start = self.token
        name = self.expect_kind(Kind.WORD).text
        self.expect_symbol("(")
        return syntax.Call(name, self.until(")", self._parse_argument), span=self.since(start))

    def _parse_invoke(self, start: Token) -> Operator:
        return syntax.Invoke(self._parse_plugin(), span=self.since(start))

    # An operator we refuse is skipped with its text, so that the rest is still checked.
    def _parse_unsupported(self, start: Token) -> Operator:
        first = self.token
        self.skip_to("|", ";")
        span = self.since(first)
        text = self.text[span.offset : span.offset + span.length] if self.token is not first else ""
        return syntax.Unsupported(start.text, text, span=Span(start.span.offset, len(start.text)))


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
PATTERN_LISTS = frozenset(["project-away", "project-keep", "project-reorder"])
SOURCES: dict[str, Callable[[Parser, Token], Expr]] = {
    "datatable": Parser._parse_datatable,
    "range": Parser._parse_range,
    "print": Parser._parse_print,
    "union": Parser._parse_union,
    "find": Parser._parse_find,
    "search": Parser._parse_search,
    "externaldata": Parser._parse_refused_source,
}
OPERATORS: dict[str, Callable[[Parser, Token], Operator]] = {
    "where": Parser._parse_where,
    "filter": Parser._parse_where,
    "project": Parser._parse_columns,
    "project-away": Parser._parse_columns,
    "project-keep": Parser._parse_columns,
    "project-rename": Parser._parse_columns,
    "project-reorder": Parser._parse_columns,
    "extend": Parser._parse_columns,
    "distinct": Parser._parse_columns,
    "summarize": Parser._parse_summarize,
    "sort": Parser._parse_sort,
    "order": Parser._parse_sort,
    "top": Parser._parse_top,
    "top-nested": Parser._parse_top_nested,
    "top-hitters": Parser._parse_top_hitters,
    "take": Parser._parse_limit,
    "limit": Parser._parse_limit,
    "sample": Parser._parse_limit,
    "sample-distinct": Parser._parse_sample_distinct,
    "count": Parser._parse_plain,
    "getschema": Parser._parse_plain,
    "consume": Parser._parse_unsupported,
    "serialize": Parser._parse_serialize,
    "join": Parser._parse_join,
    "lookup": Parser._parse_join,
    "union": Parser._parse_union,
    "mv-expand": Parser._parse_mv_expand,
    "mvexpand": Parser._parse_mv_expand,
    "mv-apply": Parser._parse_mv_apply,
    "mvapply": Parser._parse_mv_apply,
    "parse": Parser._parse_parse,
    "parse-where": Parser._parse_parse,
    "parse-kv": Parser._parse_parse_kv,
    "make-series": Parser._parse_make_series,
    "as": Parser._parse_as,
    "partition": Parser._parse_partition,
    "scan": Parser._parse_scan,
    "render": Parser._parse_render,
    "evaluate": Parser._parse_evaluate,
    "invoke": Parser._parse_invoke,
    "search": Parser._parse_search,
    "reduce": Parser._parse_unsupported,
    "fork": Parser._parse_unsupported,
    "facet": Parser._parse_unsupported,
    "make-graph": Parser._parse_unsupported,
    "graph-match": Parser._parse_unsupported,
    "graph-to-table": Parser._parse_unsupported,
    "graph-shortest-paths": Parser._parse_unsupported,
    "graph-mark-components": Parser._parse_unsupported,
    "macro-expand": Parser._parse_unsupported,
}
