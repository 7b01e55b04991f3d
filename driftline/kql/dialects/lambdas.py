"""Reserved names for the parameters of lambdas and the subquery columns in templates.

An argument that is put inside of a lambda may be a column of a hunt with the same name as the
lambda's parameter, which would then hide it.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp

__all__ = ["PREFIX", "with_reserved_names"]

PREFIX = "·"
"""First character of reserved names; no column of a plan begins with it (``Session.fresh``)."""


def with_reserved_names(template: Any) -> Any:
    """Rename the parameters of all lambdas and the columns of all subqueries in a template, in place."""
    taken = {name.name for each in template.find_all(exp.Lambda) for name in each.expressions}
    taken |= {each.alias for each in template.find_all(exp.Alias)}
    for name in list(template.find_all(exp.Identifier)):
        if name.name in taken:
            name.replace(exp.to_identifier(PREFIX + name.name, quoted=True))
    return template
