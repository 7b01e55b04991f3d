"""The request properties that ``set`` may name: without effect, used, or refused.

The names are Kusto's (https://learn.microsoft.com/kusto/api/rest/request-properties). A property that only steers
how Kusto works, or that driftline's own limits decide, has no effect. A property that would change the rows
of an answer is refused, as is an unknown name.
"""

from __future__ import annotations

from driftline.kql.text.problems import suggestion

__all__ = ["IGNORED", "REFUSED", "problem_of"]

IGNORED = frozenset(
    [
        "best_effort",
        "client_max_redirect_count",
        "deferpartialqueryfailures",
        "materialized_view_shuffle_query",
        "max_memory_consumption_per_query_per_node",
        "maxmemoryconsumptionperiterator",
        "maxoutputcolumns",
        "norequesttimeout",
        "notruncation",
        "push_selection_through_aggregation",
        "query_cursor_disabled",
        "query_datetimescope_column",
        "query_distribution_nodes_span",
        "query_fanout_nodes_percent",
        "query_fanout_threads_percent",
        "query_force_row_level_security",
        "query_log_query_parameters",
        "query_max_entities_in_union",
        "query_python_debug",
        "query_results_cache_force_refresh",
        "query_results_cache_max_age",
        "query_results_cache_per_shard",
        "query_results_progressive_row_count",
        "query_results_progressive_update_period",
        "query_weakconsistency_session_id",
        "queryconsistency",
        "querytrace",
        "request_app_name",
        "request_block_row_level_security",
        "request_callout_disabled",
        "request_description",
        "request_external_data_disabled",
        "request_external_table_disabled",
        "request_impersonation_disabled",
        "request_readonly",
        "request_remote_entities_disabled",
        "request_sandboxed_execution_disabled",
        "request_user",
        "results_progressive_enabled",
        "servertimeout",
        "truncation_max_records",
        "truncation_max_size",
        "truncationmaxrecords",
        "truncationmaxsize",
    ]
)
"""Accepted without effect: the limits of a hunt and the rights of its user are driftline's own."""

USED = frozenset(["query_bin_auto_at", "query_bin_auto_size"])
"""Read by 'bin_auto'; their values are expressions."""

REFUSED = {
    "query_cursor_after_default": "there are no cursors",
    "query_cursor_before_or_at_default": "there are no cursors",
    "query_cursor_current": "there are no cursors",
    "query_cursor_scoped_tables": "there are no cursors",
    "query_datascope": "all data is of one kind; give a condition on Timestamp",
    "query_datetimescope_from": "give a condition on Timestamp",
    "query_datetimescope_to": "give a condition on Timestamp",
    "query_language": "a hunt is written in KQL",
    "query_now": "give the time itself instead of 'now()'",
    "query_results_apply_getschema": "end the query with 'getschema'",
    "query_take_max_records": "end the query with 'take'",
    "validatepermissions": "it would run nothing",
}
"""Property that would change the answer -> what to do instead."""


def problem_of(name: str) -> str:
    """Return the problem with setting a property; the empty text if there is none. Names ignore case."""
    if name.lower() in IGNORED:
        return ""
    if instead := REFUSED.get(name.lower()):
        return f"not supported: the request property '{name}'; {instead}"
    return f"unknown request property '{name}'{suggestion(name, IGNORED | USED | REFUSED.keys())}"
