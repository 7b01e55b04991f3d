"""From rows of ``AlertInfo`` and ``AlertEvidence`` to one finding, and which findings are one; pure."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

__all__ = ["FLEET", "Finding", "finding_of"]

FLEET = "Fleet"
"""The detection source of alerts about sensors."""

Row = Mapping[str, Any]

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


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, as a sensor raised it."""

    id: str
    at: datetime.datetime
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
    workload: str
    image: str
    image_digest: str
    sha256: str
    path: str
    rule: str
    entities: tuple[dict[str, Any], ...]

    @property
    def group_key(self) -> str:
        """Tell repeats: the same image, file and rule in one cluster are one finding.

        A file whose bytes could not be read is told by its path, what concerns no image by its workload.
        """
        place = self.image_digest or self.image or self.workload
        parts = [self.cluster, place, self.sha256 or f"path:{self.path}", self.rule]
        parts += [self.detection_source]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


_MAIN = {FLEET: "Machine"}
"""The type of the entity an alert is about first, where it is no process."""


def finding_of(info: Row, evidence: Sequence[Row]) -> Finding | None:
    """Make the finding of an ``AlertInfo`` row; ``None`` while its evidence is not there."""
    main = _MAIN.get(info["DetectionSource"], "Process")
    process = next((row for row in evidence if row["EntityType"] == main), None)
    if process is None:
        return None
    event = _bag(process)
    if main == "Machine":
        event |= {"KubernetesResource": process["DeviceName"] or "", "PolicyRule": _text(event, "Condition")}
    return Finding(
        id=info["AlertId"],
        at=info["Timestamp"],
        title=info["Title"] or "",
        category=info["Category"] or "",
        severity=info["Severity"] or "",
        techniques=tuple(_strings(info["AttackTechniques"])),
        description=_text(event, "Description"),
        service_source=info["ServiceSource"] or "",
        detection_source=info["DetectionSource"] or "",
        cluster=process["CloudResource"] or "",
        namespace=_text(event, "KubernetesNamespace"),
        pod=_text(event, "KubernetesPodName"),
        workload=_text(event, "KubernetesResource"),
        image=_text(event, "ContainerImageName"),
        image_digest=_text(event, "ImageDigest"),
        sha256=process["SHA256"] or "",
        path=_path(process),
        rule=_text(event, "PolicyRule"),
        entities=tuple(_entity(row) for row in evidence),
    )


def _entity(row: Row) -> dict[str, Any]:
    columns = {name: row[name] for name in _ENTITY_COLUMNS if row[name] not in ("", None)}
    return {"type": row["EntityType"], "role": row["EvidenceRole"], **columns, "fields": _bag(row)}


# Rows hold what containers were called and did: nothing in them may stop the tailer.
def _bag(row: Row) -> dict[str, Any]:
    try:
        found = json.loads(row["AdditionalFields"] or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _strings(text: str | None) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _text(bag: Mapping[str, Any], name: str) -> str:
    found = bag.get(name)
    return found if isinstance(found, str) else ""


def _path(row: Row) -> str:
    folder, name = row["FolderPath"] or "", row["FileName"] or ""
    return f"{folder.rstrip('/')}/{name}" if name else folder
