"""Geography on a sphere of 6,371,010 m: points, lines and polygons as GeoJSON, and grids of cells.

``driftline.store.udf.geography`` computes them for DuckDB. ClickHouse has functions of its own for points and for the
cells of geohash and H3; it refuses the others. An invalid coordinate or shape gives null, an invalid cell an empty
string. https://learn.microsoft.com/kusto/query/geo-functions
"""

from __future__ import annotations

from driftline.kql.functions.row import Function, rows

__all__ = ["GEOGRAPHY"]

POINT = "concat('{{\"type\":\"Point\",\"coordinates\":[', toString({x}), ',', toString({y}), ']}}')"
VALID = "abs({x}) <= 180 AND abs({y}) <= 90"
CLICK_GEOHASH = f"""
    if(
        {VALID.format(x="_0", y="_1")} AND _2 BETWEEN 1 AND 12,
        geohashEncode(_0, _1, toUInt8(ifNull(_2, 1))),
        ''
    )"""
CLICK_H3CELL = f"""
    if(
        {VALID.format(x="_0", y="_1")} AND _2 BETWEEN 0 AND 15,
        h3ToString(geoToH3(_1, _0, toUInt8(ifNull(_2, 0)))),
        ''
    )"""
# A token of another form stops ClickHouse's query, so that an arbitrary cell takes its place.
TOKEN = "stringToH3(if(match(_0, '^[0-9a-fA-F]{15,16}$'), _0, '8009fffffffffff'))"  # noqa: S105 -- a token of a cell
CELL = "match(_0, '^[0-9a-fA-F]{15,16}$')"
CLICK_LEVEL = f"if({CELL} AND h3IsValid({TOKEN}), toInt32(h3GetResolution({TOKEN})), NULL)"
HASH = "match(_0, '^[0-9b-hjkmnp-zB-HJKMNP-Z]{1,12}$')"
CENTER = POINT.format(x="tupleElement(geohashDecode(_0), 1)", y="tupleElement(geohashDecode(_0), 2)")
LARGE = 64.0  # times that a result may be longer than the shape


def computed(
    name: str,
    types: str,
    result: str,
    doc: str,
    *,
    clickhouse: str | None = None,
    defaults: tuple[object, ...] = (),
    growth: float = LARGE,
) -> Function:
    """Return the row of a function that has the same name in DuckDB."""
    kinds = [kind.rstrip("?") for kind in types.split()]
    given = ", ".join(f"CAST(_{at} AS VARCHAR)" if kind == "dynamic" else f"_{at}" for at, kind in enumerate(kinds))
    call = f"{name}({given})"
    forms = {"dynamic": f"CAST({call} AS JSON)", "string": f"coalesce({call}, '')"}
    return Function(
        name,
        types,
        result,
        duckdb=forms.get(result, call),
        clickhouse=clickhouse,
        only_on="" if clickhouse else "duckdb",
        defaults=defaults,
        growth=growth,
        doc=doc,
    )


GEOGRAPHY = rows(
    [
        Function(
            "geo_distance_2points",
            "real real real real",
            "real",
            duckdb=(
                """
                    CASE
                    WHEN abs(_0) <= 180 AND abs(_1) <= 90 AND abs(_2) <= 180 AND abs(_3) <= 90
                        THEN 2 * 6371010 * asin(
                            sqrt(
                                least(
                                    1,
                                    pow(sin(radians(_3 - _1) / 2), 2) + cos(radians(_1)) * cos(radians(_3))
                                    * pow(sin(radians(_2 - _0) / 2), 2)
                                )
                            )
                        )
                    END"""
            ),
            clickhouse=(
                """
                    if(
                        abs(_0) <= 180 AND abs(_1) <= 90 AND abs(_2) <= 180 AND abs(_3) <= 90,
                        2 * 6371010 * asin(
                            sqrt(
                                least(
                                    1,
                                    pow(sin(radians(_3 - _1) / 2), 2) + cos(radians(_1)) * cos(radians(_3))
                                    * pow(sin(radians(_2 - _0) / 2), 2)
                                )
                            )
                        ),
                        NULL
                    )"""
            ),
            doc="Return the distance in meters between two points (longitude, latitude) on a sphere.",
        ),
        Function(
            "geo_point_in_circle",
            "real real real real real",
            "bool",
            doc="Return true if a point is within a radius in meters of another point.",
        ),
        computed(
            "geo_angle",
            "real real real real real real",
            "real",
            "Return the clockwise angle in radians at the second point, from the first to the third.",
        ),
        computed(
            "geo_azimuth",
            "real real real real",
            "real",
            "Return the angle in radians from north clockwise to the line from the first point to the second.",
        ),
        computed(
            "geo_point_buffer",
            "real real real real?",
            "dynamic",
            "Return the polygon of the points within a radius in meters of a point.",
            defaults=(10.0,),
        ),
        computed(
            "geo_distance_point_to_line",
            "real real dynamic",
            "real",
            "Return the distance in meters of a point from a line.",
        ),
        computed(
            "geo_closest_point_on_line",
            "real real dynamic",
            "dynamic",
            "Return the point of a line that is closest to a point.",
        ),
        computed(
            "geo_line_buffer",
            "dynamic real real?",
            "dynamic",
            "Return the polygon of the points within a radius in meters of a line.",
            defaults=(10.0,),
        ),
        computed("geo_line_centroid", "dynamic", "dynamic", "Return the central point of a line."),
        computed(
            "geo_line_densify",
            "dynamic real? bool?",
            "dynamic",
            "Return a line with points between, so that its edges follow the straight lines of a map.",
            defaults=(10.0, False),
        ),
        computed(
            "geo_line_interpolate_point",
            "dynamic real",
            "dynamic",
            "Return the point at a fraction of a line's length.",
        ),
        computed("geo_line_length", "dynamic", "real", "Return the length of a line in meters."),
        computed(
            "geo_line_locate_point",
            "dynamic real real",
            "real",
            "Return the fraction of a line's length at which it is closest to a point.",
        ),
        computed(
            "geo_line_simplify",
            "dynamic real?",
            "dynamic",
            "Return a line without the points that are within a distance in meters of the simpler line.",
            defaults=(10.0,),
        ),
        computed(
            "geo_line_to_s2cells",
            "dynamic long? real?",
            "dynamic",
            "Return the S2 cells of a level that cover a line, or the points within a radius of it.",
            defaults=(11, 0.0),
        ),
        computed(
            "geo_intersects_2lines", "dynamic dynamic", "bool", "Return true if two lines have a point in common."
        ),
        computed(
            "geo_intersection_2lines", "dynamic dynamic", "dynamic", "Return the points that two lines have in common."
        ),
        computed("geo_union_lines_array", "dynamic", "dynamic", "Return the union of an array of lines."),
        computed(
            "geo_distance_point_to_polygon",
            "real real dynamic",
            "real",
            "Return the distance in meters of a point from a polygon; 0 within it.",
        ),
        computed(
            "geo_closest_point_on_polygon",
            "real real dynamic",
            "dynamic",
            "Return the point of a polygon that is closest to a point.",
        ),
        computed("geo_point_in_polygon", "real real dynamic", "bool", "Return true if a point is within a polygon."),
        computed("geo_polygon_area", "dynamic", "real", "Return the area of a polygon in square meters."),
        computed(
            "geo_polygon_buffer",
            "dynamic real real?",
            "dynamic",
            "Return the polygon of the points within a radius in meters of a polygon.",
            defaults=(10.0,),
        ),
        computed("geo_polygon_centroid", "dynamic", "dynamic", "Return the central point of a polygon."),
        computed(
            "geo_polygon_densify",
            "dynamic real? bool?",
            "dynamic",
            "Return a polygon with points between, so that its edges follow the straight lines of a map.",
            defaults=(10.0, False),
        ),
        computed("geo_polygon_perimeter", "dynamic", "real", "Return the length of a polygon's boundary in meters."),
        computed(
            "geo_polygon_simplify",
            "dynamic real?",
            "dynamic",
            "Return a polygon without the points that are within a distance in meters of the simpler one.",
            defaults=(10.0,),
        ),
        computed(
            "geo_polygon_to_s2cells",
            "dynamic long?",
            "dynamic",
            "Return the S2 cells of a level that cover a polygon.",
            defaults=(11,),
        ),
        computed(
            "geo_polygon_to_h3cells",
            "dynamic long?",
            "dynamic",
            "Return the H3 cells of a resolution that cover a polygon.",
            defaults=(6,),
        ),
        computed(
            "geo_simplify_polygons_array",
            "dynamic real?",
            "dynamic",
            "Return the union of an array of polygons without the points that are near the simpler one.",
            defaults=(10.0,),
        ),
        computed(
            "geo_intersects_2polygons", "dynamic dynamic", "bool", "Return true if two polygons have a point in common."
        ),
        computed(
            "geo_intersects_line_with_polygon",
            "dynamic dynamic",
            "bool",
            "Return true if a line and a polygon have a point in common.",
        ),
        computed(
            "geo_intersection_2polygons",
            "dynamic dynamic",
            "dynamic",
            "Return the points that two polygons have in common.",
        ),
        computed(
            "geo_intersection_line_with_polygon",
            "dynamic dynamic",
            "dynamic",
            "Return the points that a line and a polygon have in common.",
        ),
        computed("geo_union_polygons_array", "dynamic", "dynamic", "Return the union of an array of polygons."),
        computed("geo_from_wkt", "string", "dynamic", "Return a shape in Well-Known Text as GeoJSON."),
        Function(
            "geo_info_from_ip_address",
            "string",
            "dynamic",
            duckdb="CAST(place_of_address(_0) AS JSON)",
            only_on="duckdb",
            growth=LARGE,
            doc="Return country, state, city and coordinates of an address, by the file that `DRIFTLINE_GEOIP` names.",
        ),
        computed(
            "geo_point_to_geohash",
            "real real long?",
            "string",
            "Return the geohash of a point, of 1 to 18 letters (ClickHouse: 12).",
            defaults=(5,),
            clickhouse=CLICK_GEOHASH,
        ),
        computed(
            "geo_geohash_to_central_point",
            "string",
            "dynamic",
            "Return the central point of a geohash.",
            clickhouse=f"if({HASH}, {CENTER}, NULL)",
        ),
        computed("geo_geohash_to_polygon", "string", "dynamic", "Return the rectangle of a geohash."),
        computed("geo_geohash_neighbors", "string", "dynamic", "Return the geohashes around a geohash."),
        computed(
            "geo_point_to_s2cell",
            "real real long?",
            "string",
            "Return the token of the S2 cell of a point, of a level from 0 to 30.",
            defaults=(11,),
        ),
        computed("geo_s2cell_to_central_point", "string", "dynamic", "Return the central point of an S2 cell."),
        computed("geo_s2cell_to_polygon", "string", "dynamic", "Return the polygon of an S2 cell."),
        computed("geo_s2cell_neighbors", "string", "dynamic", "Return the S2 cells around an S2 cell."),
        computed(
            "geo_point_to_h3cell",
            "real real long?",
            "string",
            "Return the token of the H3 cell of a point, of a resolution from 0 to 15.",
            defaults=(6,),
            clickhouse=CLICK_H3CELL,
        ),
        computed("geo_h3cell_to_central_point", "string", "dynamic", "Return the central point of an H3 cell."),
        computed("geo_h3cell_to_polygon", "string", "dynamic", "Return the hexagon of an H3 cell."),
        computed("geo_h3cell_neighbors", "string", "dynamic", "Return the H3 cells around an H3 cell."),
        computed(
            "geo_h3cell_children",
            "string long?",
            "dynamic",
            "Return the H3 cells of a finer resolution within an H3 cell.",
            defaults=(-1,),
        ),
        computed(
            "geo_h3cell_level",
            "string",
            "int",
            "Return the resolution of an H3 cell.",
            clickhouse=CLICK_LEVEL,
        ),
        computed(
            "geo_h3cell_parent",
            "string long?",
            "string",
            "Return the H3 cell of a coarser resolution around an H3 cell.",
            defaults=(-1,),
        ),
        computed(
            "geo_h3cell_rings",
            "string long",
            "dynamic",
            "Return the H3 cells around an H3 cell, an array for each distance.",
        ),
    ]
)
