"""Drift policies: an ordered list of rules, of which the first that matches decides.

The model is the file format, the Kubernetes resource, the JSON schema and the reference page at
once. A rule looks at where a container runs (cloud scope), which one it is (resource scope), and
what ran (subjects); its allow list then exempts single processes from its action.

Whoever makes a policy, from a file or in code, gets a legal one: every check is a validator here.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError

from driftline.events import Action, Subject
from driftline.policy import accounts, labels, operators
from driftline.policy._yaml import FieldPath
from driftline.policy.accounts import Provider
from driftline.policy.operators import Operator

__all__ = [
    "DEFAULT",
    "DEFAULT_RULE",
    "AllowedProcess",
    "CloudScope",
    "Condition",
    "DefaultRule",
    "Operator",
    "Policy",
    "PolicyPart",
    "Program",
    "Provider",
    "ResourceField",
    "Rule",
    "Severity",
    "duplicates",
]

DEFAULT_RULE = "Default"
MAX_RULES = 1000
MAX_VALUES = 200
MAX_CONDITIONS = 50
MAX_REGEXES = 1000
"""In a policy as a whole: each takes up to a quarter of a megabyte."""


def _check_name(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("expected printable characters, no space at either end")
    if name.casefold() == DEFAULT_RULE.casefold():
        raise ValueError("there is one default rule, which every policy has: its action is set by defaultRule")
    return name


def _check_label_key(key: str) -> str:
    if key:
        labels.check_key(key)
    return key


def _check_program(name: str) -> str:
    if "/" in name:
        raise ValueError("expected a file name without its folder; path takes a path")
    return name


def _check_path(path: str) -> str:
    if path and path[0] not in "/*":
        raise ValueError("expected an absolute path, or a pattern that begins with *")
    return path


# pydantic takes numbers for seconds since 1970.
def _check_time(value: Any) -> Any:
    if isinstance(value, datetime.datetime) or (isinstance(value, str) and re.match(r"\d{4}-", value)):
        return value
    raise ValueError("expected a time with its zone, like 2026-12-31T00:00:00Z")


Severity = Literal["Informational", "Low", "Medium", "High"]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_check_name)]
Value = Annotated[str, Field(max_length=512)]
Flag = Annotated[bool, Field(strict=True)]
Time = Annotated[AwareDatetime, BeforeValidator(_check_time)]


class PolicyPart(BaseModel):
    """Be the base of all parts of a policy: frozen, and without unknown fields."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


# A ValidationError raised by a validator keeps its places, where a ValueError has the validator's only.
def _refuse(problems: Iterable[tuple[FieldPath, str]]) -> None:
    details = [
        InitErrorDetails(type=PydanticCustomError("policy", "{reason}", {"reason": reason}), loc=path, input=None)
        for path, reason in problems
    ]
    if details:
        raise ValidationError.from_exception_data("policy", details)


class ResourceField(StrEnum):
    """What of a container a condition looks at."""

    CONTAINER_NAME = "containerName"
    IMAGE_NAME = "imageName"
    NAMESPACE = "namespace"
    POD_NAME = "podName"
    POD_LABEL = "podLabel"
    CLUSTER_NAME = "clusterName"


class CloudScope(PolicyPart):
    """One provider: the whole of it, or listed accounts."""

    provider: Provider
    """Where the cluster runs"""
    accounts: tuple[Value, ...] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)
    """Azure subscriptions, AWS accounts or GCP projects; without the list: all, those that appear later included"""

    @cached_property
    def normalized_accounts(self) -> frozenset[str]:
        """The accounts as ``accounts.normalize_account`` has them."""
        return frozenset(accounts.normalize_account(self.provider, account) for account in self.accounts or ())


class Condition(PolicyPart):
    """One condition on a container; it holds if one of the values fits."""

    field: ResourceField
    """What it looks at"""
    label: Annotated[str, AfterValidator(_check_label_key)] = ""
    """With `podLabel`: the label's key. A label that the pod does not have compares like an empty one"""
    operator: Operator = Operator.EQUALS
    """How it compares; upper and lower case differ"""
    values: tuple[Value, ...] = Field(min_length=1, max_length=MAX_VALUES)
    """What it compares with; a negated operator holds if none of them fits"""

    @cached_property
    def matches(self) -> operators.Matcher:
        """Say whether a text fulfils the condition."""
        return operators.matcher(self.operator, self.values)

    @model_validator(mode="after")
    def _check_values(self) -> Condition:
        _refuse((("values", number), reason) for number, reason in self._illegal_values())
        return self

    def _illegal_values(self) -> Iterator[tuple[int, str]]:
        for number, value in enumerate(self.values):
            try:
                operators.check_value(self.operator, value)
            except ValueError as error:
                yield number, str(error)

    @model_validator(mode="after")
    def _check_label(self) -> Condition:
        if (self.field == ResourceField.POD_LABEL) != bool(self.label):
            raise ValueError("label names the pod label to look at: it goes with the field podLabel, and only with it")
        return self


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What ran, as allow lists look at it."""

    name: str
    path: str
    """Bytes that are no UTF-8 are lone surrogates, as in ``os.fsdecode``."""
    sha256: str
    is_relocated: bool


class AllowedProcess(PolicyPart):
    """One exemption; exactly one of its fields is given."""

    name: Annotated[str, AfterValidator(_check_program)] = Field(default="", max_length=255)
    """File name of what runs, without its folder"""
    path: Annotated[str, AfterValidator(_check_path)] = Field(default="", max_length=4096)
    """Absolute path in the container, as a glob: `*` stands for any characters, `/` too"""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """Digest of the bytes: 64 lower-case hexadecimal digits"""
    relocated: Flag = False
    """Any bytes that the image has under another path"""

    @cached_property
    def matches(self) -> Callable[[Program], bool]:
        """Say whether a program is exempt."""
        if self.relocated:
            return lambda program: program.is_relocated
        if self.sha256:
            return lambda program: program.sha256 == self.sha256
        if self.name:
            return lambda program: program.name == self.name
        fits_path = operators.glob((self.path,))
        return lambda program: fits_path(program.path)

    @model_validator(mode="after")
    def _check_one(self) -> AllowedProcess:
        if sum(map(bool, (self.name, self.path, self.sha256, self.relocated))) != 1:
            raise ValueError("expected exactly one of name, path, sha256 and relocated")
        return self


class Rule(PolicyPart):
    """One drift rule."""

    name: Name
    """What alerts call it; no other rule has it"""
    priority: int = Field(ge=1, le=1_000_000, strict=True)
    """Lower numbers are asked first; no other rule has it"""
    action: Action
    """What is done about an execution it decides on"""
    description: str = Field(default="", max_length=1024)
    """Why it is there"""
    enabled: Flag = True
    """Without, it is passed over"""
    cloud_scope: tuple[CloudScope, ...] = Field(default=(), max_length=MAX_VALUES)
    """Where it applies: in one of these; empty: everywhere"""
    resource_scope: tuple[Condition, ...] = Field(default=(), max_length=MAX_CONDITIONS)
    """To which containers it applies: all conditions hold; empty: to all"""
    subjects: tuple[Subject, ...] = Field(default=tuple(Subject), min_length=1, max_length=len(Subject))
    """What it is about"""
    allow: tuple[AllowedProcess, ...] = Field(default=(), max_length=MAX_VALUES)
    """What it ignores although it matches"""
    severity: Severity = "Medium"
    """Severity of its alerts"""
    expires: Time | None = None
    """From then on it is passed over: a time with its zone"""
    fail_closed: Flag = False
    """For `block`: what is not proven innocent is blocked, too, and blocking goes on when the sensor is gone"""
    first_process: Flag = False
    """For `block`: the container's first process is not exempt"""

    @cached_property
    def allows_path(self) -> operators.Matcher:
        """Say whether any allowed process is of a path; twelve times as fast as to ask 200 of them."""
        return operators.glob([entry.path for entry in self.allow if entry.path])

    @cached_property
    def allow_without_paths(self) -> tuple[AllowedProcess, ...]:
        """The allowed processes that are not given by their path."""
        return tuple(entry for entry in self.allow if not entry.path)

    @model_validator(mode="after")
    def _check_accounts(self) -> Rule:
        found = accounts.conflicts(self.cloud_scope)
        _refuse((("cloudScope", *path), reason) for path, reason in found)
        return self


class DefaultRule(PolicyPart):
    """What holds where no rule matches. Only its action can be chosen, and it is always last."""

    action: Action = Action.IGNORE
    """What is done"""


class Policy(PolicyPart):
    """A whole policy."""

    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)
    """The rules, in any order: their priority counts"""
    default_rule: DefaultRule = DefaultRule()
    """The rule behind the last"""

    @cached_property
    def rules_by_priority(self) -> tuple[Rule, ...]:
        """The rules in the order they are asked."""
        return tuple(sorted(self.rules, key=lambda rule: rule.priority))

    @model_validator(mode="after")
    def _check_unique(self) -> Policy:
        _refuse(duplicates([(rule.name, rule.priority) for rule in self.rules]))
        _refuse(_too_many_regexes(self.rules))
        return self


def duplicates(rules: Sequence[tuple[object, object]]) -> Iterator[tuple[FieldPath, str]]:
    """Yield where a rule has the name or priority of an earlier one, given as pairs of both."""
    for column, what in enumerate(("name", "priority")):
        seen: dict[object, int] = {}
        for number, rule in enumerate(rules):
            first = seen.setdefault(rule[column], number)
            if first != number:
                yield ("rules", number, what), f"rules.{first} has the {what} {rule[column]!r} already"


def _too_many_regexes(rules: Sequence[Rule]) -> Iterator[tuple[FieldPath, str]]:
    count = 0
    for number, rule in enumerate(rules):
        kinds = (Operator.REGEX, Operator.NOT_REGEX)
        count += sum(len(each.values) for each in rule.resource_scope if each.operator in kinds)
        if count > MAX_REGEXES:
            yield ("rules", number, "resourceScope"), f"expected at most {MAX_REGEXES} regular expressions in a policy"
            return


DEFAULT = Policy(
    rules=(
        Rule(
            name="Alert on kube-system",
            priority=1000,
            action=Action.ALERT,
            description="Nobody has business to run new programs in the cluster's own containers.",
            resource_scope=(Condition(field=ResourceField.NAMESPACE, values=("kube-system",)),),
        ),
    )
)
"""What Defender for Containers ships: alert on kube-system, ignore the rest."""
