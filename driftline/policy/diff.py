"""Differences between two policies, for review before a policy comes into force.

Rules of the two policies correspond if they have the same name, so a renamed rule is one removed and one
added rule. A difference lists the changed fields of rules and, separately, changes in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from driftline.policy.model import DEFAULT_RULE, Policy, Rule

__all__ = ["Difference", "FieldChange", "Move", "RuleChange", "diff"]


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a rule, or one item of a list field, that differs. Values are written as in policy files."""

    field: str
    """Name of the field as in policy files: ``severity``, ``allow``."""
    old: Any = None
    """Value in the old policy; ``None`` for an added list item or a field that was not set."""
    new: Any = None
    """Value in the new policy; ``None`` for a removed list item or a field that is no longer set."""


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that only one of the policies has, or that differs between them."""

    rule: str
    """Name of the rule."""
    kind: Literal["added", "removed", "changed"]
    """Whether the new policy adds, removes or changes the rule."""
    fields: tuple[FieldChange, ...] = ()
    """The differing fields of a changed rule; the fields without their default value of another rule."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A rule whose position changed in relation to the other rules that both policies have."""

    rule: str
    """Name of the rule."""
    old: int
    """Position in the old policy's order, from 1."""
    new: int
    """Position in the new policy's order, from 1."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """All differences between two policies; empty if they are equal."""

    rules: tuple[RuleChange, ...] = ()
    """Added and changed rules in the new policy's order, then removed rules in the old policy's order."""
    moved: tuple[Move, ...] = ()
    """The fewest moves that turn the old order into the new one."""


def diff(old: Policy, new: Policy) -> Difference:
    """Compare two policies.

    The default rule comes last in ``rules``, under the name ``Default``. A rule whose priority changed
    is always a changed rule; it is also a move only if its position in the order changed.
    """
    before, after = ({rule.name: rule for rule in policy.rules_by_priority} for policy in (old, new))
    changes = [_change(name, before.get(name), rule) for name, rule in after.items()]
    changes += [_change(name, rule, None) for name, rule in before.items() if name not in after]
    default = _fields(_dump(old.default_rule), _dump(new.default_rule))
    changes.append(RuleChange(rule=DEFAULT_RULE, kind="changed", fields=tuple(default)))
    reported = tuple(change for change in changes if change.kind != "changed" or change.fields)
    return Difference(rules=reported, moved=tuple(_moves(before, after)))


def _change(name: str, old: Rule | None, new: Rule | None) -> RuleChange:
    if old and new:
        return RuleChange(rule=name, kind="changed", fields=tuple(_fields(_dump(old), _dump(new))))
    if new:
        return RuleChange(rule=name, kind="added", fields=tuple(_fields({}, _dump(new, exclude_defaults=True))))
    return RuleChange(rule=name, kind="removed", fields=tuple(_fields(_dump(old, exclude_defaults=True), {})))


def _dump(part: Any, *, exclude_defaults: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = part.model_dump(mode="json", by_alias=True, exclude_defaults=exclude_defaults)
    found.pop("name", None)
    return found


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
    for field in dict.fromkeys((*old, *new)):
        before, after = old.get(field), new.get(field)
        if isinstance(before, list) or isinstance(after, list):
            yield from _items(field, before or [], after or [])
        elif before != after:
            yield FieldChange(field=field, old=before, new=after)


# Items of a list are compared as a set: their order in a rule has no effect on decisions.
def _items(field: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[FieldChange]:
    yield from (FieldChange(field=field, old=_without_empty_fields(item)) for item in old if item not in new)
    yield from (FieldChange(field=field, new=_without_empty_fields(item)) for item in new if item not in old)


def _without_empty_fields(item: Any) -> Any:
    return {name: value for name, value in item.items() if value} if isinstance(item, dict) else item


# The rules outside a longest common subsequence of the two orders have moved. If there are several
# longest ones, the one with the most unchanged priorities is taken: if two rules swap their positions
# because the priority of one was changed, then that one has moved. So each rule weighs 1, and a little
# more if its priority is unchanged; the additions of all rules together stay below 1.
def _moves(old: Mapping[str, Rule], new: Mapping[str, Rule]) -> Iterator[Move]:
    position = {name: number for number, name in enumerate(old, 1)}
    common = [name for name in new if name in position]
    weights = [1 + int(old[name].priority == new[name].priority) / (len(common) + 1) for name in common]
    stayed = {common[at] for at in _heaviest_increasing([position[name] for name in common], weights)}
    for number, name in enumerate(new, 1):
        if name in position and name not in stayed:
            yield Move(rule=name, old=position[name], new=number)


# Yields the indexes of the heaviest increasing subsequence, last first. Takes quadratic time, which
# is enough because a policy has at most 1,000 rules.
def _heaviest_increasing(numbers: Sequence[int], weights: Sequence[float]) -> Iterator[int]:
    best: list[tuple[float, int]] = []
    for index, number in enumerate(numbers):
        weight, before = max(((best[at][0], at) for at in range(index) if numbers[at] < number), default=(0.0, -1))
        best.append((weight + weights[index], before))
    at = max(range(len(best)), key=lambda index: best[index][0], default=-1)
    while at >= 0:
        yield at
        at = best[at][1]
