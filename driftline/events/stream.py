"""The sensor's output stream: JSON lines, one object per event, alert or health report.

- ``{"kind": "event", "table": …}`` and the columns of the table;
- ``{"kind": "alert", …}`` with the columns of ``AlertInfo`` and ``Description``, then the columns of the
  execution whose names have not occurred, then ``ProcessTree``;
- ``{"kind": "health", …}`` with the columns of ``SensorHealth``.

Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from driftline.events._record import Record
from driftline.events.alerts import Alert, ProcessNode, alert_evidence, alert_info
from driftline.events.health import SensorHealth
from driftline.events.process import CloudProcessEvent

__all__ = ["Message", "decode", "encode", "is_alert", "rows"]

Message = CloudProcessEvent | Alert | SensorHealth
"""A message of the sensor's output stream."""

_encoder = msgspec.json.Encoder()
_EVENT = b'{"kind":"event","table":"CloudProcessEvents",'
_ALERT = b'{"kind":"alert",'


def encode(message: Message) -> bytes:
    """Encode one message as UTF-8 JSON with a line end."""
    return _ENCODERS[type(message)](message) + b"\n"


# Events are by far the most frequent messages: the kind is inserted after the opening brace of the encoded
# record, without making a dictionary of its columns.
def _encode_event(event: CloudProcessEvent) -> bytes:
    return _EVENT + _encoder.encode(event)[1:]


def _encode_health(health: SensorHealth) -> bytes:
    return b'{"kind":"health",' + _encoder.encode(health)[1:]


def _encode_alert(alert: Alert) -> bytes:
    columns: dict[str, Any] = {"kind": "alert"}
    columns |= msgspec.structs.asdict(alert_info(alert)) | {"Description": alert.description}
    columns |= {name: value for name, value in msgspec.structs.asdict(alert.event).items() if name not in columns}
    columns["ProcessTree"] = alert.process_tree
    return _encoder.encode(columns)


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    CloudProcessEvent: _encode_event,
    SensorHealth: _encode_health,
    Alert: _encode_alert,
}


def is_alert(line: bytes) -> bool:
    """Report whether an encoded message is an alert, without decoding it."""
    return line.startswith(_ALERT)


def rows(message: Message) -> list[tuple[str, Record]]:
    """Return the hunting-table rows of a message, each with the name of its table.

    An alert has one row in ``AlertInfo`` and several in ``AlertEvidence``; other messages have one row.
    """
    if isinstance(message, Alert):
        evidence = [("AlertEvidence", row) for row in alert_evidence(message)]
        return [("AlertInfo", alert_info(message)), *evidence]
    return [(_TABLES[type(message)], message)]


_TABLES: dict[type, str] = {CloudProcessEvent: "CloudProcessEvents", SensorHealth: "SensorHealth"}


# An alert line is decoded twice: as these fields, and as the execution. Both decoders ignore other fields.
class _Kind(msgspec.Struct):
    kind: str
    table: str = ""


class _AlertLine(msgspec.Struct):
    AlertId: str
    Title: str
    Category: str
    Severity: str
    AttackTechniques: str
    Description: str
    ProcessTree: tuple[ProcessNode, ...]


_kind = msgspec.json.Decoder(_Kind)
_event = msgspec.json.Decoder(CloudProcessEvent)
_health = msgspec.json.Decoder(SensorHealth)
_alert = msgspec.json.Decoder(_AlertLine)


def decode(line: bytes) -> Message:
    """Decode one line of the stream, with or without its line end.

    Raises ``msgspec.DecodeError`` for a line that is no message; its subclass ``msgspec.ValidationError``
    for one of an unknown kind or with wrong fields.
    """
    # Nearly all lines are events of this encoder, whose begin tells the kind without another pass over the line.
    kind = "event" if line.startswith(_EVENT) else _kind.decode(line).kind
    if kind == "event":
        return _event.decode(line)
    if kind == "health":
        return _health.decode(line)
    if kind == "alert":
        return _decode_alert(line)
    raise msgspec.ValidationError(f"expected the kind event, alert or health, got {kind!r}")


def _decode_alert(line: bytes) -> Alert:
    found, event = _alert.decode(line), _event.decode(line)
    return Alert(
        alert_id=found.AlertId,
        timestamp=event.Timestamp,
        title=found.Title,
        category=found.Category,
        severity=found.Severity,
        attack_techniques=tuple(msgspec.json.decode(found.AttackTechniques)),
        description=found.Description,
        event=event,
        process_tree=found.ProcessTree,
    )
