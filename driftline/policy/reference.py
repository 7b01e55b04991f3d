"""The reference page of policies, generated from the model, the operators, the accounts and the limits.

``python -m scripts.docs`` writes it to docs/reference/policy.md. Field descriptions are the docstrings of
the model's fields; types, defaults and limits come from its JSON schema.
"""

from __future__ import annotations

import inspect
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

A policy decides executions that drifted or could not be verified (`drift: unknown`). Its rules are
evaluated by ascending `priority`. A rule matches if it is enabled, has not expired, covers the subject, and
if its cloud scope and its resource scope hold. The first matching rule decides, and no other rule is
evaluated; if none matches, the default rule decides. Unknown fields and all other errors are reported with
line and column, and the policy is refused.
"""

ALLOW: Mapping[Action, str] = {
    Action.IGNORE: "ignored, like every execution that the rule matches; only the recorded reason differs",
    Action.ALERT: "ignored: this rule raises no alert for it",
    Action.BLOCK: "ignored: this rule neither blocks it nor raises an alert for it",
}
"""Effect of the allow list for each action of the rule."""

_ALLOW_HEAD = """A process on the allow list is exempt from the rule's action. **The rule still decides**: the process
does not fall through to the next rule or to the default rule. The recorded reason is the first entry that
matches. A file that could not be read has no digest and is not known to be relocated, so it can be allowed
by name and path only.
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
    """Return the page as Markdown.

    It has a section for each part of a policy with a table of its fields, and sections on the effect of the
    allow list, the operators, the formats of account ids and the limits.
    """
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
    return f"## {title}\n\n{inspect.getdoc(part)}\n\n{_table(('field', 'takes', 'default', 'meaning'), rows)}"


# Describes the type of a field from its JSON schema. An "anyOf" is an optional value: its type, or null.
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
    return "time with time zone" if field.get("format") == "date-time" else _TYPES[field["type"]]


_TYPES = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}


def _link(title: str) -> str:
    return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"


# Empty defaults are left out of the table, because the descriptions say what an empty value means.
def _default(field: Mapping[str, Any], *, is_required: bool) -> str:
    if is_required:
        return "must be given"
    value = field.get("default")
    if value in (None, "", []):
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


# The description of a field, followed by its limits in parentheses.
def _meaning(field: Mapping[str, Any]) -> str:
    limits = (
        ("minimum", "from {}"), ("maximum", "to {}"), ("maxLength", "at most {} characters"), ("maxItems", "at most {}")
    )  # fmt: skip
    known = next((each for each in field.get("anyOf", ()) if each.get("type") != "null"), field)
    limit = " ".join(words.format(known[key]) for key, words in limits if key in known)
    return f"{field['description']} ({limit})" if limit else str(field["description"])


def _allow() -> str:
    rows = [(f"`{action.value}`", meaning) for action, meaning in ALLOW.items()]
    return f"## Effect of the allow list\n\n{_ALLOW_HEAD}\n{_table(('action', 'a listed process is'), rows)}"


def _operators() -> str:
    rows = [(f"`{name.value}`", f"`{each.negated.value}`", each.meaning) for name, each in OPERATORS.items()]
    words = (
        "A condition holds if one of its values matches (OR), a resource scope if all of its conditions hold (AND).\n"
        "A negated operator holds if no value matches.\n"
    )
    return f"## Operators\n\n{words}\n{_table(('operator', 'negated', 'holds if the text'), rows)}"


def _accounts() -> str:
    rows = [(f"`{provider.value}`", form.expected) for provider, form in ACCOUNTS.items()]
    words = (
        "A rule may list a provider once without accounts, or with accounts, not both. An account may be listed once.\n"
    )
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
    return f"## Limits\n\n{_table(('number of', 'at most'), ((name, str(limit)) for name, limit in _LIMITS))}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
