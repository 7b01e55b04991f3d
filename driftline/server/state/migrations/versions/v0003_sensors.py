"""Keep join tokens, sensors and their certificates, taking over the database that held them before.

Earlier servers kept them in ``sensors.db`` of the data directory, in a database without migrations. Its rows are
copied in the transaction that makes the tables; ``State.migrate`` renames the file after the commit.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

from driftline.errors import StateError

revision = "v0003_sensors"
down_revision = "v0002_saved_hunts"
branch_labels = None
depends_on = None

_BUSY_SECONDS = 10


def upgrade() -> None:
    """Make the tables and take over the rows of an earlier database."""
    op.create_table(
        "join_tokens",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_key", sa.String(), nullable=False),
        sa.Column("sensor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_join_tokens")),
    )
    op.create_table(
        "sensors",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("cluster", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("enrolled", sa.DateTime(timezone=True), nullable=False),
        sa.Column("enrolled_by", sa.String(), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_for", sa.String(), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensors")),
    )
    with op.batch_alter_table("sensors", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sensors_cluster"), ["cluster"], unique=False)

    op.create_table(
        "sensor_certificates",
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("sensor", sa.String(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sensor"], ["sensors.id"], name=op.f("fk_sensor_certificates_sensor")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_sensor_certificates")),
    )
    with op.batch_alter_table("sensor_certificates", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sensor_certificates_sensor"), ["sensor"], unique=False)

    config = op.get_context().config  # None where only the SQL is printed
    former: Path | None = config.attributes.get("former_sensors") if config else None
    if former is not None and former.exists():
        _take_over(former)


# The tables of the earlier database, which had times without zone, in UTC. Sensors come before their certificates,
# because the state checks foreign keys and the earlier database did not.
def _tables(time: sa.DateTime) -> tuple[sa.Table, ...]:
    metadata = sa.MetaData()
    tokens = sa.Table(
        "join_tokens",
        metadata,
        *(
            sa.Column(name, sa.String())
            for name in ("id", "digest", "cluster", "node", "made_by", "used_key", "sensor")
        ),
        *(sa.Column(name, time) for name in ("expires", "used")),
    )
    sensors = sa.Table(
        "sensors",
        metadata,
        *(sa.Column(name, sa.String()) for name in ("id", "cluster", "node", "enrolled_by", "revoked_for")),
        *(sa.Column(name, time) for name in ("enrolled", "revoked", "seen")),
        sa.Column("report", sa.JSON()),
    )
    certificates = sa.Table(
        "sensor_certificates",
        metadata,
        *(sa.Column(name, sa.String()) for name in ("serial", "sensor")),
        sa.Column("expires", time),
    )
    return tokens, sensors, certificates


def _take_over(path: Path) -> None:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": _BUSY_SECONDS}, poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # an earlier `driftline fleet token` may be writing
            there = set(sa.inspect(connection).get_table_names())
            rows = {
                table.name: [_in_utc(row) for row in connection.execute(sa.select(table)).mappings()]
                for table in _tables(sa.DateTime())
                if table.name in there
            }
    except sa.exc.SQLAlchemyError as error:
        raise StateError(f"the sensors in {path} could not be taken over: {error}") from error
    enrolled = {row["id"] for row in rows.get("sensors", ())}
    rows["sensor_certificates"] = [row for row in rows.get("sensor_certificates", ()) if row["sensor"] in enrolled]
    for table in _tables(sa.DateTime(timezone=True)):
        op.bulk_insert(table, rows.get(table.name, []))


# The earlier database wrote times in UTC without a zone, because SQLite has none.
def _in_utc(row: Any) -> dict[str, Any]:
    return {
        name: value.replace(tzinfo=datetime.UTC) if isinstance(value, datetime.datetime) else value
        for name, value in row.items()
    }
