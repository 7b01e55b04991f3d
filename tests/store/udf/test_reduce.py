"""Groups of similar texts: every text counts once."""

from __future__ import annotations

import collections
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import errors, kql
from driftline.store.udf.reduce import assign_patterns, reduce_texts

TEXTS = st.dictionaries(st.text(alphabet="ab1 -/X*é", max_size=12), st.integers(1, 5), max_size=12)


@given(TEXTS, st.floats(0.01, 0.99), st.sampled_from(["", "X", "-]^"]))
def test_every_text_counts_in_one_group(texts: dict[str, int], threshold: float, separators: str) -> None:
    rows = json.loads(reduce_texts(json.dumps(list(texts.items())), threshold, separators))

    assert sum(count for _, count, _ in rows) == sum(texts.values())
    assert all(representative in texts or pattern == "others" for pattern, _, representative in rows)


@given(TEXTS)
def test_the_order_of_texts_does_not_matter(texts: dict[str, int]) -> None:
    pairs = list(texts.items())
    assert reduce_texts(json.dumps(pairs), 0.3, "") == reduce_texts(json.dumps(pairs[::-1]), 0.3, "")


@given(TEXTS, st.floats(0.01, 0.99), st.sampled_from(["", "X"]))
def test_every_text_has_the_pattern_of_its_group(texts: dict[str, int], threshold: float, separators: str) -> None:
    given_texts = json.dumps(list(texts.items()))
    pairs = json.loads(assign_patterns(given_texts, threshold, separators))
    counted: collections.Counter[str] = collections.Counter()
    for text, pattern in pairs:
        counted[pattern] += texts[text]
    rows: collections.Counter[str] = collections.Counter()
    for pattern, count, _ in json.loads(reduce_texts(given_texts, threshold, separators)):
        rows[pattern] += count

    assert sorted(text for text, _ in pairs) == sorted(texts)
    assert counted == rows


def test_unknown_kinds_and_thresholds_are_refused() -> None:
    with pytest.raises(errors.InvalidQuery, match="unknown kind of reduce 'sauce'"):
        kql.translate("T | reduce kind=sauce by s", {"T": {"s": "string"}})
    with pytest.raises(errors.InvalidQuery, match="threshold between 0 and 1"):
        kql.translate("T | reduce by s with threshold=2", {"T": {"s": "string"}})
