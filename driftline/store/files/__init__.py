"""The store on disk: a DuckDB file for the newest rows, Parquet files for earlier ones.

``database`` is the store's one entrance. ``cold`` moves rows to Parquet, ``batch_writer`` and
``dedup`` take rows of a fleet, each row once; ``housekeeping`` runs what is due.
"""
