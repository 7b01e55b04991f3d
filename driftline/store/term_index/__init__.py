"""Bloom filters of terms beside each Parquet file, by row group and column."""
