"""A place among the tokens: look, take, expect, and give up on what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from driftline.kql.text import hints
from driftline.kql.text.literals import string
from driftline.kql.text.problems import Problems, Span
from driftline.kql.text.tokens import Kind, Token

__all__ = ["Cursor", "Stuck"]

DEEPEST = 60  # a bracket may count twice; Python's own stack bears four times that
T = TypeVar("T")


class Stuck(Exception):
    """The text cannot be read on from here; the problem is already noted."""


class Cursor:
    """Walk over tokens."""

    operators: Collection[str] = ()

    def __init__(self, tokens: list[Token], problems: Problems, text: str) -> None:
        self.tokens = tokens
        self.problems = problems
        self.text = text
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def ahead(self, distance: int = 1) -> Token:
        return self.tokens[min(self.at + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        token = self.token
        if token.kind is not Kind.END:
            self.at += 1
        return token

    def is_symbol(self, *texts: str) -> bool:
        return self.token.kind is Kind.SYMBOL and self.token.text in texts

    def is_word(self, *texts: str) -> bool:
        return self.token.kind is Kind.WORD and self.token.text in texts

    def take_symbol(self, *texts: str) -> Token | None:
        return self.advance() if self.is_symbol(*texts) else None

    def take_word(self, *texts: str) -> Token | None:
        return self.advance() if self.is_word(*texts) else None

    def expect_symbol(self, text: str) -> Token:
        return self.take_symbol(text) or self.fail(f"'{text}'")

    def expect_word(self, *texts: str) -> Token:
        return self.take_word(*texts) or self.fail(" or ".join(f"'{text}'" for text in texts))

    def expect_kind(self, kind: Kind) -> Token:
        return self.advance() if self.token.kind is kind else self.fail(f"a {kind.value}")

    def fail(self, expected: str) -> Token:
        """Note what was expected here and give up; declared to return for the sake of ``or``."""
        token = self.token
        got = "the end of the query" if token.kind is Kind.END else f"'{token.text[:40]}'"
        hint = hints.of_tokens(self.tokens[: self.at], token, self.operators)
        self.problems.add(f"expected {expected}, got {got}{hint}", token.span)
        raise Stuck

    def since(self, start: Token) -> Span:
        """Give the span from a token to the one before this place."""
        return start.span.to(self.tokens[max(self.at - 1, 0)].span)

    def text_since(self, start: Token) -> str:
        """Give the text from a token to the one before this place, without comments and line breaks."""
        tokens = self.tokens[self.tokens.index(start) : self.at]
        text, end = "", start.span.offset
        for token in tokens:
            text += " " * (token.span.offset > end)
            end = token.span.offset + token.span.length
            text += string(token.text) if token.kind is Kind.STRING else self.text[token.span.offset : end]
        return text

    def nested(self, parse: Callable[[], T]) -> T:
        """Parse something one level deeper; too deep, nothing can be told of what follows."""
        if self.depth >= DEEPEST:
            self.problems.add(f"nested too deeply (some {DEEPEST // 2} brackets)", self.token.span)
            self.problems.raise_if_any()
        self.depth += 1
        try:
            return parse()
        finally:
            self.depth -= 1

    def separated(self, parse: Callable[[], T]) -> tuple[T, ...]:
        """Parse one or more things with commas between them."""
        found = [parse()]
        while self.take_symbol(","):
            found.append(parse())
        return tuple(found)

    def until(self, close: str, parse: Callable[[], T]) -> tuple[T, ...]:
        """Parse zero or more things with commas between them, and the closing symbol."""
        found: list[T] = []
        while not self.is_symbol(close):
            found.append(parse())
            if not self.take_symbol(","):
                break
        self.expect_symbol(close)
        return tuple(found)

    def skip_statement(self) -> None:
        """Skip to the ``;`` that ends a statement, over brackets that close nothing, or to the end."""
        level = 0
        while self.token.kind is not Kind.END and not (level == 0 and self.is_symbol(";")):
            level = max(level + self.is_symbol("(", "[", "{") - self.is_symbol(")", "]", "}"), 0)
            self.advance()

    def skip_out(self, start: int, *stops: str) -> None:
        """Skip to one of the symbols, out of the brackets opened since a place."""
        tokens = [token.text for token in self.tokens[start : self.at] if token.kind is Kind.SYMBOL]
        level = sum(text in "([{" for text in tokens) - sum(text in ")]}" for text in tokens)
        self.skip_to(*(stops if level <= 0 else ()))
        while level > 0 and self.token.kind is not Kind.END:
            self.advance()
            level -= 1
            self.skip_to(*(stops if level <= 0 else ()))

    def skip_to(self, *stops: str) -> None:
        """Skip to one of the symbols outside of brackets opened on the way, or to the end."""
        level = 0
        while self.token.kind is not Kind.END:
            if level == 0 and self.is_symbol(*stops):
                return
            level += self.is_symbol("(", "[", "{")
            if self.is_symbol(")", "]", "}"):
                if level == 0:
                    return
                level -= 1
            self.advance()
