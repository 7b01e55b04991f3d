"""Parse operators with bodies, steps and plugins: partition, scan, evaluate, invoke, render."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.parse.parser import Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.problems import Span
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS"]


def parse_as(parser: Parser, start: Token) -> Operator:
    parser.parse_parameters()
    return syntax.As(parser.parse_name(), span=parser.since(start))


def parse_partition(parser: Parser, start: Token) -> Operator:
    first = parser.token
    parameters = parser.parse_parameters()
    parser.expect_word("by")
    place = parser.token
    column = syntax.Name(parser.parse_name(), span=place.span)
    if parser.is_symbol("{"):
        return skipped(parser, start, first)
    return syntax.Partition(parameters, column, parser.parse_body(), span=parser.since(start))


def parse_scan(parser: Parser, start: Token) -> Operator:
    parameters = parser.parse_parameters()
    declared: tuple[tuple[syntax.TypedName, Expr | None], ...] = ()
    if parser.take_word("declare"):
        parser.expect_symbol("(")
        declared = parser.until(")", lambda: parse_declared(parser))
    parser.expect_word("with")
    parser.expect_symbol("(")
    steps = []
    while parser.is_word("step"):
        steps.append(parse_step(parser))
    parser.expect_symbol(")")
    return syntax.Scan(parameters, declared, tuple(steps), span=parser.since(start))


def parse_declared(parser: Parser) -> tuple[syntax.TypedName, Expr | None]:
    column = parser.parse_typed_name()
    return column, parser.parse_expression() if parser.take_symbol("=") else None


def parse_step(parser: Parser) -> syntax.ScanStep:
    start = parser.advance()
    name = parser.parse_name()
    optional = parser.take_word("optional") is not None
    output = "all"
    if parser.take_word("output"):
        parser.expect_symbol("=")
        output = parser.expect_word("all", "last", "none").text
    parser.expect_symbol(":")
    condition = parser.parse_expression()
    assignments = parser.separated(parser.parse_named) if parser.take_symbol("=>") else ()
    parser.expect_symbol(";")
    return syntax.ScanStep(name, optional, output, condition, assignments, span=parser.since(start))


def parse_render(parser: Parser, start: Token) -> Operator:
    kind = parser.expect_kind(Kind.WORD).text
    settings = parse_settings(parser)
    if parser.take_word("with"):
        parser.expect_symbol("(")
        settings += parse_settings(parser)
        parser.expect_symbol(")")
    return syntax.Render(kind, tuple(settings), span=parser.since(start))


def parse_settings(parser: Parser) -> list[tuple[str, str]]:
    settings = []
    while parser.token.kind is Kind.WORD and parser.ahead().text == "=":
        settings.append(parse_setting(parser))
        parser.take_symbol(",")
    return settings


def parse_setting(parser: Parser) -> tuple[str, str]:
    name = parser.advance().text
    parser.expect_symbol("=")
    value = parser.advance().text
    while parser.is_symbol(",") and parser.ahead().kind is Kind.WORD and parser.ahead(2).text != "=":
        parser.advance()
        value += "," + parser.advance().text
    return name, value


def parse_evaluate(parser: Parser, start: Token) -> Operator:
    parser.parse_parameters()
    call = parse_plugin(parser)
    schema: tuple[syntax.TypedName, ...] = ()
    whole = False
    if parser.take_symbol(":"):
        parser.expect_symbol("(")
        whole = parser.take_symbol("*") is not None
        if whole:
            parser.take_symbol(",")
        schema = parser.until(")", parser.parse_typed_name)
    return syntax.Evaluate(call, schema, whole, span=parser.since(start))


def parse_plugin(parser: Parser) -> syntax.Call:
    start = parser.token
    name = parser.expect_kind(Kind.WORD).text
    parser.expect_symbol("(")
    return syntax.Call(name, parser.until(")", parser.parse_argument), span=parser.since(start))


def parse_invoke(parser: Parser, start: Token) -> Operator:
    return syntax.Invoke(parse_plugin(parser), span=parser.since(start))


def parse_unsupported(parser: Parser, start: Token) -> Operator:
    return skipped(parser, start, parser.token)


# An operator we refuse is skipped with its text, so that the rest is still checked.
def skipped(parser: Parser, start: Token, first: Token) -> Operator:
    parser.skip_to("|", ";")
    text = parser.text_since(first)
    return syntax.Unsupported(start.text, text, span=Span(start.span.offset, len(start.text)))


def parse_getschema(parser: Parser, start: Token) -> Operator:
    if not parser.ends_operator():
        return parse_unsupported(parser, start)
    return syntax.Plain(start.text, span=start.span)


OPERATORS: dict[str, Callable[[Parser, Token], Operator]] = {
    "getschema": parse_getschema,
    "assert-schema": parse_unsupported,
    "project-by-names": parse_unsupported,
    "consume": parse_unsupported,
    "as": parse_as,
    "partition": parse_partition,
    "scan": parse_scan,
    "render": parse_render,
    "evaluate": parse_evaluate,
    "invoke": parse_invoke,
    "fork": parse_unsupported,
    "facet": parse_unsupported,
    "graph-shortest-paths": parse_unsupported,
    "graph-mark-components": parse_unsupported,
    "macro-expand": parse_unsupported,
}
