"""Points: angles between them, and circles around them."""

from __future__ import annotations

import math
from typing import Any

import s2geometry
import spherely

from driftline.store.udf.geography import shapes

__all__ = ["buffer_polygon", "computed", "sampled_edge"]

LEAST_FRACTION = 1e-6  # of the radius by which a buffer may differ from the ideal one, at least


def _azimuth(x1: float, y1: float, x2: float, y2: float) -> float:
    """Return the angle at the first point from north clockwise to the second, in radians."""
    one, other = shapes.place(x1, y1), shapes.place(x2, y2)
    if shapes.distance_angle(one, other) in {0.0, math.pi}:
        raise shapes.Invalid("equal or antipodal points")
    return _turned(_bearing((x1, y1), (x2, y2)))


def _angle(x1: float, y1: float, x2: float, y2: float, x3: float, y3: float) -> float:
    """Return the clockwise angle between the lines from the second point to the first and to the third."""
    return _turned(_azimuth(x2, y2, x3, y3) - _azimuth(x2, y2, x1, y1))


def _bearing(one: shapes.Position, other: shapes.Position) -> float:
    (x1, y1), (x2, y2) = (tuple(map(math.radians, each)) for each in (one, other))
    east = math.sin(x2 - x1) * math.cos(y2)
    north = math.cos(y1) * math.sin(y2) - math.sin(y1) * math.cos(y2) * math.cos(x2 - x1)
    return math.atan2(east, north)


def _turned(angle: float) -> float:
    return angle % (2 * math.pi)


def _point_buffer(longitude: float, latitude: float, radius: float, tolerance: float) -> str:
    """Return the polygon of the points within a radius in meters."""
    operation, made = buffer_operation(radius, tolerance)
    operation.AddPoint(shapes.place(longitude, latitude))
    operation.Build()
    return buffer_polygon(made)


def buffer_operation(radius: float, tolerance: float) -> tuple[Any, Any]:
    """Return an operation that buffers shapes, and the polygon into which it writes."""
    options = s2geometry.S2BufferOperationOptions()
    options.set_buffer_radius(s2geometry.S1Angle.Radians(shapes.radians(radius)))
    options.set_error_fraction(min(max(shapes.radians(tolerance) / shapes.radians(radius), LEAST_FRACTION), 1.0))
    made = s2geometry.S2Polygon()
    return s2geometry.S2BufferOperation(s2geometry.S2PolygonLayer(made), options), made


def buffer_polygon(made: Any) -> str:
    """Return a polygon of s2geometry as GeoJSON: a shell and its holes, or several."""
    found: list[list[list[shapes.Position]]] = []
    for number in range(made.num_loops()):
        loop = made.loop(number)
        ring = [shapes.degrees(loop.vertex(at)) for at in range(loop.num_vertices())]
        if loop.is_hole():
            found[-1].append([*ring[::-1], ring[-1]])
        else:
            found.append([[*ring, ring[0]]])
    return shapes.written("Polygon", found[0]) if len(found) == 1 else shapes.written("MultiPolygon", found)


def sampled_edge(start: shapes.Position, end: shapes.Position, radius: float, tolerance: float) -> Any:
    """Return the points within a radius of one edge, as a shape of spherely."""
    rounds: list[shapes.Position] = []
    for each in (start, end):
        operation, made = buffer_operation(radius, tolerance)
        operation.AddPoint(shapes.place(*each))
        operation.Build()
        loop = made.loop(0)
        rounds += [shapes.degrees(loop.vertex(at)) for at in range(loop.num_vertices())]
    return spherely.convex_hull(spherely.create_multipoint(rounds))


computed = shapes.guarded(
    {
        "geo_angle": _angle,
        "geo_azimuth": _azimuth,
        "geo_point_buffer": _point_buffer,
    }
)
