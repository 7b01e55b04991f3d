"""Untrusted XML gives a value or null, within bounds."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from driftline import store
from driftline.store.udf.xml import parse_xml


def test_entities_are_not_expanded() -> None:
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    assert parse_xml(f'<!DOCTYPE a [<!ENTITY e0 "x">{layers}]><a>&e9;</a>') is None
    assert parse_xml('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>') is None


def test_depth_and_size_are_bounded() -> None:
    assert parse_xml("<a>" * 100 + "</a>" * 100)
    assert parse_xml("<a>" * 101 + "</a>" * 101) is None
    assert parse_xml(f"<a>{'x' * 1_000_000}</a>")
    assert parse_xml(f"<a>{'é' * 600_000}</a>") is None


@given(st.one_of(st.text(), st.text(alphabet="<>/ab='\" &;![]-?")))
def test_any_text_gives_json_or_none(text: str) -> None:
    found = parse_xml(text)
    assert found is None or isinstance(json.loads(found), dict)


def test_each_row_has_its_own_value_and_null_stays_null() -> None:
    found = store.hunt(
        'datatable (x: string) ["<a>1</a>", "", "<a>2</a>"] | extend n = tolong(parse_xml(x).a) | project n', {}
    )
    assert found["n"].to_pylist() == [1, None, 2]
