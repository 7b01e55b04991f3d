"""Findings from rows of ``AlertInfo`` and ``AlertEvidence``, and the key that groups repeats; pure."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["EVIDENCE", "FLEET", "Finding", "finding_of"]

FLEET = "Fleet"
"""``DetectionSource`` of alerts about sensors."""

Row = Mapping[str, Any]

# Columns of AlertEvidence that go into an entity of the API; empty ones are left out.
_ENTITY_COLUMNS = (
    "FileName",
    "FolderPath",
    "SHA1",
    "SHA256",
    "FileSize",
    "ProcessCommandLine",
    "AccountName",
    "DeviceName",
    "RemoteIP",
    "RemoteUrl",
    "ResourceID",
)

EVIDENCE = ("AlertId", "EntityType", "EvidenceRole", "CloudResource", "AdditionalFields", *_ENTITY_COLUMNS)
"""Columns of ``AlertEvidence`` that ``finding_of`` reads."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as a sensor raised it; several findings with equal ``group_key`` become one alert of the server."""

    id: str
    """``AlertId`` of the row."""
    at: datetime.datetime
    """Time of the detected activity, UTC."""
    title: str
    category: str
    severity: str
    techniques: tuple[str, ...]
    description: str
    service_source: str
    detection_source: str
    cluster: str
    namespace: str
    pod: str
    node: str
    workload: str
    image: str
    image_digest: str
    sha256: str
    path: str
    rule: str
    entities: tuple[dict[str, Any], ...]

    @property
    def group_key(self) -> str:
        """Key that repeats of a finding have in common: cluster, image, file, rule and detection source.

        The file is identified by its digest, so that a copy under another name is a repeat; by its path if the
        content could not be read. A finding without an image is grouped by its workload. The key is a SHA-256
        digest in hexadecimal.
        """
        subject = self.image_digest or self.image or self.workload
        parts = [self.cluster, subject, self.sha256 or f"path:{self.path}", self.rule]
        parts += [self.detection_source]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_MAIN_ENTITY_TYPES = {FLEET: "Machine"}
"""Type of the main entity of an alert by detection source; a process for all others."""


def finding_of(info: Row, evidence: Sequence[Row]) -> Finding | None:
    """Return the finding of an ``AlertInfo`` row with its ``AlertEvidence`` rows.

    ``None`` means that the row of the main entity has not arrived yet. Text that is missing becomes empty.
    """
    main = _MAIN_ENTITY_TYPES.get(info["DetectionSource"], "Process")
    process = next((row for row in evidence if row["EntityType"] == main), None)
    if process is None:
        return None
    event = _bag(process)
    if main == "Machine":
        event |= {"KubernetesResource": process["DeviceName"] or "", "PolicyRule": _text(event, "Condition")}
    return Finding(
        id=info["AlertId"],
        at=info["Timestamp"],
        title=_clean(info["Title"]),
        category=_clean(info["Category"]),
        severity=_clean(info["Severity"]),
        techniques=tuple(_strings(info["AttackTechniques"])),
        description=_text(event, "Description"),
        service_source=_clean(info["ServiceSource"]),
        detection_source=_clean(info["DetectionSource"]),
        cluster=_clean(process["CloudResource"]),
        namespace=_text(event, "KubernetesNamespace"),
        pod=_text(event, "KubernetesPodName"),
        node=_clean(process["DeviceName"]),
        workload=_text(event, "KubernetesResource"),
        image=_text(event, "ContainerImageName"),
        image_digest=_text(event, "ImageDigest"),
        sha256=_clean(process["SHA256"]),
        path=_path(process),
        rule=_text(event, "PolicyRule"),
        entities=tuple(_entity(row) for row in evidence),
    )


def _entity(row: Row) -> dict[str, Any]:
    columns = {name: row[name] for name in _ENTITY_COLUMNS if row[name] not in ("", None)}
    return {"type": row["EntityType"], "role": row["EvidenceRole"], **columns, "fields": _bag(row)}


# Rows contain text that containers control (names, command lines): no value may stop the ingestion, so content
# that is not JSON, or nested too deeply, counts as empty.
def _bag(row: Row) -> dict[str, Any]:
    found = _json(row["AdditionalFields"] or "{}")
    return found if isinstance(found, dict) else {}


def _strings(text: str | None) -> list[str]:
    found = _json(text or "[]")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


# A surrogate without its pair is no text that a database can store; msgspec refuses it, as it does NaN.
def _json(text: str) -> Any:
    found = _decoded(text)
    return _decoded(_SURROGATE.sub("\\\\ufffd", text)) if found is None else found


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _text(bag: Mapping[str, Any], name: str) -> str:
    found = bag.get(name)
    return _clean(found) if isinstance(found, str) else ""


# PostgreSQL stores no NUL in a text.
def _clean(text: str | None) -> str:
    return (text or "").replace("\0", "\ufffd")


def _path(row: Row) -> str:
    folder, name = row["FolderPath"] or "", row["FileName"] or ""
    return _clean(f"{folder.rstrip('/')}/{name}" if name else folder)
