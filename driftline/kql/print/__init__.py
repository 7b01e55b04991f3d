"""From the syntax tree to canonical text; ``printer`` is the way in.

One file in ``operators/`` or ``tables/`` for each operator and source, under the name of its Kusto page.
"""
