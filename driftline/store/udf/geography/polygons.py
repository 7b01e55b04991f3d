"""Polygons: area, points in them, intersections, unions, and the cells that cover them."""

from __future__ import annotations

import json
from typing import Any

import h3
import s2geometry
import spherely

from driftline.store.udf.geography import lines, paths, points, shapes

__all__ = ["cells", "computed"]


def _shape(text: str) -> Any:
    return shapes.polygons_shape(shapes.polygon(text))


def _line(text: str) -> Any:
    return shapes.lines_shape(shapes.line(text))


def _s2(rings: list[list[shapes.Position]]) -> Any:
    """Return a polygon of s2geometry."""
    loops = []
    for ring in rings:
        loop = s2geometry.S2Loop()
        loop.Init([shapes.place(*each) for each in ring[:-1]])
        if not loop.IsValid():
            raise shapes.Invalid("a ring that crosses itself")
        loop.Normalize()
        loops.append(loop)
    made = s2geometry.S2Polygon()
    made.InitNested(loops)
    return made


def _distance(longitude: float, latitude: float, text: str) -> float:
    return float(spherely.distance(shapes.point(longitude, latitude), _shape(text)))


def _closest(longitude: float, latitude: float, text: str) -> str:
    here = shapes.place(longitude, latitude)
    found = [_s2(rings).Project(here) for rings in shapes.polygon(text)]
    return shapes.point_json(min(found, key=lambda each: shapes.distance_angle(each, here)))


def _contains(longitude: float, latitude: float, text: str) -> bool:
    return bool(spherely.contains(_shape(text), shapes.point(longitude, latitude)))


def _buffer(text: str, radius: float, tolerance: float) -> str:
    operation, made = points.buffer_operation(radius, tolerance)
    for rings in shapes.polygon(text):
        operation.AddPolygon(_s2(rings))
    operation.Build()
    return points.buffer_polygon(made)


def _densify(text: str, tolerance: float, preserve: bool) -> str:
    return _written([[paths.densified(r, tolerance, preserve) for r in rings] for rings in shapes.polygon(text)])


def _simplify(text: str, tolerance: float) -> str:
    made = [_coarser(rings, tolerance) for rings in shapes.polygon(text)]
    kept = [rings for rings in made if rings]
    if not kept:
        raise shapes.Invalid("nothing is left")
    return _written(kept)


# A ring with fewer than three corners disappears, and with the shell the whole polygon.
def _coarser(rings: list[list[shapes.Position]], tolerance: float) -> list[list[shapes.Position]]:
    made = [paths.simplified(ring, tolerance) for ring in rings]
    return [ring for ring in made if len(ring) > 3] if len(made[0]) > 3 else []


def _written(polygons: list[list[list[shapes.Position]]]) -> str:
    return shapes.written("Polygon", polygons[0]) if len(polygons) == 1 else shapes.written("MultiPolygon", polygons)


def cells(text: str, level: int) -> str:
    """Return the tokens of the S2 cells of a level that cover a polygon."""
    return paths.covering([_s2(rings) for rings in shapes.polygon(text)], level)


def _hexagons(text: str, resolution: int) -> str:
    found: set[str] = set()
    for rings in shapes.polygon(text):
        turned = [[(y, x) for x, y in ring] for ring in rings]
        shape = h3.LatLngPoly(turned[0], *turned[1:])
        if spherely.area(shapes.polygons_shape([rings])) / h3.average_hexagon_area(resolution, unit="m^2") > MOST_CELLS:
            raise shapes.Invalid("too many cells")
        found.update(h3.h3shape_to_cells_experimental(shape, resolution, "overlap"))
    return json.dumps(sorted(found), separators=(",", ":"))


MOST_CELLS = 65_536


def _intersection(one: Any, other: Any) -> str:
    return shapes.shape_json(spherely.intersection(one, other))


computed = shapes.guarded(
    {
        "geo_distance_point_to_polygon": _distance,
        "geo_closest_point_on_polygon": _closest,
        "geo_point_in_polygon": _contains,
        "geo_polygon_area": lambda text: float(spherely.area(_shape(text))),
        "geo_polygon_buffer": _buffer,
        "geo_polygon_centroid": lambda text: shapes.shape_json(spherely.centroid(_shape(text))),
        "geo_polygon_densify": _densify,
        "geo_polygon_perimeter": lambda text: float(spherely.perimeter(_shape(text))),
        "geo_polygon_simplify": _simplify,
        "geo_polygon_to_s2cells": cells,
        "geo_polygon_to_h3cells": _hexagons,
        "geo_simplify_polygons_array": lambda texts, tolerance: _simplify(
            lines.united(shapes.collected(texts), _shape), tolerance
        ),
        "geo_intersects_2polygons": lambda one, other: bool(spherely.intersects(_shape(one), _shape(other))),
        "geo_intersects_line_with_polygon": lambda one, other: bool(spherely.intersects(_line(one), _shape(other))),
        "geo_intersection_2polygons": lambda one, other: _intersection(_shape(one), _shape(other)),
        "geo_intersection_line_with_polygon": lambda one, other: _intersection(_line(one), _shape(other)),
        "geo_union_polygons_array": lambda texts: lines.united(shapes.collected(texts), _shape),
    }
)
