"""A place among the tokens: look ahead, take, expect, and recover from an error.

``take_x`` advances if the token fits, otherwise returns ``None``; ``expect_x`` advances or fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

from driftline.kql.text import hints
from driftline.kql.text.literals import string
from driftline.kql.text.problems import Problems, Span
from driftline.kql.text.tokens import Kind, Token

__all__ = ["Cursor", "Stuck"]

DEEPEST = 60  # levels; a bracket may count twice. Python's own stack allows four times as many
T = TypeVar("T")


class Stuck(Exception):
    """The text cannot be read on from here, or a node cannot be bound; the problem is already noted."""


class Cursor:
    """A place among the tokens of a query."""

    operators: Collection[str] = ()

    def __init__(self, tokens: list[Token], problems: Problems, text: str) -> None:
        """Begin at the first of ``tokens``, which end with a token of kind END; problems are added to ``problems``."""
        self.tokens = tokens
        self.problems = problems
        self.text = text
        self.at = 0
        self.depth = 0
        self.in_condition = False  # within the predicate of where

    @property
    def token(self) -> Token:
        """The current token."""
        return self.tokens[self.at]

    def ahead(self, distance: int = 1) -> Token:
        """Return the token ``distance`` behind the current one; END if there are not as many."""
        return self.tokens[min(self.at + distance, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Return the current token and go to the next; END stays."""
        token = self.token
        if token.kind is not Kind.END:
            self.at += 1
        return token

    def is_symbol(self, *texts: str) -> bool:
        """Whether the current token is one of the symbols."""
        return self.token.kind is Kind.SYMBOL and self.token.text in texts

    def is_word(self, *texts: str) -> bool:
        """Whether the current token is one of the words. Keywords are case-sensitive."""
        return self.token.kind is Kind.WORD and self.token.text in texts

    def take_symbol(self, *texts: str) -> Token | None:
        """Take the current token if it is one of the symbols."""
        return self.advance() if self.is_symbol(*texts) else None

    def take_word(self, *texts: str) -> Token | None:
        """Take the current token if it is one of the words."""
        return self.advance() if self.is_word(*texts) else None

    def expect_symbol(self, text: str) -> Token:
        """Take a symbol, or fail."""
        return self.take_symbol(text) or self.fail(f"'{text}'")

    def expect_word(self, *texts: str) -> Token:
        """Take one of the words, or fail."""
        return self.take_word(*texts) or self.fail(" or ".join(f"'{text}'" for text in texts))

    def expect_kind(self, kind: Kind) -> Token:
        """Take a token of a kind, or fail."""
        return self.advance() if self.token.kind is kind else self.fail(f"a {kind.value}")

    def fail(self, expected: str) -> Token:
        """Note what was expected here and raise ``Stuck``; declared to return a token, so that ``or`` can call it."""
        token = self.token
        got = "the end of the query" if token.kind is Kind.END else f"'{token.text[:40]}'"
        # The tokens read so far may show what was meant, as in SQL's LIKE or AND.
        hint = hints.of_tokens(self.tokens[: self.at], token, self.operators)
        self.problems.add(f"expected {expected}, got {got}{hint}", token.span)
        raise Stuck

    def since(self, start: Token) -> Span:
        """Return the span from a token to the one before the current token."""
        return start.span.to(self.tokens[max(self.at - 1, 0)].span)

    def text_since(self, start: Token) -> str:
        """Return the text from a token to the one before the current token, without comments and line breaks."""
        tokens = self.tokens[self.tokens.index(start) : self.at]
        text, end = "", start.span.offset
        for token in tokens:
            text += " " * (token.span.offset > end)
            end = token.span.offset + token.span.length
            # A string is written in canonical form, because its text may span lines.
            text += string(token.text) if token.kind is Kind.STRING else self.text[token.span.offset : end]
        return text

    def nested(self, parse: Callable[[], T]) -> T:
        """Parse something one level deeper.

        Beyond ``DEEPEST`` levels the whole query is refused: nothing can be told of the text that follows.
        """
        if self.depth >= DEEPEST:
            self.problems.add(f"nested too deeply (some {DEEPEST // 2} brackets)", self.token.span)
            self.problems.raise_if_any()
        self.depth += 1
        try:
            return parse()
        finally:
            self.depth -= 1

    def separated(self, parse: Callable[[], T]) -> tuple[T, ...]:
        """Parse one or more things, separated by commas."""
        found = [parse()]
        while self.take_symbol(","):
            found.append(parse())
        return tuple(found)

    def until(self, close: str, parse: Callable[[], T]) -> tuple[T, ...]:
        """Parse zero or more things, separated by commas, and the closing symbol; a comma may stand before it."""
        found: list[T] = []
        while not self.is_symbol(close):
            found.append(parse())
            if not self.take_symbol(","):
                break
        self.expect_symbol(close)
        return tuple(found)

    def skip_statement(self) -> None:
        """Skip to the ``;`` that ends a statement, or to the end; closing brackets alone do not count."""
        level = 0
        while self.token.kind is not Kind.END and not (level == 0 and self.is_symbol(";")):
            # Never below zero: a broken statement may close more brackets than it opens.
            level = max(level + self.is_symbol("(", "[", "{") - self.is_symbol(")", "]", "}"), 0)
            self.advance()

    def skip_out(self, start: int, *stops: str) -> None:
        """Skip to one of the symbols, out of the brackets opened since the token at ``start``."""
        tokens = [token.text for token in self.tokens[start : self.at] if token.kind is Kind.SYMBOL]
        level = sum(text in "([{" for text in tokens) - sum(text in ")]}" for text in tokens)
        self.skip_to(*(stops if level <= 0 else ()))
        while level > 0 and self.token.kind is not Kind.END:
            self.advance()
            level -= 1
            self.skip_to(*(stops if level <= 0 else ()))

    def skip_to(self, *stops: str) -> None:
        """Skip to one of the symbols, outside of brackets opened on the way; stop at the end or a closing bracket."""
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
