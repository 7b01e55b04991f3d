"""The store on disk: DuckDB for the newest rows, Parquet for earlier days."""
