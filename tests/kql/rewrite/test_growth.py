"""The plan of a query shows whether its values may become far larger than stored ones."""

from __future__ import annotations

import pytest

from driftline import kql

SCHEMA = {"T": {"s": "string", "t": "string", "n": "long", "d": "dynamic", "Timestamp": "datetime"}}


@pytest.mark.parametrize(
    "text",
    [
        "T",
        "T | where s has 'a' and n > 3 | summarize count(), dcount(t), make_set(s) by bin(Timestamp, 1h)",
        "T | extend s = strcat(s, '/', t) | extend s = replace_string(s, '//', '/') | distinct s",
        "T | extend name = tostring(split(s, '/')[-1]), d = bag_pack('a', s, 'b', t)",
        "T | extend l = range(1, 100) | mv-expand l | extend m = array_concat(d, l)",
        "T | summarize l = make_set(s) by n | extend text = strcat_array(l, ',') | project n, text",
        "T | where s in (toscalar(T | summarize make_set(t))) | join kind=inner T on n",
        "T | sort by n | extend p = prev(s) | scan declare (x: string) with (step a: true => x = iff(n > 1, s, a.x);)",
        "T | extend s = replace_regex(tolower(s), @'\\d+', '<n>') | summarize count() by s",
    ],
)
def test_usual_queries_do_not_grow(text: str) -> None:
    assert not kql.compiled(text, SCHEMA).grows


@pytest.mark.parametrize(
    "text",
    [
        "T | extend l = range(0, n)",
        "T | extend l = repeat(s, n)",
        "T | where array_length(range(0, n)) > 3",
        "T | extend l = range(0, 1000000)",
        "T | extend u = strrep(s, 1000)",
        "T | extend u = replace_string(s, 'a', t)",
        "T" + " | extend s = strcat(s, s)" * 10,
        "T" + " | extend d = array_concat(d, d)" * 10,
        "T" + " | extend s = replace_string(s, 'a', 'aaaa')" * 5,
        "T" + " | extend s = tostring(pack_array(s))" * 10,
        "T" + " | extend s = url_encode(s)" * 6,
        "T | extend u = strcat_array(d, t)",
        "T | extend u = gzip_decompress_from_base64_string(s)",
        "T | reduce by s",
        "T | join kind=inner (T | summarize l = make_list(s) by n) on n | extend m = array_concat(l, d)",
        "T | extend m = array_concat(toscalar(T | summarize make_list(s)), d)",
        "T | summarize l = make_list(s) by t | mv-expand l | mv-expand l | extend m = array_concat(l, l)"
        " | summarize o = make_list(m) by t | mv-expand p = o | extend q = array_concat(o, p)",
        "T | sort by n | scan declare (x: string) with (step a: true => x = strcat(a.x, s);)",
        "union (T | extend l = range(0, n)), (T | extend l = d)",
    ],
)
def test_queries_that_may_grow(text: str) -> None:
    assert kql.compiled(text, SCHEMA).grows


def test_unused_columns_do_not_count() -> None:
    assert not kql.compiled("T | extend l = range(0, n) | project s", SCHEMA).grows
