"""Bloom filters of terms beside each Parquet file, by row group and column.

``text_forms`` gives the forms of a text that a hunt may compare, ``term_hash`` the hashes of their
terms, ``bloom`` a filter of hashes, ``index`` the file of all filters.
"""
