"""``evaluate rolling_percentile(value, percentile, index, bin size, bins, dimensions)``.

https://learn.microsoft.com/kusto/query/rolling-percentile-plugin
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.parse import parse
from driftline.kql.plan.nodes import Const
from driftline.kql.text import literals

__all__ = ["bind_rolling_percentile"]

MOST_BINS = 10_000
# Each bin meets the rows of its own and of the bins before it. The names in braces are columns.
QUERY = """
['$rows'] | distinct {index}{dims}
| mv-expand ['$back'] = range(0, {last}, 1) to typeof(long)
| extend ['$bin'] = {index} - ['$back'] * ['$size']
| join kind=inner (['$rows'] | project ['$bin'] = {index}, ['$value']{dims}) on ['$bin']{dims}
| summarize {result} = percentile(['$value'], {percentile}) by {index}{dims}
| sort by {order}
"""


def bind_rolling_percentile(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``rolling_percentile``: a row for each bin, with the percentile of the last bins up to it."""
    if len(node.call.arguments) < 5:
        expected = "rolling_percentile(value, percentile, index, bin size, bins per window, dimensions)"
        scope.fail(f"expected {expected}", node.span)
    value, percent, index, size, window, *dims = node.call.arguments
    columns = [_column(node, scope) for node in (value, index, *dims)]
    percentile, bins = constant(percent, scope, "real"), constant(window, scope, "long")
    if not isinstance(percentile, float | int) or not 0 <= percentile <= 100:
        scope.fail("expected a percentile between 0 and 100", percent.span)
    if not isinstance(bins, int) or not 1 <= bins <= MOST_BINS:
        scope.fail(f"expected a number of bins between 1 and {MOST_BINS}", window.span)
    step = scope.scalar(size)
    if not isinstance(step, Const):
        scope.fail("expected a constant size of bins", size.span)
    names = [_quoted(column) for column in columns]
    others = "".join(f", {name}" for name in names[2:])
    binned = f"['$input'] | project {names[1]} = bin({names[1]}, ['$size']), ['$value'] = {names[0]}{others}"
    text = QUERY.format(
        index=names[1],
        dims=others,
        last=bins - 1,
        percentile=f"{percentile:g}",
        result=_quoted(f"rolling_{bins}_percentile_{columns[0]}_{percentile:g}"),
        order=", ".join(f"{name} asc" for name in (*names[2:], names[1])),
    )
    outside = scope.with_row(None).with_names({"$input": relation, "$size": step})
    rows = outside.table(parse(binned).body)
    return outside.with_names({"$rows": rows}).table(parse(text).body)


def _column(node: syntax.Expr, scope: Scope) -> str:
    """Return the name of a column; note a problem for other expressions and unknown columns."""
    if not isinstance(node, syntax.Name):
        scope.fail("expected the name of a column", node.span)
    scope.scalar(node)
    return node.name


def _quoted(name: str) -> str:
    return f"[{literals.string(name)}]"
