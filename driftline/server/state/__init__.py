"""The server's own state in an SQL database; the only package that imports SQLAlchemy and Alembic.

``State`` opens and migrates the database, ``models`` has the tables. The other modules have the queries, one
module a theme: functions that take a ``Session``, which the caller gets from ``State.reading`` or
``State.writing``. The caller decides on the transaction, so several functions can be used in one.
"""

from driftline.server.state.database import Session, State

__all__ = ["Session", "State"]
