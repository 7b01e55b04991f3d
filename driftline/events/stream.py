"""The sensor's stream: one JSON object a line.

``{"kind": "event", "table": …}`` with the columns of the table, ``{"kind": "alert", …}`` with
those of ``AlertInfo`` and then those of the execution it is about, ``{"kind": "health", …}``
with those of ``SensorHealth``. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from driftline.events._record import Record
from driftline.events.alerts import Alert, ProcessNode, alert_evidence, alert_info
from driftline.events.health import SensorHealth
from driftline.events.process import CloudProcessEvent

__all__ = ["Message", "decode", "encode", "rows"]

Message = CloudProcessEvent | Alert | SensorHealth

_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """Encode one message as a line, its end included."""
    return _ENCODERS[type(message)](message) + b"\n"


def _encode_event(event: CloudProcessEvent) -> bytes:
    return b'{"kind":"event","table":"CloudProcessEvents",' + _encoder.encode(event)[1:]


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


def rows(message: Message) -> list[tuple[str, Record]]:
    """Give the rows of hunting tables that a message makes, each with its table's name."""
    if isinstance(message, Alert):
        evidence = [("AlertEvidence", row) for row in alert_evidence(message)]
        return [("AlertInfo", alert_info(message)), *evidence]
    return [(_TABLES[type(message)], message)]


_TABLES: dict[type, str] = {CloudProcessEvent: "CloudProcessEvents", SensorHealth: "SensorHealth"}


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
    """Decode one line; raises ``msgspec.DecodeError`` if it is none of the three."""
    kind = _kind.decode(line).kind
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
