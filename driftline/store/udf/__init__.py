"""SQL functions written in Python, registered with DuckDB for hunts (``registration``)."""
