"""Saved hunts in the state."""

from __future__ import annotations

import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from driftline.errors import Conflict, NotFound
from driftline.server.state.models import SavedHunt

__all__ = ["list_visible", "put", "remove"]

_MOST = 500


def list_visible(session: Session, user_id: str) -> list[SavedHunt]:
    """List one's own and all shared ones by name; of equal names one's own comes last."""
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
    """Save a hunt, over one's older one of the name; raises ``Conflict``."""
    if shared:
        _check_free(session, user_id, name)
    hunt = session.get(SavedHunt, (user_id, name))
    if hunt is None:
        _check_room(session, user_id)
        hunt = SavedHunt(user_id=user_id, name=name)
        session.add(hunt)
    hunt.owner, hunt.text, hunt.parameters, hunt.description = owner, text, parameters, description
    hunt.shared, hunt.changed_at = shared, now
    session.flush()
    return hunt


def remove(session: Session, user_id: str, name: str) -> None:
    """Remove one's hunt; raises ``NotFound``."""
    hunt = session.get(SavedHunt, (user_id, name))
    if hunt is None:
        raise NotFound(f"you have no saved hunt {name!r}")
    session.delete(hunt)


# A shared name means one hunt to everybody.
def _check_free(session: Session, user_id: str, name: str) -> None:
    query = select(SavedHunt).where(SavedHunt.name == name, SavedHunt.shared, SavedHunt.user_id != user_id)
    other = session.scalars(query).first()
    if other:
        raise Conflict(f"{other.owner} shares a hunt {name!r} already")


def _check_room(session: Session, user_id: str) -> None:
    count = session.scalar(select(func.count()).select_from(SavedHunt).where(SavedHunt.user_id == user_id))
    if count and count >= _MOST:
        raise Conflict(f"you have {_MOST} saved hunts, which is the most")
