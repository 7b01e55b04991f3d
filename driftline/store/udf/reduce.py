"""Groups of similar texts, for the operator ``reduce``, by rules of driftline.

Kusto names SLCT as its model (R. Vaarandi, A Data Clustering Algorithm for Mining Patterns From Event
Logs, 2003), but not the details (https://learn.microsoft.com/kusto/query/reduce-operator). Here a text
is a sequence of terms. It joins the group whose pattern shares most terms with it, if the share reaches the
threshold; the pattern has ``*`` where the group's texts differ. A text that stays alone counts
among ``others``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["assign_patterns", "reduce_texts"]

_MOST_TEXTS = 20_000  # the most frequent ones
_MOST_TERMS = 64  # the rest of the text is one more term
_MOST_COMPARED = 50  # groups for each term that are compared
OTHERS = "others"
"""Pattern of the texts that are alone."""

Terms = tuple[str, ...]


@dataclass(slots=True)
class _Group:
    pattern: Terms
    representative: str
    texts: list[str] = field(default_factory=list)
    count: int = 0
    places: set[int] = field(default_factory=set)  # of the pattern, where its texts differ


def reduce_texts(texts: str | None, threshold: float | None, separators: str | None) -> str:
    """Group texts by similarity.

    ``texts`` is a JSON array of pairs: text and count. ``threshold``, from 0 to 1, is the least share of
    common terms. ``separators`` are characters that separate terms, besides all ASCII characters
    that are neither letter nor digit; beside a ``*`` they are left out of patterns.

    Returns a JSON array, the largest group first, of arrays: pattern, count, a representative text. The last
    one counts the texts that are alone, as ``others``.
    """
    groups = _group_texts(texts, threshold, separators)
    large = [group for group in groups if group.count > 1]
    found = [(_pattern_text(group, separators or ""), group.count, group.representative) for group in large]
    found.sort(key=lambda row: (-row[1], row[0]))
    alone = len(groups) - len(large)
    return json.dumps([*found, *[(OTHERS, alone, "")] * bool(alone)], ensure_ascii=False)


def assign_patterns(texts: str | None, threshold: float | None, separators: str | None) -> str:
    """Group texts as ``reduce_texts`` does; return a JSON array of pairs: text and its group's pattern."""
    groups = _group_texts(texts, threshold, separators)
    named = [(_pattern_text(group, separators or "") if group.count > 1 else OTHERS, group) for group in groups]
    return json.dumps([(text, name) for name, group in named for text in group.texts], ensure_ascii=False)


def _group_texts(texts: str | None, threshold: float | None, separators: str | None) -> list[_Group]:
    pairs = [(str(text), int(count)) for text, count in json.loads(texts or "[]")[:_MOST_TEXTS]]
    parting = re.compile(f"([{re.escape(separators or '')}\\x00-/:-@\\[-`{{-\\x7f])")
    groups: list[_Group] = []
    by_term: dict[str, list[_Group]] = {}
    for text, count in sorted(pairs, key=lambda pair: (-pair[1], pair[0])):
        terms = _terms(text, parting)
        group, share = _closest(terms, by_term)
        if group is None or share < (threshold or 0.0):
            group = _Group(terms, text)
            groups.append(group)
            for term in _words(terms):
                by_term.setdefault(term, []).append(group)
        else:
            _join(group, terms)
        group.count += count
        group.texts.append(text)
    return groups


def _terms(text: str, parting: re.Pattern[str]) -> Terms:
    return tuple(piece for piece in parting.split(text, maxsplit=_MOST_TERMS) if piece)


def _words(terms: Terms) -> set[str]:
    return set(filter(_is_word, terms))


def _is_word(term: str) -> bool:
    return len(term) > 1 or term.isalnum()


# By the rarest terms first and only so many groups for each, so that a term of all texts costs no more.
def _closest(terms: Terms, by_term: dict[str, list[_Group]]) -> tuple[_Group | None, float]:
    rarest = sorted(_words(terms) & by_term.keys(), key=lambda term: (len(by_term[term]), term))
    near = {id(group): group for term in rarest for group in by_term[term][:_MOST_COMPARED]}
    shares = [(_share(group, terms), -place, group) for place, group in enumerate(near.values())]
    share, _, found = max(shares, key=lambda each: each[:2], default=(0.0, 0, None))
    return found, share


# The share of words that text and pattern have in the same order; separators alone make no texts similar.
def _share(group: _Group, terms: Terms) -> float:
    kept = [term for place, term in enumerate(group.pattern) if place not in group.places and _is_word(term)]
    words = list(filter(_is_word, terms))
    alike = sum(block.size for block in _blocks(kept, words))
    return alike / max(sum(map(_is_word, group.pattern)), len(words), 1)


def _blocks(one: Sequence[str], other: Sequence[str]) -> list[difflib.Match]:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()


# The pattern's terms that the new text lacks become places where texts differ. A longer text differs at the end, too.
def _join(group: _Group, terms: Terms) -> None:
    matched = {block.a + step for block in _blocks(group.pattern, terms) for step in range(block.size)}
    group.places |= set(range(len(group.pattern))) - matched
    if len(terms) > len(group.pattern):
        group.places.add(len(group.pattern) - 1)


# Separators beside a wildcard join it, and adjoining wildcards become one.
def _pattern_text(group: _Group, separators: str) -> str:
    parts = ["*" if place in group.places else term for place, term in enumerate(group.pattern)]
    for place, part in enumerate(parts):
        beside = parts[max(place - 1, 0) : place] + parts[place + 1 : place + 2]
        if part in separators and "*" in beside:
            parts[place] = "*"
    return re.sub(r"\*+", "*", "".join(parts))
