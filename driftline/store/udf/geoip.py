"""``geo_info_from_ip_address``: the place of an address by a file in MaxMind's format, which the user supplies.

The environment variable ``DRIFTLINE_GEOIP`` names the file, such as GeoLite2-City.mmdb. The file is opened at the first
call and mapped into memory. https://learn.microsoft.com/kusto/query/geo-info-from-ip-address-function
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

import maxminddb

from driftline import errors

__all__ = ["VARIABLE", "place_of"]

VARIABLE = "DRIFTLINE_GEOIP"
LANGUAGE = "en"


def place_of(address: str | None) -> str | None:
    """Return country, state, city and coordinates of an address as JSON; None for an unknown or invalid one.

    Raises ``errors.InvalidInput`` without a file, or with one that cannot be read.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        raise errors.InvalidInput(
            f"geo_info_from_ip_address needs a file in MaxMind's format: set {VARIABLE} to its path"
        )
    try:
        found: Any = _reader(path).get(address or "")
    except ValueError:  # not an address, or of a version that the file has not
        return None
    return json.dumps(_fields(found), ensure_ascii=False, separators=(",", ":")) if isinstance(found, dict) else None


@functools.cache
def _reader(path: str) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(path, maxminddb.MODE_MMAP)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise errors.InvalidInput(f"{VARIABLE} names no file in MaxMind's format: {error}") from error


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    """Return Kusto's fields of a record; a field that the record lacks is left out."""
    location = record.get("location") or {}
    subdivisions = record.get("subdivisions") or [{}]
    fields = {
        "country": _name(record.get("country")),
        "state": _name(subdivisions[0]),
        "city": _name(record.get("city")),
        "latitude": location.get("latitude"),
        "longitude": location.get("longitude"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _name(place: Any) -> Any:
    return ((place or {}).get("names") or {}).get(LANGUAGE)
