"""What differs between two policies: rules are the same if they have the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from driftline.policy.model import DEFAULT_RULE, Policy, Rule

__all__ = ["Difference", "FieldChange", "Move", "RuleChange", "diff"]


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field, or one item of a list, that differs; as policy files have it."""

    field: str
    """With dots between the parts: ``severity``, ``allow``."""
    old: Any = None
    """``None`` for an item of a list that is new, or a field that was not set."""
    new: Any = None


class RuleChange(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is in one policy only, or differs."""

    rule: str
    kind: Literal["added", "removed", "changed"]
    fields: tuple[FieldChange, ...] = ()
    """Of a changed rule: what differs; of another: all that is not as it would be by default."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is asked earlier or later among those both policies have."""

    rule: str
    old: int
    """Its place in the old policy's order, from 1."""
    new: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """All that differs."""

    rules: tuple[RuleChange, ...] = ()
    """In the new policy's order, then the removed ones in the old's."""
    moved: tuple[Move, ...] = ()
    """The fewest moves that lead from the old order to the new."""


def diff(old: Policy, new: Policy) -> Difference:
    """Compare two policies. The default rule comes last, under its own name."""
    before, after = ({rule.name: rule for rule in policy.rules_by_priority} for policy in (old, new))
    changes = [_change(name, before.get(name), rule) for name, rule in after.items()]
    changes += [_change(name, rule, None) for name, rule in before.items() if name not in after]
    default = _fields(_dump(old.default_rule), _dump(new.default_rule))
    changes.append(RuleChange(rule=DEFAULT_RULE, kind="changed", fields=tuple(default)))
    told = tuple(change for change in changes if change.kind != "changed" or change.fields)
    return Difference(rules=told, moved=tuple(_moves(before, after)))


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


def _items(field: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[FieldChange]:
    yield from (FieldChange(field=field, old=_given(item)) for item in old if item not in new)
    yield from (FieldChange(field=field, new=_given(item)) for item in new if item not in old)


def _given(item: Any) -> Any:
    return {name: value for name, value in item.items() if value} if isinstance(item, dict) else item


# Whatever is not part of a longest common subsequence has moved. Among the longest it is the one
# with the most rules whose priority stays: who swaps two rules by changing one has moved that one.
def _moves(old: Mapping[str, Rule], new: Mapping[str, Rule]) -> Iterator[Move]:
    place = {name: number for number, name in enumerate(old, 1)}
    common = [name for name in new if name in place]
    weights = [1 + int(old[name].priority == new[name].priority) / (len(common) + 1) for name in common]
    stayed = {common[at] for at in _heaviest_increasing([place[name] for name in common], weights)}
    for number, name in enumerate(new, 1):
        if name in place and name not in stayed:
            yield Move(rule=name, old=place[name], new=number)


# The quadratic way: a policy has a thousand rules at most.
def _heaviest_increasing(numbers: Sequence[int], weights: Sequence[float]) -> Iterator[int]:
    best: list[tuple[float, int]] = []
    for index, number in enumerate(numbers):
        weight, before = max(((best[at][0], at) for at in range(index) if numbers[at] < number), default=(0.0, -1))
        best.append((weight + weights[index], before))
    at = max(range(len(best)), key=lambda index: best[index][0], default=-1)
    while at >= 0:
        yield at
        at = best[at][1]
