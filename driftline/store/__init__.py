"""The event store; the only importer of DuckDB.

``writer`` hands rows to the store's own process (``service``), ``reader`` asks for them. Nothing
is imported here: the sensor writes without DuckDB and Arrow in its memory.
"""
