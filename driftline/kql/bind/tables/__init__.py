"""Tabular expressions: sources, union, search, pipelines, and the helpers that operators make tables with.

https://learn.microsoft.com/kusto/query/tabular-expression-statements
"""
