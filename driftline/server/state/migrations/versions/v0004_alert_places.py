"""Keep the places where each alert occurred.

Of earlier occurrences only the first namespace and workload, and the latest pod, are known: they become one place
with the whole count.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "v0004_alert_places"
down_revision = "v0003_sensors"
branch_labels = None
depends_on = None

_PAGE = 1000
_COPIED = ("cluster", "namespace", "workload", "pod", "count", "first_seen", "last_seen")


def upgrade() -> None:
    """Make the table and the place of each alert."""
    op.create_table(
        "alert_places",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("namespace", sa.String(), nullable=False),
        sa.Column("workload", sa.String(), nullable=False),
        sa.Column("pod", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_alert_places_alert_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_places")),
        sa.UniqueConstraint("key", name=op.f("uq_alert_places_key")),
    )
    with op.batch_alter_table("alert_places", schema=None) as batch_op:
        batch_op.create_index("ix_alert_places_alert_id_number", ["alert_id", "number"], unique=True)
        for name in ("namespace", "workload", "pod", "node"):
            batch_op.create_index(batch_op.f(f"ix_alert_places_{name}"), [name], unique=False)
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("spread", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("place_count", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("new_places", sa.Integer(), nullable=False, server_default="0"))
    if not op.get_context().as_sql:
        _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    alerts, places = (sa.Table(name, sa.MetaData(), autoload_with=connection) for name in ("alerts", "alert_places"))
    change = -1
    while True:
        query = sa.select(alerts).where(alerts.c.change > change).order_by(alerts.c.change).limit(_PAGE)
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        connection.execute(places.insert(), [_place(row) for row in rows])
        for row in rows:
            known = [[row["namespace"], row["workload"]]]
            connection.execute(alerts.update().where(alerts.c.id == row["id"]).values(spread=known, place_count=1))
        change = rows[-1]["change"]


def _place(alert: Any) -> dict[str, Any]:
    node = _node(alert["entities"])
    where = [alert["id"], alert["cluster"], alert["namespace"], alert["workload"], alert["pod"], node]
    key = hashlib.sha256(json.dumps(where).encode()).hexdigest()
    return {"alert_id": alert["id"], "key": key, "number": 1, "node": node, **{name: alert[name] for name in _COPIED}}


def _node(entities: Any) -> str:
    named = (entity.get("DeviceName") for entity in entities if isinstance(entity, dict))
    return next((name for name in named if isinstance(name, str)), "")
