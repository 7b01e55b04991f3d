"""Keep when the OpenID provider last confirmed a user.

Of users who logged in before, the migration counts as the latest login, so that no user is logged out by it.
"""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from alembic import op

revision = "v0006_oidc_confirmed"
down_revision = "v0004_alert_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    users = sa.table("users", sa.column("subject", sa.String), sa.column("confirmed_at", sa.DateTime(timezone=True)))
    now = datetime.datetime.now(datetime.UTC)
    op.execute(users.update().where(users.c.subject.is_not(None)).values(confirmed_at=now))
