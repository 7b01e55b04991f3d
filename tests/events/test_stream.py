"""The sensor's output stream, alert rows, and the encoding of names from containers."""

import datetime
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline import events
from driftline.events import Alert, CloudProcessEvent, ProcessNode, SensorHealth, stream

NOW = datetime.datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=datetime.UTC)
EVENT = CloudProcessEvent(Timestamp=NOW, FileName="wget", ProcessId=7, PodLabels={"app": "web"})
ALERT = Alert(
    alert_id="id", timestamp=NOW, title="t", category="Execution", severity="High", attack_techniques=("T1105",),
    description="why", event=EVENT,
    process_tree=(ProcessNode(pid=1, program="/bin/sh", command_line="sh -c x", start_time=NOW),),
)  # fmt: skip


@pytest.mark.parametrize("message", [EVENT, ALERT, SensorHealth(Timestamp=NOW, Reason="x", Count=3)])
def test_a_message_survives_a_round_trip(message: stream.Message) -> None:
    assert stream.decode(stream.encode(message)) == message
    assert stream.is_alert(stream.encode(message)) == isinstance(message, Alert)


def test_an_event_line_has_its_table_and_all_columns() -> None:
    line = stream.encode(EVENT)
    columns = [column.name for column in events.columns(CloudProcessEvent)]

    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert list(json.loads(line)) == ["kind", "table", *columns]
    assert json.loads(line)["Timestamp"] == "2026-11-23T12:00:00.123456Z"


def test_an_alert_line_has_the_alert_and_its_execution() -> None:
    line = json.loads(stream.encode(ALERT))

    assert (line["kind"], line["AlertId"], line["FileName"], line["Description"]) == ("alert", "id", "wget", "why")
    assert line["ProcessTree"][0]["command_line"] == "sh -c x"


@pytest.mark.parametrize("line", [b"", b"{}", b'{"kind":"other"}', b'{"kind":"event"}', b"\xff"])
def test_lines_that_are_no_messages_are_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        stream.decode(line)


def test_an_alert_has_one_row_of_evidence_per_entity() -> None:
    rows = events.alert_evidence(ALERT)

    assert events.alert_info(ALERT).AttackTechniques == '["T1105"]'
    assert [row.EntityType for row in rows] == ["Process", "File", "Container", "ContainerImage", "KubernetesPod"]
    assert {row.AlertId for row in rows} == {"id"}
    assert rows[0].AdditionalFields["Description"] == "why"


@given(st.binary())
def test_text_is_lossless_and_valid_json(data: bytes) -> None:
    assert events.raw(events.text(data)) == data
    assert json.loads(json.dumps(events.text(data))) == events.text(data)
