"""The server's own state in SQL; the only importer of SQLAlchemy and Alembic.

``State`` opens and migrates it, ``models`` are its tables, the other modules its questions, one
a theme: functions over a ``Session`` that the caller got from ``State.reading`` or
``State.writing``.
"""

from driftline.server.state.database import Session, State

__all__ = ["Session", "State"]
