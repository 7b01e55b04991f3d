"""Chains of points, of which lines and rings are made: finer ones, coarser ones, and the cells that cover shapes."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import s2geometry

from driftline.store.udf.geography import shapes

__all__ = ["covering", "densified", "simplified"]

MOST_POINTS = 1 << 17  # of one finer chain
MOST_CELLS = 65_536  # Kusto's limit of tokens of one shape
LONGEST_SIDE = 7_800_000  # meters of the largest tolerance
# The two points between which the planar and the geodesic edge differ most, and the share of that difference that they
# show: s2edge_tessellator.cc of the S2 library.
FRACTION = 0.31215691082248312
SCALE = 0.83829992569888509


def densified(chain: list[shapes.Position], tolerance: float, preserve: bool) -> list[shapes.Position]:
    """Return a chain with points between, so that geodesic edges are within ``tolerance`` meters of planar ones."""
    if not 0.1 <= tolerance <= 10_000:
        raise shapes.Invalid("a tolerance from 0.1 to 10000 meters")
    found = [chain[0]]
    for start, end in itertools.pairwise(chain):
        near = end if preserve else (end[0] + 360 * round((start[0] - end[0]) / 360), end[1])
        _split(start, near, SCALE * shapes.radians(tolerance), found)
        found[-1] = end
    return found


def _split(start: shapes.Position, end: shapes.Position, most: float, found: list[shapes.Position]) -> None:
    stack = [(start, end)]
    while stack:
        a, b = stack.pop()
        if len(found) > MOST_POINTS:
            raise shapes.Invalid("a chain of too many points")
        middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
        if _error(a, b) <= most or middle in (a, b):
            found.append(_wrapped(b))
        else:
            stack += [(middle, b), (a, middle)]


def _error(a: shapes.Position, b: shapes.Position) -> float:
    one, other = (shapes.place(*_wrapped(each)) for each in (a, b))
    return max(_difference(a, b, one, other, each) for each in (FRACTION, 1 - FRACTION))


def _difference(a: shapes.Position, b: shapes.Position, one: Any, other: Any, share: float) -> float:
    planar = shapes.place(*_wrapped((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))))
    return shapes.distance_angle(s2geometry.Interpolate(one, other, share), planar)


def _wrapped(at: shapes.Position) -> shapes.Position:
    longitude = at[0] if -180 <= at[0] <= 180 else math.remainder(at[0], 360)
    return longitude, at[1]


def simplified(chain: list[shapes.Position], tolerance: float) -> list[shapes.Position]:
    """Return the first and last point of a chain, and those between that are farther than ``tolerance`` meters."""
    if not 0 <= tolerance < LONGEST_SIDE:
        raise shapes.Invalid("a tolerance of less than 7,800,000 meters")
    if tolerance == 0:
        return list(chain)
    found, at = [chain[0]], 0
    while at < len(chain) - 1:
        at = _farthest(chain, at, tolerance)
        found.append(chain[at])
    return found


# The last point to which one edge from ``start`` keeps all points between within the tolerance.
def _farthest(chain: list[shapes.Position], start: int, tolerance: float) -> int:
    best = start + 1
    for end in range(start + 2, len(chain)):
        edge = _polyline([chain[start], chain[end]]) if chain[start] != chain[end] else None
        between = chain[start + 1 : end]
        if edge is None or any(_off(edge, each) > tolerance for each in between):
            break
        best = end
    return best


def _off(edge: Any, at: shapes.Position) -> float:
    here = shapes.place(*at)
    return shapes.meters(shapes.distance_angle(edge.Project(here)[0], here))


def _polyline(chain: list[shapes.Position]) -> Any:
    made = s2geometry.S2Polyline()
    made.InitFromS2LatLngs([s2geometry.S2LatLng.FromDegrees(y, x) for x, y in chain])
    return made


def covering(regions: list[Any], level: int) -> str:
    """Return the tokens of the cells of one level that cover regions of s2geometry, sorted by place."""
    if not 0 <= level <= 30:
        raise shapes.Invalid("a level from 0 to 30")
    area = sum(region.GetArea() if hasattr(region, "GetArea") else 0.0 for region in regions)
    if area / s2geometry.S2Cell.AverageArea(level) > MOST_CELLS:
        raise shapes.Invalid("too many cells")
    coverer = s2geometry.S2RegionCoverer()
    coverer.set_fixed_level(level)
    coverer.set_max_cells(MOST_CELLS)
    found = {cell.id(): cell.ToToken() for region in regions for cell in coverer.GetCovering(region)}
    if len(found) > MOST_CELLS:
        raise shapes.Invalid("too many cells")
    return json.dumps([found[each] for each in sorted(found)], separators=(",", ":"))
