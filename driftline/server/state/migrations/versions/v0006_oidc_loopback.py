"""Keep where a login by OIDC leads to, and the codes with which a command line takes over its session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0006_oidc_loopback"
down_revision = "v0006_alert_search"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and make the table."""
    with op.batch_alter_table("oidc_logins", schema=None) as batch_op:
        batch_op.add_column(sa.Column("port", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("challenge", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "login_codes",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("user_id", sa.String(), nullable=False),
        sa.Column("challenge", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_codes_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_login_codes")),
    )
