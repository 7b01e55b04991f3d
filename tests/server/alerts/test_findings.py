"""Findings from rows, whose content is untrusted."""

from __future__ import annotations

import datetime
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.server.alerts.findings import finding_of

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def row(**given_columns: Any) -> dict[str, Any]:
    return defaultdict(lambda: None, {"AlertId": "1", "Timestamp": NOON, "EntityType": "Process"} | given_columns)


def test_without_the_process_row_there_is_no_finding() -> None:
    assert finding_of(row(), [row(EntityType="File")]) is None


@pytest.mark.parametrize("bag", ["", "null", "[]", "{", '"text"', "[" * 100_000, '{"PolicyRule": {"a": 1}}'])
def test_additional_fields_that_are_no_object_count_as_empty(bag: str) -> None:
    found = finding_of(row(), [row(AdditionalFields=bag)])

    assert found is not None
    assert found.rule == ""


@pytest.mark.parametrize("name", [r"a\ud800b", r"a\u0000b"])
def test_a_name_that_no_database_can_store_is_kept_without_that_character(name: str) -> None:
    found = finding_of(row(), [row(AdditionalFields=f'{{"KubernetesNamespace": "{name}"}}', FileName="x\0y")])

    assert found is not None
    assert (found.namespace, found.path) == ("a\ufffdb", "/x\ufffdy")
    assert str(found.entities).encode()


@given(st.text(), st.text())
def test_no_text_in_a_row_raises(bag: str, techniques: str) -> None:
    assert finding_of(row(AttackTechniques=techniques), [row(AdditionalFields=bag)]) is not None


def test_a_separator_in_a_name_does_not_merge_two_findings() -> None:
    def key(cluster: str, sha256: str) -> str:
        found = finding_of(row(), [row(CloudResource=cluster, SHA256=sha256)])
        assert found
        return found.group_key

    assert key('a", "b', "c") != key("a", 'b", "c')
