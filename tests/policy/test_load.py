"""Policies from YAML: defaults, manifests, and errors with line and column."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import policy
from driftline.errors import InvalidPolicy
from driftline.events import Action

RULE = "rules:\n  - name: a\n    priority: 1\n    action: alert\n"
MANIFEST = "apiVersion: driftline.dev/v1alpha1\nkind: DriftPolicy\n"
TIME = "expected a time with its zone, like 2026-12-31T00:00:00Z"


def rule(line: str) -> str:
    """Return a policy with one rule; ``line`` is its first field and overrides a required one."""
    lines = {"name": "name: a", "priority": "priority: 1", "action": "action: alert"}
    lines.pop(line.partition(":")[0], "")
    return "rules:\n  - " + "\n    ".join([line, *lines.values()])


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidPolicy) as caught:
        policy.load(text, source="p.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_rule_has_default_values() -> None:
    (rule,) = policy.load(RULE, source="p.yaml").rules

    assert (rule.name, rule.priority, rule.action, rule.enabled, rule.severity) == (
        "a",
        1,
        Action.ALERT,
        True,
        "Medium",
    )


def test_a_manifest_loads_as_the_same_policy() -> None:
    body = "".join(f"  {line}\n" for line in RULE.splitlines())
    manifest = f"apiVersion: driftline.dev/v1alpha1\nkind: DriftPolicy\nmetadata: {{name: x}}\nspec:\n{body}"

    assert policy.load(manifest, source="p.yaml") == policy.load(RULE, source="p.yaml")


def test_the_demo_policy_is_valid() -> None:
    assert len(policy.load_file(Path("deploy/policies/demo.yaml")).rules) == 3


def test_the_policy_of_the_how_to_page_is_valid() -> None:
    page = Path("docs/how-to/write-a-policy.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    assert len(policy.load(block, source="p.yaml").rules) == 2


def test_all_errors_are_reported_in_order_of_position() -> None:
    text = "rules:\n  - name: a\n    priorty: 3\n    action: alrt\n    priority: 0\n"

    assert problems(text) == [
        "p.yaml:3:5: rules.0.priorty: unknown field; did you mean priority?",
        "p.yaml:4:13: rules.0.action: expected 'ignore', 'alert' or 'block', got 'alrt'",
        "p.yaml:5:15: rules.0.priority: expected greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RULE + RULE.removeprefix("rules:\n"), "5:11: rules.1.name: rules.0 has the name 'a' already"),
        (RULE + RULE.removeprefix("rules:\n"), "6:15: rules.1.priority: rules.0 has the priority 1 already"),
        ("", "1:1: expected a mapping with the key rules"),
        ("kind: Pod", "1:1: expected apiVersion driftline.dev/v1alpha1 and kind DriftPolicy"),
        (MANIFEST, "1:1: expected the policy under spec"),
        (MANIFEST + "specs: {}\n", "3:1: specs: unknown field; did you mean spec?"),
        ("rules: {}", "1:8: rules: expected a list, got a mapping"),
        ("rules: [foo]", "1:9: rules.0: expected a mapping, got 'foo'"),
        ("rules: [{name: a, action: block}]", "1:9: rules.0.priority: expected this field"),
        (rule("name: 'Default'"), "2:11: rules.0.name: this name is reserved for the default rule, "
            "whose action is set by defaultRule"),
        (rule("name: yes"), "2:11: rules.0.name: expected text, got true; put it into quotes"),
        (rule("name: ' a'"), "2:11: rules.0.name: expected printable characters, no space at either end"),
        (rule("priority: '1'"), "2:15: rules.0.priority: expected a whole number, got '1'"),
        (rule("enabled: 1"), "2:14: rules.0.enabled: expected true or false, got 1"),
        (rule("cloud_scope: []"), "2:5: rules.0.cloud_scope: unknown field; did you mean cloudScope?"),
        (rule("subjects: []"), "2:15: rules.0.subjects: expected at least 1, got 0"),
        (rule("expires: 2026-12-31"), f"2:14: rules.0.expires: {TIME}"),
        (rule("expires: 2026-12-31T00:00:00"), f"2:14: rules.0.expires: {TIME}"),
        (rule("expires: 5"), f"2:14: rules.0.expires: {TIME}"),
        (rule("resourceScope: [{field: namespace, label: x, values: [a]}]"),
            "2:21: rules.0.resourceScope.0: label is the key of a label: "
            "podLabel and namespaceLabel require it, others exclude it"),
        (rule("resourceScope: [{field: podLabel, label: -x, values: [a]}]"),
            "2:46: rules.0.resourceScope.0.label: expected a label key with a name of at most 63 letters, digits, "
            "'-', '_' and '.', a letter or digit at either end, got '-x'"),
        (rule("allow: [{name: a, path: /b}]"),
            "2:13: rules.0.allow.0: expected exactly one of name, path, sha256 and relocated"),
        (rule("allow: [{path: b}]"),
            "2:20: rules.0.allow.0.path: expected an absolute path, or a pattern that begins with *"),
        (rule("allow: [{name: /b}]"),
            "2:20: rules.0.allow.0.name: expected a file name without its folder; path takes a path"),
        (rule("allow: [{sha256: AB}]"), "2:22: rules.0.allow.0.sha256: expected 64 lower-case hexadecimal digits"),
        (rule("cloudScope: [{provider: aws, accounts: [12]}]"),
            "2:45: rules.0.cloudScope.0.accounts.0: expected text, got 12; put it into quotes"),
        (rule("cloudScope: [{provider: aws}, {provider: aws, accounts: ['012345678901']}]"),
            "2:61: rules.0.cloudScope.1.accounts: cloudScope.0 is the whole of aws: expected all of it or a list"),
        ("defaultRule: {action: alert, name: x}",
            "1:30: defaultRule.name: unknown field; the default rule has an action and nothing else"),
        ("defaultRule: {action: alert}\ndefaultRule: {action: block}", "2:1: 'defaultRule' is given twice"),
        ("defaultRule: [{action: alert}]", "1:14: defaultRule: expected a mapping, got a list"),
    ],
)  # fmt: skip
def test_an_error_has_its_line_and_column(text: str, expected: str) -> None:
    assert f"p.yaml:{expected}" in problems(text)


def test_a_duplicate_name_is_reported_together_with_other_errors() -> None:
    text = "rules:\n  - {name: a, priority: 1, action: no}\n  - {name: a, priority: 2, action: alert}\n"

    assert problems(text) == [
        "p.yaml:2:36: rules.0.action: expected 'ignore', 'alert' or 'block', got false",
        "p.yaml:3:12: rules.1.name: rules.0 has the name 'a' already",
    ]


def test_ten_thousand_unknown_fields_are_reported_in_time() -> None:
    text = "rules:\n  - {name: a, priority: 1, action: alert}\n" + "".join(f"x{n}: 1\n" for n in range(10_000))

    assert len(problems(text)) == 10_000


def test_a_thousand_rules_are_accepted() -> None:
    rules = "".join(f"  - {{name: r{n}, priority: {n}, action: alert}}\n" for n in range(1, 1001))

    assert len(policy.load("rules:\n" + rules, source="p.yaml").rules) == 1000


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
def test_an_invalid_regular_expression_has_its_line_and_column(value: str, reason: str) -> None:
    text = RULE + f"    resourceScope:\n      - {{field: podName, operator: regex, values: [a, '{value}']}}\n"

    assert problems(text) == [f"p.yaml:6:55: rules.0.resourceScope.0.values.1: {reason}"]


def test_ten_thousand_rules_are_refused() -> None:
    rules = "".join(f"  - {{name: r{n}, priority: {n}, action: alert}}\n" for n in range(1, 10_001))

    assert problems("rules:\n" + rules) == ["p.yaml:2:3: rules: expected at most 1000, got 10000"]


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="expected at most 4194304 characters"):
        policy.load_file(Path("/dev/zero"))


def test_a_message_is_short_and_has_no_control_characters() -> None:
    (problem,) = problems(f'"\\e[2J{"x" * 1000}": 1')

    assert problem.startswith("p.yaml:1:1: \\x1b[2Jxxx")
    assert len(problem) < 600


KEYS = ("name", "priority", "action", "allow", "expires", "resourceScope", "cloudScope", "values", "accounts", "x")
SCALARS = st.one_of(
    st.sampled_from(
        ["!!int x", "!!binary x", "!!set {a}", "!!omap [a: 1]", ".nan", "-.inf", "~", "0o7", "1e999", "9" * 5000, "=",
         "2026-12-31T00:00:00Z", "9999-12-31T23:59:59-14:00", "alert", "a", "1", "'('", '"\\ud800"', "!!null x", "<<"]
    ),
    st.text(max_size=4),
)  # fmt: skip


def flow(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(parts, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    pairs = st.lists(st.tuples(st.sampled_from(KEYS), parts), max_size=4)
    return lists | pairs.map(lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}")


@settings(max_examples=300)
@given(st.recursive(SCALARS, flow, max_leaves=12))
def test_any_document_is_a_policy_or_refused_with_positions(value: str) -> None:
    try:
        policy.load(f"rules: {value}", source="p")
    except InvalidPolicy as error:
        assert all(problem.line and problem.column for problem in error.problems)


def test_an_unreadable_file_is_named_in_the_message(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicy, match=r"cannot read the policy .*: Is a directory"):
        policy.load_file(tmp_path)
