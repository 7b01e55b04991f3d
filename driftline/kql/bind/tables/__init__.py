"""Tabular expressions: sources, union, search, pipelines, and the columns that operators give."""
