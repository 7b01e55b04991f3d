"""Queries over a store: row queries and hunts, their limits, views, sandbox and results.

``row_query`` filters the rows of one table. ``hunt_store`` runs KQL over a store's tables,
``hunt_tables`` over tables of the caller. ``messages`` lists all requests.
"""
