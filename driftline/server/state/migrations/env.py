"""Alembic's entry: runs migrations on the connection that ``State.migrate`` gives."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from driftline.server.state import models, search


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write times as what they are in SQL: a migration must not change when the models do."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, models.UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=models.Base.metadata,
    render_item=_render,
    include_object=search.in_models,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
