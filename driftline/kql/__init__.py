"""KQL compiler: query text in, SQL for DuckDB or ClickHouse out.

Pure: no clock, no files, no database. ``translate`` returns the SQL, ``compiled`` also the result columns and the rows
that the query needs, ``outline`` prints the plan. The stages are folders, in the order of the pipeline: ``text``,
``parse`` (to ``syntax``), ``bind`` (to ``plan``), ``rewrite``, ``dialects``; ``functions`` has a row for each KQL
function, ``print`` formats a query. ``docs/explanation/kql.md`` explains how they work together.
"""

from driftline.kql.bind import Views
from driftline.kql.explain import outline
from driftline.kql.translate import Dialect, Discover, Translation, compiled, translate

__all__ = ["Dialect", "Discover", "Translation", "Views", "compiled", "outline", "translate"]
