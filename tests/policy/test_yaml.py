"""YAML with positions, and documents that are refused before validation."""

import time

import pytest

from driftline.errors import InvalidPolicy
from driftline.policy import _yaml


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as caught:
        _yaml.load(text, source="p")
    return [str(problem) for problem in caught.value.problems]


def test_every_value_and_key_has_a_position() -> None:
    document, positions = _yaml.load("a:\n  - b: 1\n    c: [x, y]\n", source="p")

    assert document == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert positions["a", 0, "c", 1] == (3, 12)
    assert positions["a", 0, "c", "#key"] == (3, 5)


def test_a_time_stays_text() -> None:
    assert _yaml.load("a: 2026-12-31", source="p")[0] == {"a": "2026-12-31"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\nb: 4", ["p:3:1: 'a' is given twice", "p:4:1: 'b' is given twice"]),
        ("a: &x 1\nb: *x", ["p:2:4: aliases (*name) are not supported"]),
        ("a: b: c", ["p:1:5: not YAML: mapping values are not allowed in this context"]),
        ("a: [", ["p:2:1: not YAML: did not find expected node content"]),
        ("a: 1\n---\nb: 2", ["p:2:1: not YAML: but found another document"]),
        ("a: 1\nb: x\x01", ["p:2:5: not YAML: control characters are not allowed"]),
        ("a: !os x", ["p:1:4: tags (!name) are not supported"]),
        ("a: !!set {x}", ["p:1:4: tags (!name) are not supported"]),
        ("a: [0b_, " + "9" * 5000 + "]", [f"p:1:{at}: expected a number, or text in quotes" for at in (5, 10)]),
        ("? [a]\n: b", ["p:1:3: expected the name of a field"]),
        ("a: {1: x}", ["p:1:5: expected the name of a field"]),
        ("<<: {a: 1}", ["p:1:1: expected the name of a field"]),
        ("a: " + "[" * 21, ["p:1:23: nested deeper than 20"]),
    ],
)  # fmt: skip
def test_unsupported_yaml_is_refused_with_its_position(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


@pytest.mark.parametrize("text", ["[" * 4_000_000, "{a: " * 1_000_000, "a" * (5 << 20), "- " * 1_000_000])
def test_a_bomb_is_refused_in_time(text: str) -> None:
    start = time.process_time()
    problems(text)

    assert time.process_time() - start < 2
