"""Names of lambdas' parameters and of stages in templates, which no column of a hunt may catch."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

__all__ = ["PREFIX", "kept_apart"]

PREFIX = "·"  # no identifier of a plan begins with it (``Session.fresh``)


def kept_apart(template: Any) -> Any:
    """Rename them: an argument put inside of a lambda may be a column of the same name."""
    taken = {name.name for each in template.find_all(exp.Lambda) for name in each.expressions}
    taken |= {each.alias for each in template.find_all(exp.Alias)}
    for name in list(template.find_all(exp.Identifier)):
        if name.name in taken:
            name.replace(exp.to_identifier(PREFIX + name.name, quoted=True))
    return template
