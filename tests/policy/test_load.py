"""Policies from YAML: the whole model, and every error at its place."""

from pathlib import Path

import pytest

from driftline import policy
from driftline.errors import InvalidPolicy
from driftline.events import Action

RULE = "rules:\n  - name: a\n    priority: 1\n    action: alert\n"


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as caught:
        policy.load(text, source="p.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_rule_has_defaults() -> None:
    (rule,) = policy.load(RULE, source="p.yaml").rules

    assert (rule.name, rule.priority, rule.action, rule.enabled, rule.severity) == (
        "a",
        1,
        Action.ALERT,
        True,
        "Medium",
    )


def test_a_manifest_is_the_same_model() -> None:
    body = "".join(f"  {line}\n" for line in RULE.splitlines())
    manifest = f"apiVersion: driftline.dev/v1alpha1\nkind: DriftPolicy\nmetadata: {{name: x}}\nspec:\n{body}"

    assert policy.load(manifest, source="p.yaml") == policy.load(RULE, source="p.yaml")


def test_the_demos_policy_is_valid() -> None:
    assert len(policy.load_file(Path("deploy/policies/demo.yaml")).rules) == 2


def test_all_errors_come_at_once_in_order() -> None:
    text = "rules:\n  - name: a\n    priorty: 3\n    action: alrt\n    priority: 0\n"

    assert problems(text) == [
        "p.yaml:3:5: rules.0.priorty: unknown field; did you mean priority?",
        "p.yaml:4:13: rules.0.action: Input should be 'ignore', 'alert' or 'block'",
        "p.yaml:5:15: rules.0.priority: Input should be greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RULE + RULE.removeprefix("rules:\n"), "p.yaml:1:1: more than one rule has the name 'a'"),
        (RULE + "    action: block\n", "p.yaml:5:5: 'action' is given twice"),
        ("rules: *x", "p.yaml:1:8: not YAML: found undefined alias 'x'"),
        ("a: &x 1\nb: *x", "p.yaml:2:4: aliases (*name) are not supported"),
        ("rules: [", "p.yaml:1:9: not YAML: expected the node content, but found '<stream end>'"),
        ("", "p.yaml:1:1: expected a mapping with the key rules"),
        ("kind: Pod", "p.yaml:1:1: expected apiVersion driftline.dev/v1alpha1 and kind DriftPolicy"),
        (
            RULE + "    resourceScope: [{field: namespace, label: x, values: [a]}]\n",
            "p.yaml:5:21: rules.0.resourceScope.0: label names the pod label to look at: "
            "it goes with the field podLabel, and only with it",
        ),
        (
            RULE + "    allow: [{name: a, path: /b}]\n",
            "p.yaml:5:13: rules.0.allow.0: expected exactly one of name, path, sha256 and relocated",
        ),
    ],
)
def test_an_error_stands_at_its_place(text: str, expected: str) -> None:
    assert expected in problems(text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("(", "not a regular expression of RE2: missing ): ("),
        (r"(a)\1", r"not a regular expression of RE2: invalid escape sequence: \1"),
        ("a(?=b)", "not a regular expression of RE2: invalid perl operator: (?="),
        ("((a{500}){500}){500}", "not a regular expression of RE2: invalid repetition size: {500}"),
        ("a" * 257, "expected a regular expression of at most 256 characters, got 257"),
    ],
)
def test_an_illegal_regular_expression_is_refused_at_its_place(value: str, reason: str) -> None:
    text = RULE + f"    resourceScope:\n      - {{field: podName, operator: regex, values: [a, '{value}']}}\n"

    assert problems(text) == [f"p.yaml:6:55: rules.0.resourceScope.0.values.1: {reason}"]


def test_ten_thousand_rules_are_refused() -> None:
    rules = "".join(f"  - {{name: r{n}, priority: {n}, action: alert}}\n" for n in range(1, 10_001))

    assert problems("rules:\n" + rules) == [
        "p.yaml:2:3: rules: Tuple should have at most 1000 items after validation, not 10000"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicy, match=r"cannot read the policy .*: Is a directory"):
        policy.load_file(tmp_path)
