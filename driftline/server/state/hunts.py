"""Queries on saved hunts: list, save, remove."""

from __future__ import annotations

import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from driftline.errors import Conflict, NotFound
from driftline.server.state.models import SavedHunt

__all__ = ["list_visible", "put", "remove"]

_MAX_PER_USER = 500


def list_visible(session: Session, user_id: str) -> list[SavedHunt]:
    """Return the hunts of a user and the shared hunts of other users, sorted by name.

    Of two hunts with the same name the user's own comes last, so that it wins in a mapping by name.
    """
    query = select(SavedHunt).where(or_(SavedHunt.user_id == user_id, SavedHunt.shared))
    return list(session.scalars(query.order_by(SavedHunt.name, SavedHunt.user_id == user_id)))


def put(
    session: Session,
    user_id: str,
    name: str,
    *,
    owner: str,
    text: str,
    parameters: str,
    description: str,
    shared: bool,
    now: datetime.datetime,
) -> SavedHunt:
    """Save a hunt of a user, in place of the user's older hunt with the same name.

    Raises ``Conflict`` for a shared name that another user shares already, and above 500 hunts of one user.
    """
    if shared:
        _check_free(session, user_id, name)
    hunt = session.get(SavedHunt, (user_id, name))
    if hunt is None:
        _check_count(session, user_id)
        hunt = SavedHunt(user_id=user_id, name=name)
        session.add(hunt)
    hunt.owner, hunt.text, hunt.parameters, hunt.description = owner, text, parameters, description
    hunt.shared, hunt.changed_at = shared, now
    session.flush()
    return hunt


def remove(session: Session, user_id: str, name: str) -> None:
    """Remove a hunt of a user; raises ``NotFound`` if the user has none with this name."""
    hunt = session.get(SavedHunt, (user_id, name))
    if hunt is None:
        raise NotFound(f"you have no saved hunt {name!r}")
    session.delete(hunt)


# A shared name must mean the same hunt for all users.
def _check_free(session: Session, user_id: str, name: str) -> None:
    query = select(SavedHunt).where(SavedHunt.name == name, SavedHunt.shared, SavedHunt.user_id != user_id)
    other = session.scalars(query).first()
    if other:
        raise Conflict(f"{other.owner} shares a hunt {name!r} already")


def _check_count(session: Session, user_id: str) -> None:
    count = session.scalar(select(func.count()).select_from(SavedHunt).where(SavedHunt.user_id == user_id))
    if count and count >= _MAX_PER_USER:
        raise Conflict(f"you have {_MAX_PER_USER} saved hunts, which is the maximum")
