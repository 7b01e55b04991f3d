import datetime
from typing import Any

from driftline.events import Action, Container, Subject
from driftline.policy import Blocking, NodeLocation, Policy, Rule, compile_blocking, rules_for
from driftline.policy.model import AllowedProcess, Condition, DefaultRule, ResourceField

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
BINARY = frozenset((Subject.BINARY,))
LATER = NOW + datetime.timedelta(days=1)


def compiled(*rules: Rule, default: Action = Action.IGNORE) -> Blocking:
    policy = Policy(rules=rules, default_rule=DefaultRule(action=default))
    return compile_blocking(rules_for(policy, Container(id="c"), NodeLocation()), NOW)


def rule(number: int = 1, **fields: Any) -> Rule:
    return Rule(name=f"rule {number}", priority=number, **{"action": Action.BLOCK, **fields})


def test_the_first_rule_per_subject_decides() -> None:
    scripts = rule(1, action=Action.ALERT, subjects=(Subject.SCRIPT,))

    assert compiled(scripts, rule(2)).subjects == {Subject.BINARY, Subject.LIBRARY, Subject.LOADER}


def test_a_rule_after_the_deciding_one_has_no_effect() -> None:
    later = rule(2, fail_closed=True, first_process=True, allow=(AllowedProcess(name="x"),))

    assert compiled(rule(1), later) == Blocking(subjects=frozenset(Subject))


def test_a_blocking_default_rule_blocks_all_subjects() -> None:
    assert compiled(default=Action.BLOCK).subjects == frozenset(Subject)


def of_image(name: str, *allow: AllowedProcess, number: int = 1, **fields: Any) -> Rule:
    scope = (Condition(field=ResourceField.IMAGE_NAME, values=(name,)),)
    return rule(number, resource_scope=scope, allow=allow, subjects=(Subject.BINARY,), **fields)


def compiled_for_a_or_b(*rules: Rule) -> Blocking:
    container = Container(id="c", image="a", image_names=("a", "b"))
    return compile_blocking(rules_for(Policy(rules=rules), container, NodeLocation()), NOW)


def test_one_name_of_the_image_under_which_a_rule_blocks_is_enough() -> None:
    found = compiled_for_a_or_b(of_image("b", AllowedProcess(name="x"), fail_closed=True))

    assert (found.subjects, found.fail_closed, found.names) == (BINARY, BINARY, {"x": BINARY})


def test_a_file_is_allowed_if_the_rules_of_all_names_allow_it() -> None:
    both, path = AllowedProcess(name="x"), AllowedProcess(path="/opt/y")
    found = compiled_for_a_or_b(of_image("a", both, path), of_image("b", both, AllowedProcess(name="y"), number=2))

    assert (found.names, found.paths, found.undecidable) == ({"x": BINARY}, {}, BINARY)


def test_nothing_is_allowed_if_the_rule_of_one_name_allows_nothing() -> None:
    digest = AllowedProcess(sha256="a" * 64)
    found = compiled_for_a_or_b(of_image("a", AllowedProcess(name="x"), digest), of_image("b", number=2))

    assert (found.subjects, found.names, found.undecidable) == (BINARY, {}, frozenset())


def test_an_expired_rule_does_not_block() -> None:
    assert compiled(rule(expires=NOW)).subjects == frozenset()


def test_changes_at_is_the_next_expiry_of_a_deciding_rule() -> None:
    before = rule(1, action=Action.IGNORE, subjects=(Subject.SCRIPT,), expires=LATER)

    assert compiled(before, rule(2)).changes_at == LATER


def test_allowed_names_paths_and_folders_are_decidable_in_the_kernel() -> None:
    allow = (AllowedProcess(name="updater"), AllowedProcess(path="/opt/tool"), AllowedProcess(path="/opt/agent/*"))
    found = compiled(rule(allow=allow, subjects=(Subject.BINARY,)))

    assert found.names == {"updater": {Subject.BINARY}}
    assert found.paths == {"/opt/tool": {Subject.BINARY}}
    assert found.directories == {"/opt/agent": {Subject.BINARY}}
    assert not found.undecidable


def test_digests_and_other_patterns_are_undecidable_in_the_kernel() -> None:
    for entry in (AllowedProcess(sha256="a" * 64), AllowedProcess(path="/opt/*/bin"), AllowedProcess(path="/opt/a?/*")):
        assert compiled(rule(allow=(entry,))).undecidable == frozenset(Subject)


def test_allowed_relocated_content_is_not_undecidable() -> None:
    found = compiled(rule(allow=(AllowedProcess(relocated=True),)))

    assert (found.relocated, found.undecidable) == (frozenset(Subject), frozenset())
