"""Drift policies: ordered rules that choose an action (ignore, alert or block) for each drifted execution.

``load`` and ``load_file`` read a policy, ``rules_for`` selects the rules of one container, and
``ContainerPolicy.decide`` applies them to one execution. ``compile_blocking`` reduces the rules to
what the kernel program can apply. ``explain``, ``diff``, ``simulate`` and ``suggest`` serve the people
who write policies. Only ``load_file`` does input; everything else is pure and takes the time as an argument.
"""

from driftline.policy.compile import Blocking, compile_blocking
from driftline.policy.decide import DEFAULT_RULE, ContainerPolicy, Decision, NodeLocation, rules_for
from driftline.policy.diff import Difference, FieldChange, diff
from driftline.policy.explain import Explanation, Finding, RuleTrace, explain
from driftline.policy.load import load, load_file
from driftline.policy.model import DEFAULT, Policy, ResourceField, Rule
from driftline.policy.replay import Simulation, simulate, simulate_counted
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
    "ResourceField",
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
    "simulate_counted",
    "suggest",
]
