"""What each operator looks like and does: the rows of the reference page."""

from __future__ import annotations

__all__ = ["FORMS", "PLUGIN_FORMS", "SOURCE_FORMS"]

SOURCE_FORMS: dict[str, tuple[str, str]] = {
    "datatable": ("datatable (a: type, …) [values]", "Rows written in the query."),
    "externaldata": ("", "A hunt reads only the tables it is given."),
    "find": (
        "find [withsource=c] [in (tables)] where p [project a, b: type, pack(*)]",
        "Rows of many tables; what no column shows is packed.",
    ),
    "macro-expand": ("", "There is one group of tables."),
    "print": ("print [a =] x, …", "One row of values."),
    "range": ("range a from x to y step z", "Numbers, datetimes or timespans; both ends included."),
    "search": ("search [kind=case_sensitive] [in (tables)] p", "Rows with a text in any column; `x*`, `*x`, `c: x`."),
    "union": (
        "union [kind=outer\\|inner] [withsource=c] [isfuzzy=true] tables",
        "Tables under each other, by names and types of columns.",
    ),
}
"""What a pipe may begin with, besides a table, and how it is written; "" if it is refused."""
FORMS: dict[str, tuple[str, str]] = {
    "as": ("as name", "Name what stands so far."),
    "assert-schema": ("", ""),
    "consume": ("", "It gives no rows."),
    "count": ("count [as a]", "Count the rows."),
    "distinct": ("distinct a, x, … or *", "Each combination of values once."),
    "evaluate": ("evaluate plugin(…) [: (*, a: type)]", "Run a plugin; see below."),
    "extend": ("extend a = x, …", "Add or replace columns."),
    "facet": ("", "A hunt has one result."),
    "filter": ("filter p", "As where."),
    "fork": ("", "A hunt has one result."),
    "getschema": ("getschema", "The names and types of columns."),
    "graph-mark-components": ("", ""),
    "graph-match": (
        "graph-match [cycles=all\\|none\\|unique_edges] (a)-[e]->(b)<-[f*1..3]-(c), … [where p] project …",
        "Find patterns; paths of up to 16 edges, with all(), any() and map() over their edges.",
    ),
    "graph-shortest-paths": ("", ""),
    "graph-to-table": ("graph-to-table nodes\\|edges", "A graph's nodes or edges as a table."),
    "invoke": (
        "invoke f(…)",
        "Call a function of the table; `FileProfile(hash, [records])` tells what the fleet knows of a file.",
    ),
    "join": (
        "join [kind=k] table on a, $left.b == $right.c",
        "innerunique (as unsaid), inner, leftouter, rightouter, fullouter, left- and rightsemi, left- and rightanti.",
    ),
    "limit": ("limit n", "As take."),
    "lookup": ("lookup [kind=leftouter\\|inner] table on a", "Join, without the right side's keys."),
    "macro-expand": ("", "There is one group of tables."),
    "make-graph": ("make-graph a --> b [with nodes on key, …] or [with_node_id=c]", "A graph of edges and nodes."),
    "make-series": (
        "make-series [kind=nonempty] [a =] x [default=d], … on t [from u] [to v] step w [by …]",
        "Aggregates by bins as arrays, gaps filled.",
    ),
    "mv-apply": (
        "mv-apply [with_itemindex=i] [a =] x [to typeof(t)] [limit n] on (pipeline)",
        "Run a pipeline on each row's array.",
    ),
    "mv-expand": (
        "mv-expand [kind=bag\\|array] [with_itemindex=i] [a =] x [to typeof(t)] [limit n]",
        "A row for each element.",
    ),
    "mvapply": ("mvapply …", "As mv-apply."),
    "mvexpand": ("mvexpand …", "As mv-expand."),
    "order": ("order by …", "As sort."),
    "parse": ("parse [kind=simple\\|regex\\|relaxed] [flags=f] x with * 'text' a: type …", "Columns by a pattern."),
    "parse-kv": (
        "parse-kv x as (a: type, …) [with (pair_delimiter=p, kv_delimiter=d, quote=q, greedy=true) \\| (regex=r)]",
        "Columns by their keys.",
    ),
    "parse-where": ("parse-where …", "As parse; drops rows that do not match."),
    "partition": ("partition by a (pipeline)", "Run a pipeline on the rows of each value."),
    "project": ("project a, b = x, …", "These columns only."),
    "project-away": ("project-away a, b*", "All columns but these."),
    "project-by-names": ("", "Its columns depend on values."),
    "project-keep": ("project-keep a, b*", "These columns, in their order."),
    "project-rename": ("project-rename new = old, …", "Rename columns."),
    "project-reorder": ("project-reorder a, b*", "These columns first."),
    "reduce": (
        "reduce [kind=source] by x [with threshold=0.1, characters='…']",
        "Groups of similar texts with a pattern, by rules of our own, or the rows with theirs; DuckDB only.",
    ),
    "render": ("render chart [with (…)]", "A hint for the chart; changes no row."),
    "sample": ("sample n", "Any rows."),
    "sample-distinct": ("sample-distinct n of x", "Any values."),
    "scan": (
        "scan [with_match_id=c] [declare (a: type = x)] with (step s [output=all\\|last\\|none]: p => a = x; …)",
        "Find sequences row by row; on ClickHouse some 2 ms a row.",
    ),
    "search": ("search p", "Rows with a text in any column."),
    "serialize": ("serialize [a = x]", "Let the order of rows count: row_number, prev, next, row_cumsum."),
    "sort": ("sort by x [asc\\|desc] [nulls first\\|last], …", "Sort; descending unless said otherwise."),
    "summarize": ("summarize [a =] x, … by …", "Aggregates by groups."),
    "take": ("take n", "Any rows; the first ones of a sorted table."),
    "top": ("top n by x [asc\\|desc] [nulls first\\|last]", "The first rows by a value."),
    "top-hitters": ("top-hitters n of x [by y]", "The values met most; exact here."),
    "top-nested": (
        "top-nested [n] of x [with others = y] by aggregate [asc\\|desc], …",
        "The greatest values, within those of the level above.",
    ),
    "union": ("union tables", "Tables under each other."),
    "where": ("where p", "Rows that meet a condition."),
}
"""How each operator is written, and what it does; "" if it is refused, with the reason."""
PLUGIN_FORMS: dict[str, tuple[str, str]] = {
    "bag_unpack": (
        "bag_unpack(bag, [prefix], [error\\|replace_source\\|keep_source], [ignored])",
        "A column for each property.",
    ),
    "autocluster": (
        "autocluster([weight of size], [~], [seeds])",
        "A few patterns that many rows share, by rules of our own; DuckDB only.",
    ),
    "basket": ("basket([threshold], [~], [columns])", "Each combination of values that many rows share, all of them."),
    "ipv4_lookup": (
        "ipv4_lookup(table, address, network, [return_unmatched])",
        "Rows of a table whose network holds an address.",
    ),
    "ipv6_lookup": (
        "ipv6_lookup(table, address, network, [return_unmatched])",
        "As ipv4_lookup, with the table's columns first.",
    ),
    "narrow": ("narrow()", "A row for each cell."),
    "pivot": ("pivot(x, [aggregate], [columns])", "A column for each value."),
}
"""The plugins of evaluate. Where the columns depend on the data, a small query runs first."""
