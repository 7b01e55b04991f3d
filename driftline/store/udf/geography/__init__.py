"""Geography of the Kusto reference: points, lines and polygons on a sphere, and grids of cells.

Kusto computes on a sphere of 6,371,010 m with geodesic edges, by the S2 library; spherely and s2geometry are that
library (https://learn.microsoft.com/kusto/query/geo-functions). Shapes are GeoJSON texts (RFC 7946), coordinates
degrees of longitude and latitude. A function returns None, Kusto's null, for an argument that is invalid.

The modules are loaded at the first call, because few hunts need them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from duckdb.sqltypes import BIGINT, BOOLEAN, DOUBLE, VARCHAR, DuckDBPyType

__all__ = ["FUNCTIONS"]

D, T, N = DOUBLE, VARCHAR, BIGINT
SIGNATURES: dict[str, dict[str, tuple[list[DuckDBPyType], DuckDBPyType]]] = {
    "points": {
        "geo_angle": ([D] * 6, D),
        "geo_azimuth": ([D] * 4, D),
        "geo_point_buffer": ([D] * 4, T),
    },
    "lines": {
        "geo_distance_point_to_line": ([D, D, T], D),
        "geo_closest_point_on_line": ([D, D, T], T),
        "geo_line_buffer": ([T, D, D], T),
        "geo_line_centroid": ([T], T),
        "geo_line_densify": ([T, D, BOOLEAN], T),
        "geo_line_interpolate_point": ([T, D], T),
        "geo_line_length": ([T], D),
        "geo_line_locate_point": ([T, D, D], D),
        "geo_line_simplify": ([T, D], T),
        "geo_line_to_s2cells": ([T, N, D], T),
        "geo_intersects_2lines": ([T, T], BOOLEAN),
        "geo_intersection_2lines": ([T, T], T),
        "geo_union_lines_array": ([T], T),
    },
    "polygons": {
        "geo_distance_point_to_polygon": ([D, D, T], D),
        "geo_closest_point_on_polygon": ([D, D, T], T),
        "geo_point_in_polygon": ([D, D, T], BOOLEAN),
        "geo_polygon_area": ([T], D),
        "geo_polygon_buffer": ([T, D, D], T),
        "geo_polygon_centroid": ([T], T),
        "geo_polygon_densify": ([T, D, BOOLEAN], T),
        "geo_polygon_perimeter": ([T], D),
        "geo_polygon_simplify": ([T, D], T),
        "geo_polygon_to_s2cells": ([T, N], T),
        "geo_polygon_to_h3cells": ([T, N], T),
        "geo_simplify_polygons_array": ([T, D], T),
        "geo_intersects_2polygons": ([T, T], BOOLEAN),
        "geo_intersects_line_with_polygon": ([T, T], BOOLEAN),
        "geo_intersection_2polygons": ([T, T], T),
        "geo_intersection_line_with_polygon": ([T, T], T),
        "geo_union_polygons_array": ([T], T),
    },
    "grids": {
        "geo_from_wkt": ([T], T),
        "geo_point_to_geohash": ([D, D, N], T),
        "geo_geohash_to_central_point": ([T], T),
        "geo_geohash_to_polygon": ([T], T),
        "geo_geohash_neighbors": ([T], T),
        "geo_point_to_s2cell": ([D, D, N], T),
        "geo_s2cell_to_central_point": ([T], T),
        "geo_s2cell_to_polygon": ([T], T),
        "geo_s2cell_neighbors": ([T], T),
        "geo_point_to_h3cell": ([D, D, N], T),
        "geo_h3cell_to_central_point": ([T], T),
        "geo_h3cell_to_polygon": ([T], T),
        "geo_h3cell_neighbors": ([T], T),
        "geo_h3cell_children": ([T, N], T),
        "geo_h3cell_level": ([T], N),
        "geo_h3cell_parent": ([T, N], T),
        "geo_h3cell_rings": ([T, N], T),
    },
}


def _late(module: str, name: str, count: int) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        found = importlib.import_module(f"driftline.store.udf.geography.{module}")
        return found.computed(name, arguments)

    # DuckDB counts the parameters of a function.
    places = [inspect.Parameter(f"a{at}", inspect.Parameter.POSITIONAL_ONLY) for at in range(count)]
    call.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
    return call


FUNCTIONS = {
    name: (_late(module, name, len(parameters)), parameters, result)
    for module, table in SIGNATURES.items()
    for name, (parameters, result) in table.items()
}
"""SQL name -> function, types of its parameters, type of its result."""
