"""Drift policies: ordered rules that say what drift means where; pure."""

from driftline.policy.compile import Blocking, compile_blocking
from driftline.policy.decide import DEFAULT_RULE, ContainerPolicy, Decision, NodeLocation, rules_for
from driftline.policy.diff import Difference, FieldChange, diff
from driftline.policy.explain import Explanation, Finding, RuleTrace, explain
from driftline.policy.load import load, load_file
from driftline.policy.model import DEFAULT, Policy, Rule
from driftline.policy.replay import Simulation, simulate
from driftline.policy.suggest import Suggestion, Suggestions, suggest

__all__ = [
    "DEFAULT",
    "DEFAULT_RULE",
    "Blocking",
    "ContainerPolicy",
    "Decision",
    "Difference",
    "Explanation",
    "FieldChange",
    "Finding",
    "NodeLocation",
    "Policy",
    "Rule",
    "RuleTrace",
    "Simulation",
    "Suggestion",
    "Suggestions",
    "compile_blocking",
    "diff",
    "explain",
    "load",
    "load_file",
    "rules_for",
    "simulate",
    "suggest",
]
