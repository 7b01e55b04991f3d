"""Lines: length, places on them, intersections, and finer or coarser ones."""

from __future__ import annotations

import itertools
from typing import Any

import s2geometry
import spherely

from driftline.store.udf.geography import paths, points, shapes

__all__ = ["computed", "united"]


def _shape(text: str) -> Any:
    return shapes.lines_shape(shapes.line(text))


def _single(text: str) -> Any:
    """Return a LineString as a line of s2geometry."""
    _, chain = shapes.geometry(text, "LineString")
    return _polyline(chain)


def _polyline(chain: list[shapes.Position]) -> Any:
    made = s2geometry.S2Polyline()
    made.InitFromS2LatLngs([s2geometry.S2LatLng.FromDegrees(y, x) for x, y in chain])
    if not made.IsValid():
        raise shapes.Invalid("an edge of 180 degrees")
    return made


def _distance(longitude: float, latitude: float, text: str) -> float:
    return float(spherely.distance(shapes.point(longitude, latitude), _shape(text)))


def _closest(longitude: float, latitude: float, text: str) -> str:
    here = shapes.place(longitude, latitude)
    found = [_polyline(chain).Project(here)[0] for chain in shapes.line(text)]
    return shapes.point_json(min(found, key=lambda each: shapes.distance_angle(each, here)))


def _buffer(text: str, radius: float, tolerance: float) -> str:
    edges = [pair for chain in shapes.line(text) for pair in itertools.pairwise(chain)]
    made = points.sampled_edge(*edges[0], radius, tolerance)
    for edge in edges[1:]:
        made = spherely.union(made, points.sampled_edge(*edge, radius, tolerance))
    return shapes.shape_json(made)


def _densify(text: str, tolerance: float, preserve: bool) -> str:
    return _rewritten(text, lambda chain: paths.densified(chain, tolerance, preserve))


def _simplify(text: str, tolerance: float) -> str:
    made = [paths.simplified(chain, tolerance) for chain in shapes.line(text)]
    kept = [chain for chain in made if any(_apart(chain[0], each, tolerance) for each in chain[1:])]
    if not kept:
        raise shapes.Invalid("nothing is left")
    return _written(kept)


def _apart(one: shapes.Position, other: shapes.Position, tolerance: float) -> bool:
    return shapes.meters(shapes.distance_angle(shapes.place(*one), shapes.place(*other))) > tolerance


def _rewritten(text: str, change: Any) -> str:
    return _written([change(chain) for chain in shapes.line(text)])


def _written(lines: list[list[shapes.Position]]) -> str:
    return shapes.written("LineString", lines[0]) if len(lines) == 1 else shapes.written("MultiLineString", lines)


def _interpolate(text: str, fraction: float) -> str:
    if not 0 <= fraction <= 1:
        raise shapes.Invalid("a fraction from 0 to 1")
    return shapes.point_json(_single(text).Interpolate(fraction))


def _locate(text: str, longitude: float, latitude: float) -> float:
    made = _single(text)
    here, after = made.Project(shapes.place(longitude, latitude))
    return float(made.UnInterpolate(here, after))


def _cells(text: str, level: int, radius: float) -> str:
    if radius < 0:
        raise shapes.Invalid("a radius of 0 or more")
    if radius == 0:
        return paths.covering([_polyline(chain) for chain in shapes.line(text)], level)
    from driftline.store.udf.geography import polygons  # noqa: PLC0415 -- a circle: polygons need lines

    return polygons.cells(_buffer(text, radius, max(radius / 100, 0.1)), level)


def united(texts: list[str], shape: Any) -> str:
    """Return the union of shapes of one kind."""
    made = shape(texts[0])
    for each in texts[1:]:
        made = spherely.union(made, shape(each))
    return shapes.shape_json(made)


computed = shapes.guarded(
    {
        "geo_distance_point_to_line": _distance,
        "geo_closest_point_on_line": _closest,
        "geo_line_buffer": _buffer,
        "geo_line_centroid": lambda text: shapes.shape_json(spherely.centroid(_shape(text))),
        "geo_line_densify": _densify,
        "geo_line_interpolate_point": _interpolate,
        "geo_line_length": lambda text: float(spherely.length(_shape(text))),
        "geo_line_locate_point": _locate,
        "geo_line_simplify": _simplify,
        "geo_line_to_s2cells": _cells,
        "geo_intersects_2lines": lambda one, other: bool(spherely.intersects(_shape(one), _shape(other))),
        "geo_intersection_2lines": lambda one, other: shapes.shape_json(
            spherely.intersection(_shape(one), _shape(other))
        ),
        "geo_union_lines_array": lambda texts: united(shapes.collected(texts), _shape),
    }
)
