"""GeoJSON texts to shapes of the S2 library and back.

A text that is no valid shape raises ``Invalid``: a coordinate out of range, a line of one point, a ring that does not
close. Rings may run in either direction: the smaller of the two regions counts, as in Kusto.
https://learn.microsoft.com/kusto/query/geo-point-in-polygon-function
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import s2geometry
import spherely

__all__ = [
    "Invalid",
    "Position",
    "collected",
    "geojson",
    "geometry",
    "guarded",
    "line",
    "place",
    "point",
    "point_json",
    "polygon",
    "written",
]

Position = tuple[float, float]
MOST_TEXT = 4 << 20  # characters of one shape


class Invalid(ValueError):
    """A value is no valid coordinate or shape."""


def guarded(functions: dict[str, Callable[..., Any]]) -> Callable[[str, Sequence[Any]], Any]:
    """Return the entry of a module: call a function by name; None for null and invalid arguments."""

    def computed(name: str, arguments: Sequence[Any]) -> Any:
        if any(argument is None for argument in arguments):
            return None
        try:
            return functions[name](*arguments)
        except (ValueError, RuntimeError, RecursionError):  # the S2 library reports an invalid shape as RuntimeError
            return None

    return computed


def position(longitude: Any, latitude: Any) -> Position:
    """Return a valid pair of degrees."""
    if isinstance(longitude, bool) or isinstance(latitude, bool):
        raise Invalid("a coordinate is a number")
    if not (isinstance(longitude, (int, float)) and isinstance(latitude, (int, float))):
        raise Invalid("a coordinate is a number")
    if not (abs(longitude) <= 180 and abs(latitude) <= 90):
        raise Invalid("a coordinate out of range")
    return float(longitude), float(latitude)


def point(longitude: float, latitude: float) -> Any:
    """Return a point as a shape of spherely."""
    return spherely.create_point(*position(longitude, latitude))


def place(longitude: float, latitude: float) -> Any:
    """Return a point of s2geometry."""
    x, y = position(longitude, latitude)
    return s2geometry.S2LatLng.FromDegrees(y, x).ToPoint()


def degrees(found: Any) -> Position:
    """Return the longitude and latitude of a point of s2geometry."""
    angle = s2geometry.S2LatLng(found)
    return angle.lng().degrees(), angle.lat().degrees()


def point_json(found: Any) -> str:
    """Return a point of s2geometry as GeoJSON."""
    return written("Point", list(degrees(found)))


def geometry(text: str, *kinds: str) -> tuple[str, Any]:
    """Return the type and the checked coordinates of a GeoJSON text of one of the types."""
    if len(text) > MOST_TEXT:
        raise Invalid("a shape of too many characters")
    value = json.loads(text)
    if isinstance(value, str):
        value = json.loads(value)  # a shape that a hunt holds as text
    if not isinstance(value, dict) or value.get("type") not in kinds:
        raise Invalid(f"expected a {' or '.join(kinds)}")
    kind: str = value["type"]
    return kind, CHECKS[kind](value.get("coordinates"))


def line(text: str) -> list[list[Position]]:
    """Return the lines of a LineString or MultiLineString."""
    kind, coordinates = geometry(text, "LineString", "MultiLineString")
    return coordinates if kind == "MultiLineString" else [coordinates]


def polygon(text: str) -> list[list[list[Position]]]:
    """Return the polygons of a Polygon or MultiPolygon, each a list of closed rings."""
    kind, coordinates = geometry(text, "Polygon", "MultiPolygon")
    return coordinates if kind == "MultiPolygon" else [coordinates]


def collected(text: str) -> list[str]:
    """Return the shapes of an array as texts."""
    value = json.loads(text)
    if not isinstance(value, list) or not value:
        raise Invalid("expected an array of shapes")
    return [each if isinstance(each, str) else json.dumps(each) for each in value]


def lines_shape(lines: list[list[Position]]) -> Any:
    """Return lines as one shape of spherely."""
    made = [spherely.create_linestring(each) for each in lines]
    return made[0] if len(made) == 1 else spherely.create_multilinestring(made)


def polygons_shape(polygons: list[list[list[Position]]]) -> Any:
    """Return polygons as one shape of spherely."""
    made = [spherely.create_polygon(rings[0][:-1], [ring[:-1] for ring in rings[1:]]) for rings in polygons]
    return made[0] if len(made) == 1 else spherely.create_multipolygon(made)


def written(kind: str, coordinates: Any) -> str:
    """Return a GeoJSON text."""
    return json.dumps({"type": kind, "coordinates": plain(coordinates)}, separators=(",", ":"))


def plain(value: Any) -> Any:
    """Return a value of JSON in which coordinates without a fraction are whole numbers, as Kusto writes them."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


NAMES = {
    "POINT": "Point",
    "LINESTRING": "LineString",
    "POLYGON": "Polygon",
    "MULTIPOINT": "MultiPoint",
    "MULTILINESTRING": "MultiLineString",
    "MULTIPOLYGON": "MultiPolygon",
}
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
PAIR = re.compile(rf"({NUMBER})\s+({NUMBER})")
HEAD = re.compile(r"\s*([A-Za-z]+)\s*(EMPTY|.*)", re.DOTALL)


def geojson(wkt: str) -> dict[str, Any]:
    """Return a Well-Known Text (OGC 06-103r4, 7) as GeoJSON; an empty shape is an empty collection."""
    match = HEAD.fullmatch(wkt.strip())
    if match is None:
        raise Invalid("no Well-Known Text")
    name, rest = match[1].upper(), match[2].strip()
    if name == "GEOMETRYCOLLECTION" or rest == "EMPTY":
        inner = "" if rest == "EMPTY" else rest[1:-1]
        return {"type": "GeometryCollection", "geometries": [geojson(part) for part in _parts(inner)]}
    if name not in NAMES or not (rest.startswith("(") and rest.endswith(")")):
        raise Invalid("unknown Well-Known Text")
    nested = json.loads(PAIR.sub(_pair, rest).replace("(", "[").replace(")", "]"))
    return {"type": NAMES[name], "coordinates": _flat(name, nested)}


def _pair(match: re.Match[str]) -> str:
    return json.dumps([float(match[1]), float(match[2])])


# POINT (1 2) becomes [[1, 2]]; MULTIPOINT has two spellings, with and without brackets around each point.
def _flat(name: str, nested: Any) -> Any:
    if name == "POINT":
        return nested[0]
    if name == "MULTIPOINT":
        return [each[0] if isinstance(each[0], list) else each for each in nested]
    return nested


# The members of a collection, at commas outside of brackets.
def _parts(text: str) -> list[str]:
    found, level, start = [], 0, 0
    for at, character in enumerate(text):
        level += (character == "(") - (character == ")")
        if character == "," and level == 0:
            found.append(text[start:at])
            start = at + 1
    return [each for each in [*found, text[start:]] if each.strip()]


def shape_json(shape: Any) -> str:
    """Return a shape of spherely as GeoJSON; a shape without points is an empty collection."""
    return json.dumps(plain(geojson(spherely.to_wkt(shape, precision=15))), separators=(",", ":"))


def _position(value: Any) -> Position:
    if not isinstance(value, list) or len(value) < 2:
        raise Invalid("expected [longitude, latitude]")
    return position(value[0], value[1])


def _line(value: Any) -> list[Position]:
    if not isinstance(value, list) or len(value) < 2:
        raise Invalid("a line has two points at least")
    return [_position(each) for each in value]


def _ring(value: Any) -> list[Position]:
    found = _line(value)
    if len(found) < 4 or found[0] != found[-1]:
        raise Invalid("a ring has four points at least, the last equal to the first")
    return found


def _each(check: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def checked(value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise Invalid("expected an array")
        return [check(each) for each in value]

    return checked


_rings = _each(_ring)
CHECKS: dict[str, Callable[[Any], Any]] = {
    "Point": _position,
    "LineString": _line,
    "MultiLineString": _each(_line),
    "Polygon": _rings,
    "MultiPolygon": _each(_rings),
}


def distance_angle(one: Any, other: Any) -> float:
    """Return the angle between two points of s2geometry, in radians."""
    return float(s2geometry.S1Angle(one, other).radians())


def meters(radians: float) -> float:
    """Return the length of an angle on the sphere."""
    return float(radians * spherely.EARTH_RADIUS_METERS)


def radians(length: float) -> float:
    """Return the angle of a length in meters on the sphere."""
    if not (math.isfinite(length) and length > 0):
        raise Invalid("expected a positive length")
    return float(length / spherely.EARTH_RADIUS_METERS)
