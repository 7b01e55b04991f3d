"""Cells of the grids: geohash, S2 (s2geometry.io/devguide/s2cell_hierarchy) and H3 (h3geo.org)."""

from __future__ import annotations

import json
from typing import Any

import h3
import s2geometry

from driftline.store.udf.geography import shapes

__all__ = ["computed"]

ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz"  # of a geohash: five bits a letter
LONGEST_HASH = 18
MOST_RINGS = 142
MOST_LEVELS = 5


def _listed(values: Any) -> str:
    return json.dumps(values, separators=(",", ":"))


def _geohash(longitude: float, latitude: float, letters: int) -> str:
    """Return the geohash of a point: halves of longitude and latitude in turn, five bits a letter.

    Kusto's has up to 18 letters, which is more than the libraries write.
    """
    x, y = shapes.position(longitude, latitude)
    if not 1 <= letters <= LONGEST_HASH:
        raise shapes.Invalid("an accuracy from 1 to 18")
    bits = letters * 5
    across, down = _halves(x, 180, (bits + 1) // 2), _halves(y, 90, bits // 2)
    turn = [across, down]
    number = 0
    for at in range(bits):
        number = number << 1 | next(turn[at % 2])
    return "".join(ALPHABET[number >> 5 * (letters - 1 - at) & 31] for at in range(letters))


def _halves(value: float, most: float, count: int) -> Any:
    low, high = -most, most
    for _ in range(count):
        middle = (low + high) / 2
        upper = value >= middle
        low, high = (middle, high) if upper else (low, middle)
        yield int(upper)


def _box(text: str) -> tuple[float, float, float, float]:
    """Return the west, south, east and north bound of a geohash."""
    if not 1 <= len(text) <= LONGEST_HASH:
        raise shapes.Invalid("a geohash of 1 to 18 letters")
    bounds = [[-180.0, 180.0], [-90.0, 90.0]]
    bits = [ALPHABET.index(letter) >> place & 1 for letter in text.lower() for place in range(4, -1, -1)]
    for at, bit in enumerate(bits):
        low, high = bounds[at % 2]
        bounds[at % 2][1 - bit] = (low + high) / 2
    (west, east), (south, north) = bounds
    return west, south, east, north


def _geohash_center(text: str) -> str:
    west, south, east, north = _box(text)
    return shapes.written("Point", [(west + east) / 2, (south + north) / 2])


def _geohash_polygon(text: str) -> str:
    west, south, east, north = _box(text)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return shapes.written("Polygon", [ring])


def _geohash_neighbors(text: str) -> str:
    west, south, east, north = _box(text)
    middle, level = (west + east) / 2, (south + north) / 2
    wide, high = east - west, north - south
    steps = [(-1, -1), (-1, 1), (1, -1), (0, 1), (-1, 0), (1, 1), (1, 0), (0, -1)]
    found = []
    for across, up in steps:
        y = level + up * high
        if -90 < y < 90:
            x = middle + across * wide
            found.append(_geohash(x - 360 * (x > 180) + 360 * (x < -180), y, len(text)))
    return _listed(list(dict.fromkeys(each for each in found if each != text)))


def _s2cell(longitude: float, latitude: float, level: int) -> str:
    if not 0 <= level <= 30:
        raise shapes.Invalid("a level from 0 to 30")
    found: str = s2geometry.S2CellId(shapes.place(longitude, latitude)).parent(level).ToToken()
    return found


def _cell(token: str) -> Any:
    if not 1 <= len(token) <= 16:
        raise shapes.Invalid("a token of 1 to 16 characters")
    found = s2geometry.S2CellId.FromToken(token)
    if not found.is_valid():
        raise shapes.Invalid("no S2 cell")
    return found


def _s2cell_center(token: str) -> str:
    return shapes.point_json(_cell(token).ToPoint())


def _s2cell_polygon(token: str) -> str:
    cell = s2geometry.S2Cell(_cell(token))
    ring = [list(shapes.degrees(cell.GetVertex(corner))) for corner in (0, 1, 2, 3, 0)]
    return shapes.written("Polygon", [ring])


def _s2cell_neighbors(token: str) -> str:
    cell = _cell(token)
    return _listed(list(dict.fromkeys(each.ToToken() for each in cell.GetAllNeighbors(cell.level()))))


def _h3cell(longitude: float, latitude: float, resolution: int) -> str:
    x, y = shapes.position(longitude, latitude)
    found: str = h3.latlng_to_cell(y, x, resolution)
    return found


def _hexagon(token: str) -> str:
    if not h3.is_valid_cell(token):
        raise shapes.Invalid("no H3 cell")
    return token


def _h3cell_center(token: str) -> str:
    y, x = h3.cell_to_latlng(_hexagon(token))
    return shapes.written("Point", [x, y])


def _h3cell_polygon(token: str) -> str:
    ring = [[x, y] for y, x in h3.cell_to_boundary(_hexagon(token))]
    return shapes.written("Polygon", [[*ring, ring[0]]])


def _h3cell_neighbors(token: str) -> str:
    return _listed(_ring(_hexagon(token), 1))


def _ring(token: str, distance: int) -> list[str]:
    found = h3.grid_ring(token, distance)
    return [*found[1:], *found[:1]]


def _h3cell_rings(token: str, distance: int) -> str:
    if not 0 <= distance <= MOST_RINGS:
        raise shapes.Invalid("a distance from 0 to 142")
    return _listed([_ring(_hexagon(token), each) for each in range(distance + 1)])


# -1 stands for a resolution that the call leaves out.
def _h3cell_children(token: str, resolution: int) -> str:
    level = h3.get_resolution(_hexagon(token))
    wanted = level + 1 if resolution == -1 else resolution
    if wanted - level > MOST_LEVELS:
        raise shapes.Invalid("children of more than 5 levels below")
    return _listed(sorted(h3.cell_to_children(token, wanted)))


def _h3cell_parent(token: str, resolution: int) -> str:
    found: str = h3.cell_to_parent(_hexagon(token), None if resolution == -1 else resolution)
    return found


computed = shapes.guarded(
    {
        "geo_from_wkt": lambda text: _listed(shapes.plain(shapes.geojson(text))),
        "geo_point_to_geohash": _geohash,
        "geo_geohash_to_central_point": _geohash_center,
        "geo_geohash_to_polygon": _geohash_polygon,
        "geo_geohash_neighbors": _geohash_neighbors,
        "geo_point_to_s2cell": _s2cell,
        "geo_s2cell_to_central_point": _s2cell_center,
        "geo_s2cell_to_polygon": _s2cell_polygon,
        "geo_s2cell_neighbors": _s2cell_neighbors,
        "geo_point_to_h3cell": _h3cell,
        "geo_h3cell_to_central_point": _h3cell_center,
        "geo_h3cell_to_polygon": _h3cell_polygon,
        "geo_h3cell_neighbors": _h3cell_neighbors,
        "geo_h3cell_children": _h3cell_children,
        "geo_h3cell_level": lambda token: h3.get_resolution(_hexagon(token)),
        "geo_h3cell_parent": _h3cell_parent,
        "geo_h3cell_rings": _h3cell_rings,
    }
)
