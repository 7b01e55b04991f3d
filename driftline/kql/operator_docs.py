"""Syntax and description of each source, operator and plugin: rows of ``docs/reference/kql.md``.

Each table maps a name to its syntax and a one-line description. An empty syntax marks a name that
the parser reads and the binder refuses; the description then gives the reason.
``tests/kql/test_reference.py`` compares the names with the parser's and the binder's tables.
"""

from __future__ import annotations

__all__ = ["FORMS", "PLUGIN_FORMS", "SOURCE_FORMS"]

SOURCE_FORMS: dict[str, tuple[str, str]] = {
    "datatable": ("datatable (a: type, …) [values]", "Return rows written in the query."),
    "externaldata": (
        'externaldata (a: type, …) ["…/name.csv"]',
        "Return the rows of the uploaded list that the address names; no address is opened.",
    ),
    "find": (
        "find [withsource=c] [in (tables)] where p [project a, b: type, pack(*)]",
        "Return matching rows of several tables; columns that are not shown are packed into the bag `pack_`.",
    ),
    "macro-expand": ("", "Only one group of tables exists."),
    "print": ("print [a =] x, …", "Return one row of computed values."),
    "range": ("range a from x to y step z", "Return a column of numbers, datetimes or timespans; both ends included."),
    "search": (
        "search [kind=case_sensitive] [in (tables)] p",
        "Return rows with a term in any column; also `x*`, `*x` and `column: x`.",
    ),
    "union": (
        "union [kind=outer\\|inner] [withsource=c] [isfuzzy=true] tables",
        "Concatenate tables; columns are matched by name and type.",
    ),
}
"""Sources that begin a pipe, besides table names: syntax (empty if refused) and description."""
FORMS: dict[str, tuple[str, str]] = {
    "as": ("as name", "Name the table computed so far."),
    "assert-schema": ("", "Not implemented."),
    "consume": ("", "It returns no rows."),
    "count": ("count [as a]", "Count the rows."),
    "distinct": ("distinct a, x, … or *", "Return each combination of values once."),
    "evaluate": (
        "evaluate plugin(…) [: (*, a: type)]",
        "Run a plugin, see [Plugins of evaluate](#plugins-of-evaluate).",
    ),
    "extend": ("extend a = x, …", "Add or replace columns."),
    "facet": ("", "A hunt returns one table."),
    "filter": ("filter p", "Same as `where`."),
    "fork": ("", "A hunt returns one table."),
    "getschema": ("getschema", "Return the names and types of the columns."),
    "graph-mark-components": (
        "graph-mark-components [kind=weak\\|strong] [with_component_id=name]",
        "Number the connected components of a graph, a property of its nodes (DuckDB only).",
    ),
    "graph-match": (
        "graph-match [cycles=all\\|none\\|unique_edges] (a)-[e]->(b)<-[f*1..3]-(c), … [where p] project …",
        "Match a pattern of nodes and edges; variable-length paths have up to 16 edges, and all(), any() and map() read"
        " them.",
    ),
    "graph-shortest-paths": (
        "graph-shortest-paths [output=any\\|all] (a)-[e*1..5]->(b) [where p] project …",
        "Find the shortest paths between each two nodes, of up to 16 edges.",
    ),
    "graph-to-table": (
        "graph-to-table nodes [with_node_id=c] \\| edges [with_source_id=c] [with_target_id=c]",
        "Return the nodes or the edges of a graph as a table, with hashes of the identifiers.",
    ),
    "invoke": (
        "invoke f(…)",
        "Call a function on the table; `FileProfile(hash, [records])` adds the fleet-wide prevalence of a file.",
    ),
    "join": (
        "join [kind=k] table on a, $left.b == $right.c",
        "Join two tables; kinds are innerunique (the default), inner, leftouter, rightouter, fullouter, leftsemi,"
        " rightsemi, leftanti and rightanti.",
    ),
    "limit": ("limit n", "Same as `take`."),
    "lookup": (
        "lookup [kind=leftouter\\|inner] table on a",
        "Add columns of a lookup table by key; the right side's keys are left out.",
    ),
    "macro-expand": ("", "Only one group of tables exists."),
    "make-graph": (
        "make-graph a --> b [with nodes on key, …] or [with_node_id=c]",
        "Make a graph of a table of edges and, optionally, tables of nodes.",
    ),
    "make-series": (
        "make-series [kind=nonempty] [a =] x [default=d], … on t [from u] [to v] step w [by …]",
        "Aggregate into bins of an axis; each series is an array, and empty bins get the default.",
    ),
    "mv-apply": (
        "mv-apply [with_itemindex=i] [a =] x [to typeof(t)] [limit n] on (pipeline)",
        "Run a pipeline on the elements of each row's array.",
    ),
    "mv-expand": (
        "mv-expand [kind=bag\\|array] [with_itemindex=i] [a =] x [to typeof(t)] [limit n]",
        "Return one row for each element of an array or property of a bag.",
    ),
    "mvapply": ("mvapply …", "Old name of `mv-apply`."),
    "mvexpand": ("mvexpand …", "Old name of `mv-expand`."),
    "order": ("order by …", "Same as `sort`."),
    "parse": (
        "parse [kind=simple\\|regex\\|relaxed] [flags=f] x with * 'text' a: type …",
        "Extract columns from a text by a pattern; rows without a match get nulls and empty strings.",
    ),
    "parse-kv": (
        "parse-kv x as (a: type, …) [with (pair_delimiter=p, kv_delimiter=d, quote=q, greedy=true) \\| (regex=r)]",
        "Extract columns from key-value pairs in a text.",
    ),
    "parse-where": ("parse-where …", "Same as `parse`, but drop rows without a match."),
    "partition": (
        "partition by a (pipeline)",
        "Run a pipeline separately on the rows of each value; in braces it has a source of its own.",
    ),
    "project": ("project a, b = x, …", "Return only these columns."),
    "project-away": ("project-away a, b*", "Remove these columns."),
    "project-by-names": (
        'project-by-names "a", dynamic(["b", "c*"]), …',
        "Keep the columns of constant names, in their order; names without a column are ignored.",
    ),
    "project-keep": ("project-keep a, b*", "Keep only these columns, in the order of the table."),
    "project-rename": ("project-rename new = old, …", "Rename columns."),
    "project-reorder": ("project-reorder a, b*", "Move these columns to the front."),
    "reduce": (
        "reduce [kind=source] by x [with threshold=0.1, characters='…']",
        "Group similar texts under patterns; with `kind=source`, add its pattern to each row. The patterns may differ"
        " from Kusto's; DuckDB only.",
    ),
    "render": ("render chart [with (…)]", "Suggest a chart to the client; rows are unchanged."),
    "sample": ("sample n", "Return up to n random rows."),
    "sample-distinct": ("sample-distinct n of x", "Return up to n distinct values, any of them."),
    "scan": (
        "scan [with_match_id=c] [declare (a: type = x)] with (step s [output=all\\|last\\|none]: p => a = x; …)",
        "Match sequences of steps in ordered rows; on ClickHouse about 2 ms for each row.",
    ),
    "search": ("search p", "Keep rows with a term in any column."),
    "serialize": (
        "serialize [a = x]",
        "Mark the order of rows as final, for `row_number`, `prev`, `next` and `row_cumsum`.",
    ),
    "sort": ("sort by x [asc\\|desc] [nulls first\\|last], …", "Sort rows; descending by default."),
    "summarize": ("summarize [a =] x, … by …", "Aggregate rows by groups."),
    "take": ("take n", "Return up to n rows: any, or the first ones of a sorted table."),
    "top": (
        "top n by x [asc\\|desc] [nulls first\\|last]",
        "Return the first n rows by a value; descending by default.",
    ),
    "top-hitters": (
        "top-hitters n of x [by y]",
        "Return the n most frequent values, or those with the greatest sum of y; exact, not approximate.",
    ),
    "top-nested": (
        "top-nested [n] of x [with others = y] by aggregate [asc\\|desc], …",
        "Return the top values of each level within each value of the level above.",
    ),
    "union": ("union tables", "Append the rows of other tables."),
    "where": ("where p", "Keep rows that satisfy a condition."),
}
"""Operators behind a pipe: syntax (empty if refused) and description, or the reason of the refusal."""
PLUGIN_FORMS: dict[str, tuple[str, str]] = {
    "bag_unpack": (
        "bag_unpack(bag, [prefix], [error\\|replace_source\\|keep_source], [ignored])",
        "Add a column for each property of a bag.",
    ),
    "autocluster": (
        "autocluster([weight of size], [~], [seeds])",
        "Find a few patterns that many rows share. They may differ from Kusto's; DuckDB only.",
    ),
    "basket": (
        "basket([threshold], [~], [columns])",
        "Return every combination of values whose share of the rows reaches the threshold.",
    ),
    "ipv4_lookup": (
        "ipv4_lookup(table, address, network, [keys], [return_unmatched])",
        "Add the columns of a lookup table by the network that contains an address.",
    ),
    "ipv6_lookup": (
        "ipv6_lookup(table, address, network, [keys], [return_unmatched])",
        "Same as `ipv4_lookup`, for IPv6 addresses; the lookup table's columns come first.",
    ),
    "narrow": ("narrow()", "Return one row for each cell: row number, column name and value as text."),
    "pivot": (
        "pivot(x, [aggregate], [columns])",
        "Return one column for each value of x, with an aggregate (count by default) of its rows.",
    ),
    "rolling_percentile": (
        "evaluate rolling_percentile(value, percentile, index, bin size, bins, dimensions)",
        "Return the percentile of the last bins for each bin of the index.",
    ),
}
"""Plugins of ``evaluate``: syntax and description.

The columns of ``pivot`` and ``bag_unpack`` depend on the data: a query for their names runs first, unless
the hunt declares the columns.
"""
