"""Functions of Kusto that a query may not call, each with the reason."""

from __future__ import annotations

from driftline.kql.functions.row import refused, rows

__all__ = ["REFUSED_ROWS"]

SERVICE = "it describes a Kusto cluster"
DEVICE = "it reads Defender's own device inventory"
LATER = "it is not implemented"

REFUSED_ROWS = rows(
    [
        *refused(
            SERVICE,
            """current_principal current_principal_details current_principal_is_member_of current_database
            current_cluster_endpoint extent_id extent_tags cursor_after cursor_before_or_at cursor_current""",
        ),
        *refused("it is a table function; write '| invoke FileProfile(SHA256)'", "FileProfile"),
        *refused(DEVICE, "DeviceFromIP AssignedIPAddresses SeenBy"),
        *refused("Kusto's combination of hashes is not published", "hash_many hash_combine"),
        *refused("decimals are not supported", "todecimal decimal"),
        *refused(
            LATER,
            """series_fit_2lines series_fit_2lines_dynamic series_seasonal percentiles_array_tdigest
            percentile_array_tdigest rank_tdigest stdev_weighted datetime_list_timezones""",
        ),
    ]
)
