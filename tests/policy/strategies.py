"""Hypothesis strategies for policies, containers, locations and verdicts.

Values come from small sets, so that rules and containers match frequently.
"""

import datetime

from hypothesis import strategies as st

from driftline.events import Action, Container, Content, Drift, Origin, Subject, Verdict
from driftline.policy import NodeLocation, Policy, Rule
from driftline.policy.model import (
    LABELS,
    AllowedProcess,
    CloudScope,
    Condition,
    DefaultRule,
    Operator,
    Provider,
    ResourceField,
)

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)

WORDS = st.sampled_from(["", "a", "b", "ab", "ba", "aab"])
PATTERNS = st.sampled_from(["", "a", "ab", "a*", "*b", "?", "[ab]"])
REGEXES = st.sampled_from(["", "a", "a*b?", ".", "[ab]+", "(?i)A"])
PATHS = st.sampled_from(["/a", "/b", "/tmp/a", "/tmp/ab"])
DIGESTS = st.sampled_from(["aa" * 32, "bb" * 32])
TIMES = st.sampled_from([None, *(NOW + datetime.timedelta(hours=hours) for hours in (-2, -1, 0, 1, 2))])
SUBJECTS = st.sampled_from(list(Subject))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from(list(ResourceField)))
    operator = draw(st.sampled_from(list(Operator)))
    values = REGEXES if operator in (Operator.REGEX, Operator.NOT_REGEX) else PATTERNS
    return Condition(
        field=field,
        label=draw(st.sampled_from(["app", "tier"])) if field in LABELS else "",
        operator=operator,
        values=tuple(draw(st.lists(values, min_size=1, max_size=2, unique=True))),
    )


@st.composite
def rules(draw: st.DrawFn, number: int) -> Rule:
    return Rule(
        name=f"r{number}",
        priority=number,
        action=draw(st.sampled_from(list(Action))),
        enabled=draw(st.sampled_from([True, True, True, False])),
        cloud_scope=tuple(CloudScope(provider=each) for each in draw(st.sets(st.sampled_from(Provider), max_size=2))),
        resource_scope=tuple(draw(st.lists(conditions(), max_size=2))),
        subjects=tuple(draw(st.lists(SUBJECTS, min_size=1, max_size=4, unique=True))),
        allow=tuple(draw(st.lists(allowed(), max_size=2))),
        expires=draw(TIMES),
    )


def allowed() -> st.SearchStrategy[AllowedProcess]:
    return st.one_of(
        st.sampled_from(["a", "b"]).map(lambda name: AllowedProcess(name=name)),
        st.sampled_from(["/a", "/tmp/*", "/tmp/a?"]).map(lambda path: AllowedProcess(path=path)),
        DIGESTS.map(lambda digest: AllowedProcess(sha256=digest)),
        st.just(AllowedProcess(relocated=True)),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    count = draw(st.integers(0, 8))
    found = draw(st.permutations([draw(rules(number)) for number in range(1, count + 1)]))
    return Policy(rules=tuple(found), default_rule=DefaultRule(action=draw(st.sampled_from(list(Action)))))


def containers() -> st.SearchStrategy[Container]:
    labels = st.dictionaries(st.sampled_from(["app", "tier"]), WORDS)
    return st.builds(
        Container,
        id=st.just("1"),
        name=WORDS,
        namespace=WORDS,
        namespace_labels=st.none() | labels,
        pod=WORDS,
        image=WORDS,
        image_names=st.lists(WORDS, max_size=3, unique=True).map(tuple),
        image_digest=WORDS,
        pod_labels=labels,
        workload=WORDS,
    )


def locations() -> st.SearchStrategy[NodeLocation]:
    return st.builds(NodeLocation, cluster=WORDS, cloud=st.sampled_from(["", "azure", "aws", "gcp"]))


def verdicts() -> st.SearchStrategy[Verdict]:
    return st.builds(
        Verdict,
        subject=SUBJECTS,
        origin=st.just(Origin.WRITABLE_LAYER),
        content=st.sampled_from([Content.ADDED, Content.RELOCATED]),
        drift=st.just(Drift.YES),
        reason=st.just(""),
        path=PATHS.map(str.encode),
        sha256=DIGESTS,
    )
