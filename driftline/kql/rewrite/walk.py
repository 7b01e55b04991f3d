"""Rebuild a plan with its inputs, or the plans inside of it, changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from driftline.kql import plan
from driftline.kql.plan import Plan

__all__ = ["bottom_up"]


def bottom_up(node: Plan, change: Callable[[Plan], Plan]) -> Plan:
    """Change every plan, inputs first."""
    if isinstance(node, plan.Join):
        left, right = bottom_up(node.left, change), bottom_up(node.right, change)
        return change(dataclasses.replace(node, left=left, right=right))
    if isinstance(node, plan.Union):
        return change(dataclasses.replace(node, inputs=tuple(bottom_up(each, change) for each in node.inputs)))
    if isinstance(node, (plan.Table, plan.Values, plan.Numbers)):
        return change(node)
    return change(dataclasses.replace(node, input=bottom_up(node.input, change)))
