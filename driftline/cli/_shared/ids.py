"""Ids of objects on the command line: whole, or the start of one if no other id starts the same."""

from __future__ import annotations

from collections.abc import Iterable

from driftline.cli._shared.http_client import Client
from driftline.errors import InvalidInput, NotFound

__all__ = ["find_alert_id", "pick"]

_SHOWN = 5


def pick(given: str, ids: Iterable[str], noun: str) -> str:
    """Return the id that is given whole or by its start; ``noun`` names the kind of object in messages.

    Raises ``NotFound`` if no id starts so, and ``InvalidInput`` if several do.
    """
    found = sorted({each for each in ids if each.startswith(given)}) if given else []
    if given in found:
        return given
    if not found:
        raise NotFound(f"no {noun} with an id that begins with {given!r}")
    if len(found) > 1:
        more = ", …" if len(found) > _SHOWN else ""
        raise InvalidInput(f"several {noun}s have an id that begins with {given!r}: {', '.join(found[:_SHOWN])}{more}")
    return found[0]


def find_alert_id(client: Client, given: str) -> str:
    """Return the id of an alert of the server, given whole or by its start; raises as ``pick`` does."""
    page = client.call("GET", "/alerts", id=given, suppressed=True, limit=_SHOWN + 1)
    return pick(given, (alert["id"] for alert in page["items"]), "alert")
