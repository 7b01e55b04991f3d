"""The reference page of policies, from the model and its tables; ``python -m scripts.docs`` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from driftline.events import Action
from driftline.policy import model
from driftline.policy._yaml import MAX_CHARACTERS
from driftline.policy.accounts import ACCOUNTS
from driftline.policy.model import AllowedProcess, CloudScope, Condition, DefaultRule, Policy, Rule
from driftline.policy.operators import MAX_REGEX, OPERATORS

__all__ = ["ALLOW", "page"]

_HEAD = """# Drift policies

Made from `driftline/policy/` by `python -m scripts.docs`.

Rules are asked by ascending `priority`. The first that is enabled, not expired, about the subject, and
whose cloud and resource scope hold decides, and nothing else is asked; where none matches, the default
rule does. Only executions that drifted or could not be verified (`drift: unknown`) are decided on.
Unknown fields are refused, as is anything else that is wrong, at its line and column.
"""

ALLOW: Mapping[Action, str] = {
    Action.IGNORE: "ignored, like all that the rule matches: the list changes nothing but the reason that is told",
    Action.ALERT: "ignored: it never alerts under this rule",
    Action.BLOCK: "let run, and ignored: it is neither blocked nor does it alert under this rule",
}
"""What the allow list means with each action."""

_ALLOW_HEAD = """A listed process is exempt from its rule's action, **and the rule thereby decides**: it does not fall
through to the next rule, nor to the default. The first entry that fits is told as the reason. What could
not be read has no digest, and is never known to be relocated: only its name and path can be allowed.
"""

_SECTIONS = (
    ("Policy", Policy),
    ("Default rule", DefaultRule),
    ("Rule", Rule),
    ("Cloud scope", CloudScope),
    ("Condition", Condition),
    ("Allowed process", AllowedProcess),
)


def page() -> str:
    """Give the page as Markdown."""
    parts = [_HEAD, *(_section(title, part) for title, part in _SECTIONS)]
    parts += [_allow(), _operators(), _accounts(), _limits()]
    return "\n".join(parts)


def _section(title: str, part: type[model.PolicyPart]) -> str:
    schema = part.model_json_schema(by_alias=True)
    required = schema.get("required", ())
    rows = [
        (f"`{name}`", _type(field, schema.get("$defs", {})), _default(field, is_required=name in required),
         _meaning(field))
        for name, field in schema["properties"].items()
    ]  # fmt: skip
    return f"## {title}\n\n{part.__doc__}\n\n{_table(('field', 'takes', 'default', 'meaning'), rows)}"


def _type(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return _type(next(each for each in field["anyOf"] if each.get("type") != "null"), definitions)
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        titles = {part.__name__: title for title, part in _SECTIONS}
        return _link(titles[name]) if name in titles else _type(definitions[name], definitions)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'], definitions)}"
    return "time with its zone" if field.get("format") == "date-time" else _TYPES[field["type"]]


_TYPES = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}


def _link(title: str) -> str:
    return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"


def _default(field: Mapping[str, Any], *, is_required: bool) -> str:
    if is_required:
        return "must be given"
    value = field.get("default")
    if value in (None, "", []):
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _meaning(field: Mapping[str, Any]) -> str:
    limits = (
        ("minimum", "from {}"), ("maximum", "to {}"), ("maxLength", "at most {} characters"), ("maxItems", "at most {}")
    )  # fmt: skip
    known = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    told = " ".join(words.format(known[key]) for key, words in limits if key in known)
    return f"{field['description']} ({told})" if told else str(field["description"])


def _allow() -> str:
    rows = [(f"`{action.value}`", meaning) for action, meaning in ALLOW.items()]
    return f"## What the allow list means\n\n{_ALLOW_HEAD}\n{_table(('action', 'a listed process is'), rows)}"


def _operators() -> str:
    rows = [(f"`{name.value}`", f"`{each.negated.value}`", each.meaning) for name, each in OPERATORS.items()]
    words = "Several values are OR, several conditions are AND. A negated operator holds if no value fits.\n"
    return f"## Operators\n\n{words}\n{_table(('operator', 'negated', 'holds if the text'), rows)}"


def _accounts() -> str:
    rows = [(f"`{provider.value}`", form.expected) for provider, form in ACCOUNTS.items()]
    words = "A whole provider and a list of its accounts contradict each other; an account is listed once.\n"
    return f"## Accounts\n\n{words}\n{_table(('provider', 'an account is'), rows)}"


_LIMITS = (
    ("rules in a policy", model.MAX_RULES),
    ("regular expressions in a policy", model.MAX_REGEXES),
    ("conditions of a rule", model.MAX_CONDITIONS),
    ("values of a condition", model.MAX_VALUES),
    ("allowed processes of a rule", model.MAX_VALUES),
    ("characters of a regular expression", MAX_REGEX),
    ("characters of a policy file", MAX_CHARACTERS),
)


def _limits() -> str:
    return f"## Limits\n\n{_table(('what', 'at most'), ((what, str(most)) for what, most in _LIMITS))}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
