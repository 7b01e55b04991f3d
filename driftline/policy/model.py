"""The model of drift policies: ordered rules, of which the first that matches decides.

The file format, the Kubernetes custom resource, the JSON schema and the reference page are all derived
from these classes; the docstrings and field descriptions are their texts. A rule matches by the cloud
account (cloud scope), the container (resource scope) and the kind of execution (subjects). Its allow
list exempts single processes from its action.

All validation happens in validators of these classes, so that an instance made in code is as valid as
one loaded from a file.
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
    "LABELS",
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
"""Name of the default rule in decisions, events and alerts; reserved in any case of letters."""
MAX_RULES = 1000
"""Maximum number of rules in a policy."""
MAX_VALUES = 200
"""Maximum number of values of a condition, entries of an allow list or accounts of a provider."""
MAX_CONDITIONS = 50
"""Maximum number of conditions of a rule."""
MAX_REGEXES = 1000
"""Maximum number of regular expressions in a policy: each takes up to a quarter of a megabyte of memory."""


# The name is shown in logs, alerts and terminals, and must be distinguishable from other names there.
def _check_name(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError("expected printable characters, no space at either end")
    if name.casefold() == DEFAULT_RULE.casefold():
        raise ValueError("this name is reserved for the default rule, whose action is set by defaultRule")
    return name


def _check_label_key(key: str) -> str:
    if key:
        labels.check_key(key)
    return key


# The sensor compares with the last component of a path, so that a name with a slash would never match.
def _check_program(name: str) -> str:
    if "/" in name:
        raise ValueError("expected a file name without its folder; path takes a path")
    return name


def _check_path(path: str) -> str:
    if path and path[0] not in "/*":
        raise ValueError("expected an absolute path, or a pattern that begins with *")
    return path


# Accepts only texts that begin with a year: pydantic would take numbers, and texts of digits, as seconds
# since 1970 (https://docs.pydantic.dev/latest/api/standard_library_types/#datetime-types).
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
    """Base class of all parts of a policy: instances are frozen, unknown fields are errors.

    Fields have snake_case names in code and camelCase names in files. The text below a field is its
    description in the schemas and on the reference page.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


# Raises a ValidationError, which keeps the path of each problem within the model. A ValueError raised
# by a validator would be reported with the path of the whole model.
def _refuse(problems: Iterable[tuple[FieldPath, str]]) -> None:
    details = [
        InitErrorDetails(type=PydanticCustomError("policy", "{reason}", {"reason": reason}), loc=path, input=None)
        for path, reason in problems
    ]
    if details:
        raise ValidationError.from_exception_data("policy", details)


class ResourceField(StrEnum):
    """Property of a container that a condition compares.

    Values are those of the container runtime: the name of the container in its pod, the image reference as
    the user gave it, the digest of the image's manifest, the namespace, name, labels and owner of the pod. The
    cluster name is that of the sensor's settings. A property that is unknown is an empty text.

    `imageDigest` is compared both as `sha256:…` and as `REPOSITORY@sha256:…`, with the repository of the image
    reference. `ownerKind` and `ownerName` are those of the controller: `Deployment` and `web`. Labels of the
    namespace come from the cluster, as the runtime does not know them: without them no condition on
    `namespaceLabel` holds, whatever its operator.
    """

    CONTAINER_NAME = "containerName"
    IMAGE_NAME = "imageName"
    IMAGE_DIGEST = "imageDigest"
    NAMESPACE = "namespace"
    POD_NAME = "podName"
    POD_LABEL = "podLabel"
    NAMESPACE_LABEL = "namespaceLabel"
    OWNER_KIND = "ownerKind"
    OWNER_NAME = "ownerName"
    CLUSTER_NAME = "clusterName"


LABELS = (ResourceField.POD_LABEL, ResourceField.NAMESPACE_LABEL)
"""Fields that compare one label, whose key the condition names."""


class CloudScope(PolicyPart):
    """A cloud provider: all of its accounts, or a list of them.

    A rule's cloud scope holds if one of its entries has the provider of the node, and either lists the
    node's account or has no list.
    """

    provider: Provider
    """Cloud provider of the cluster"""
    accounts: tuple[Value, ...] | None = Field(default=None, min_length=1, max_length=MAX_VALUES)
    """Azure subscriptions, AWS accounts or GCP projects; without the list: all, including those created later"""

    @cached_property
    def normalized_accounts(self) -> frozenset[str]:
        """The listed accounts as ``accounts.normalize_account`` returns them; empty without a list."""
        return frozenset(accounts.normalize_account(self.provider, account) for account in self.accounts or ())


class Condition(PolicyPart):
    """A condition on a container. It holds if at least one of the values matches.

    With a negated operator it holds if none of the values matches.
    """

    field: ResourceField
    """Property of the container to compare"""
    label: Annotated[str, AfterValidator(_check_label_key)] = ""
    """Key of the label, with `podLabel` and `namespaceLabel`. A label that is not set compares as an empty text"""
    operator: Operator = Operator.EQUALS
    """Comparison, case-sensitive"""
    values: tuple[Value, ...] = Field(min_length=1, max_length=MAX_VALUES)
    """Values to compare with; a negated operator holds if none of them matches"""

    @cached_property
    def matches(self) -> operators.Matcher:
        """A function that returns whether a text meets the condition; built once, on first use."""
        return operators.matcher(self.operator, self.values)

    def holds(self, forms: Sequence[str]) -> bool:
        """Return whether a property that is written in several forms meets the condition.

        One form must match, or with a negated operator none of the forms may match a value.
        """
        combine = all if operators.is_negated(self.operator) else any
        return combine(map(self.matches, forms))

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
        if (self.field in LABELS) != bool(self.label):
            raise ValueError("label is the key of a label: podLabel and namespaceLabel require it, others exclude it")
        return self


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of an executed file that allow lists refer to."""

    name: str
    """File name without its folder."""
    path: str
    """Absolute path in the container; bytes that are not UTF-8 are lone surrogates, as in ``os.fsdecode``."""
    sha256: str
    """Lower-case hexadecimal digest; empty if the file was not read."""
    is_relocated: bool
    """Whether the image has the same bytes under another path."""


class AllowedProcess(PolicyPart):
    """An entry of an allow list. Exactly one of its fields must be set.

    A digest allows one content under any path, a path any content that is placed there, a name any
    content anywhere. Prefer digests.
    """

    name: Annotated[str, AfterValidator(_check_program)] = Field(default="", max_length=255)
    """File name of the executed file, without its folder"""
    path: Annotated[str, AfterValidator(_check_path)] = Field(default="", max_length=4096)
    """Absolute path in the container, as a glob: `*` matches any characters, including `/`"""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    """SHA-256 digest of the file's content: 64 lower-case hexadecimal digits"""
    relocated: Flag = False
    """Allow all files whose content the image has under another path"""

    @cached_property
    def matches(self) -> Callable[[Program], bool]:
        """A function that returns whether a program is exempt; built once, on first use."""
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
    """A drift rule.

    A rule matches an execution if the rule is enabled and has not expired, covers the subject, and if its
    cloud scope and its resource scope hold for the container. The matching rule with the lowest priority
    number decides: its action applies, or the process is ignored if an entry of the allow list matches.
    """

    name: Name
    """Name shown in alerts, unique in the policy"""
    priority: int = Field(ge=1, le=1_000_000, strict=True)
    """Rules are evaluated from the lowest number to the highest; unique in the policy"""
    action: Action
    """Action for executions that the rule matches"""
    description: str = Field(default="", max_length=1024)
    """Purpose of the rule"""
    enabled: Flag = True
    """Whether the rule is evaluated"""
    cloud_scope: tuple[CloudScope, ...] = Field(default=(), max_length=MAX_VALUES)
    """Cloud accounts in which the rule applies; empty for all"""
    resource_scope: tuple[Condition, ...] = Field(default=(), max_length=MAX_CONDITIONS)
    """Containers to which the rule applies: those that meet all conditions; empty for all"""
    subjects: tuple[Subject, ...] = Field(default=tuple(Subject), min_length=1, max_length=len(Subject))
    """Kinds of executions that the rule covers"""
    allow: tuple[AllowedProcess, ...] = Field(default=(), max_length=MAX_VALUES)
    """Processes that the rule ignores although it matches"""
    severity: Severity = "Medium"
    """Severity of the rule's alerts"""
    expires: Time | None = None
    """Time from which the rule is no longer evaluated"""
    fail_closed: Flag = False
    """With `block`: also block what cannot be proven not to be drift, and go on blocking after the sensor has ended"""
    first_process: Flag = False
    """With `block`: do not exempt the container's first process"""

    @cached_property
    def allows_path(self) -> operators.Matcher:
        """A function that returns whether any allow-list entry matches a path.

        One regular expression of all paths is twelve times as fast as 200 separate entries.
        """
        return operators.glob([entry.path for entry in self.allow if entry.path])

    @cached_property
    def allow_without_paths(self) -> tuple[AllowedProcess, ...]:
        """The allow-list entries by name, digest or relocated content."""
        return tuple(entry for entry in self.allow if not entry.path)

    @model_validator(mode="after")
    def _check_accounts(self) -> Rule:
        found = accounts.conflicts(self.cloud_scope)
        _refuse((("cloudScope", *path), reason) for path, reason in found)
        return self


class DefaultRule(PolicyPart):
    """The rule for executions that no other rule matches.

    It is always last, and only its action can be set. Its alerts have the severity Medium.
    """

    action: Action = Action.IGNORE
    """Action for executions that no other rule matches"""


class Policy(PolicyPart):
    """A drift policy: its rules and its default rule.

    An empty policy is valid; it ignores all drift.
    """

    rules: tuple[Rule, ...] = Field(default=(), max_length=MAX_RULES)
    """Rules in any order; they are evaluated by priority"""
    default_rule: DefaultRule = DefaultRule()
    """Rule for executions that no other rule matches"""

    @cached_property
    def rules_by_priority(self) -> tuple[Rule, ...]:
        """The rules in the order of evaluation: by priority, lowest number first.

        Disabled and expired rules are included.
        """
        return tuple(sorted(self.rules, key=lambda rule: rule.priority))

    @model_validator(mode="after")
    def _check_unique(self) -> Policy:
        _refuse(duplicates([(rule.name, rule.priority) for rule in self.rules]))
        _refuse(_too_many_regexes(self.rules))
        return self


def duplicates(rules: Sequence[tuple[object, object]]) -> Iterator[tuple[FieldPath, str]]:
    """Yield each rule that has the name or priority of an earlier one, as its path and a message.

    ``rules`` has a pair of name and priority per rule, in the document's order.
    """
    for column, what in enumerate(("name", "priority")):
        seen: dict[object, int] = {}
        for number, rule in enumerate(rules):
            first = seen.setdefault(rule[column], number)
            if first != number:
                yield ("rules", number, what), f"rules.{first} has the {what} {rule[column]!r} already"


# Reports the first rule beyond the limit. Each compiled expression has a memory limit of its own (operators).
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
            description="The cluster's own containers have no reason to run programs that are not in their images.",
            resource_scope=(Condition(field=ResourceField.NAMESPACE, values=("kube-system",)),),
        ),
    )
)
"""Policy in force without a policy file: alert on kube-system, ignore the rest.

Defender for Containers ships the same two rules.
"""
