"""A sensor's batch may hold rows of its own node and cluster only."""

from __future__ import annotations

import pytest

from driftline import wire
from driftline.errors import ForeignRows
from driftline.events import Record
from tests.wire import making


def check(rows: dict[str, list[Record]]) -> None:
    wire.check_owner({name: wire.table(name, items) for name, items in rows.items()}, cluster="c", node="n")


def test_own_rows_pass() -> None:
    check({"CloudProcessEvents": [making.event()], "SensorHealth": [making.health()], **making.alert()})


@pytest.mark.parametrize("place", [{"cluster": "other"}, {"node": "other"}])
def test_rows_of_another_cluster_or_node_are_refused(place: dict[str, str]) -> None:
    for rows in (
        {"CloudProcessEvents": [making.event(), making.event(**place)]},  # type: ignore[arg-type] # the two are text
        {"SensorHealth": [making.health(**place)]},
        making.alert(**place),
    ):
        with pytest.raises(ForeignRows, match="which the sensor is enrolled for, got 'other'"):
            check(rows)  # type: ignore[arg-type] # a list of one kind of record


def test_alert_needs_evidence_in_the_same_batch() -> None:
    alone = {"AlertInfo": making.alert("b")["AlertInfo"]}
    for rows in (alone, {**making.alert("a"), **alone}):
        with pytest.raises(ForeignRows, match="whose evidence is in the same batch"):
            check(rows)
