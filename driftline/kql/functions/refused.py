"""Functions that hunts refuse by name, each with its reason."""

from __future__ import annotations

__all__ = ["REFUSED"]

GEOGRAPHY = "geography; hunting tables hold no coordinates"
SERVICE = "it asks a Kusto cluster about itself"
DEVICE = "it asks Defender's own device inventory"
COMPRESSED = "neither engine unpacks compressed data in a query"
LATER = "driftline has not got it yet"

REASONS = {
    GEOGRAPHY: """geo_distance_2points geo_distance_point_to_line geo_distance_point_to_polygon geo_point_in_polygon
        geo_point_in_circle geo_point_to_geohash geo_point_to_s2cell geo_point_to_h3cell geo_geohash_to_central_point
        geo_info_from_ip_address geo_intersects_2lines geo_line_length geo_polygon_area geo_point_buffer""",
    SERVICE: """current_principal current_principal_details current_principal_is_member_of current_database
        current_cluster_endpoint ingestion_time extent_id extent_tags cursor_after cursor_before_or_at cursor_current
        estimate_data_size""",
    "it takes rows; write '| invoke FileProfile(SHA256)'": "FileProfile",
    DEVICE: "DeviceFromIP AssignedIPAddresses SeenBy",
    COMPRESSED: """zlib_compress_to_base64_string zlib_decompress_from_base64_string gzip_compress_to_base64_string
        gzip_decompress_from_base64_string""",
    "its table of browsers is Kusto's own": "parse_user_agent",
    "Kusto publishes neither its digest's format nor its seed": "hash hash_many hash_combine",
    "its result is a decimal, which hunts have not": "todecimal decimal",
    LATER: """series_fit_2lines series_fit_2lines_dynamic series_fit_poly series_fft series_ifft series_periods_detect
        series_periods_validate series_seasonal ipv4_range_to_cidr_list
        buildschema percentiles_array_tdigest percentile_array_tdigest rank_tdigest
        stdev_weighted punycode_to_string punycode_from_string punycode_domain_to_string punycode_domain_from_string
        welch_test treepath hash_xxhash64 bin_auto replace_strings make_string erf erfc
        beta_cdf beta_inv beta_pdf covariance covarianceif covariancep covariancepif convert_angle convert_energy
        convert_force convert_length convert_mass convert_speed convert_temperature convert_volume
        base64_decode_toguid base64_encode_fromguid datetime_list_timezones assert""",
}
REFUSED = {name: reason for reason, names in REASONS.items() for name in names.split()}
"""Function -> why it is refused."""
