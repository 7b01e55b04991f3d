"""Index the texts of alerts."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op

revision = "v0006_alert_search"
down_revision = "v0006_oidc_confirmed"
branch_labels = None
depends_on = None

_PAGE = 1000
_MAX_TEXT = 4096
_OF_ALERT = ("title", "path", "image", "sha256")
_OF_PLACE = ("namespace", "workload", "pod", "node")
_SQLITE = (
    "CREATE VIRTUAL TABLE alert_search USING fts5(search, content='alert_places', content_rowid='id', "
    "tokenize='trigram case_sensitive 1', detail=none)",
    "INSERT INTO alert_search(alert_search) VALUES ('rebuild')",
    "CREATE TRIGGER alert_search_insert AFTER INSERT ON alert_places BEGIN "
    "INSERT INTO alert_search(rowid, search) VALUES (new.id, new.search); END",
    "CREATE TRIGGER alert_search_delete AFTER DELETE ON alert_places BEGIN "
    "INSERT INTO alert_search(alert_search, rowid, search) VALUES ('delete', old.id, old.search); END",
    "CREATE TRIGGER alert_search_update AFTER UPDATE OF search ON alert_places BEGIN "
    "INSERT INTO alert_search(alert_search, rowid, search) VALUES ('delete', old.id, old.search); "
    "INSERT INTO alert_search(rowid, search) VALUES (new.id, new.search); END",
)

log = logging.getLogger(__name__)


def upgrade() -> None:
    """Add the texts of all places, and their index."""
    with op.batch_alter_table("alert_places", schema=None) as batch_op:
        batch_op.add_column(sa.Column("search", sa.String(), nullable=False, server_default=""))
    if op.get_context().as_sql:
        return
    connection = op.get_bind()
    _fill(connection)
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE:
            op.execute(statement)
    elif connection.dialect.name == "postgresql":
        _index_postgresql(connection)


# pg_trgm is a trusted extension since PostgreSQL 13: the owner of the database may create it.
def _index_postgresql(connection: sa.Connection) -> None:
    try:
        with connection.begin_nested():
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
    except sa.exc.DBAPIError as error:
        log.warning("the text search of alerts has no index, because pg_trgm cannot be created: %s", error.orig)
        return
    connection.execute(sa.text("CREATE INDEX alert_search ON alert_places USING gin (search gin_trgm_ops)"))


def _fill(connection: sa.Connection) -> None:
    alerts, places = (sa.Table(name, sa.MetaData(), autoload_with=connection) for name in ("alerts", "alert_places"))
    columns = [alerts.c[name] for name in _OF_ALERT] + [places.c[name] for name in _OF_PLACE]
    last = 0
    while True:
        query = sa.select(places.c.id, *columns).join_from(places, alerts, places.c.alert_id == alerts.c.id)
        rows = connection.execute(query.where(places.c.id > last).order_by(places.c.id).limit(_PAGE)).all()
        if not rows:
            return
        for place, *texts in rows:
            text = "\n".join(dict.fromkeys(each.casefold() for each in texts if each))[:_MAX_TEXT]
            connection.execute(places.update().where(places.c.id == place).values(search=text))
        last = rows[-1][0]
