"""Drift policies: ordered rules that say what drift means where; pure."""

from driftline.policy.compile import Blocking, compile_blocking
from driftline.policy.decide import DEFAULT_RULE, ContainerPolicy, Decision, Place, rules_for
from driftline.policy.explain import Explanation, Finding, RuleTrace, explain
from driftline.policy.load import load, load_file
from driftline.policy.model import DEFAULT, Policy, Rule

__all__ = [
    "DEFAULT",
    "DEFAULT_RULE",
    "Blocking",
    "ContainerPolicy",
    "Decision",
    "Explanation",
    "Finding",
    "Place",
    "Policy",
    "Rule",
    "RuleTrace",
    "compile_blocking",
    "explain",
    "load",
    "load_file",
    "rules_for",
]
