"""From what was seen and decided to rows: process events, alerts, and the words in them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from driftline.events import (
    Action,
    Alert,
    BlockedBy,
    CloudProcessEvent,
    Container,
    Content,
    Drift,
    Origin,
    ProcessNode,
    Subject,
    Verdict,
    text,
)
from driftline.policy import Decision, NodeLocation
from driftline.sensor.bpf.records import Clock, ExecRecord, ExitRecord, ProcessKey, RecordFlag
from driftline.sensor.tracking.processes import Process, command_line

__all__ = ["RowBuilder"]

# As plain numbers: an enum's & takes ten times as long, for each exec.
_HAS_TTY, _SECURE_EXEC, _ARGS_TRUNCATED = (
    int(flag) for flag in (RecordFlag.HAS_TTY, RecordFlag.SECURE_EXEC, RecordFlag.ARGS_TRUNCATED)
)
_UNSET = 0xFFFFFFFF  # what the kernel has for a login uid or audit session nobody set


class RowBuilder:
    """Makes the rows of one node."""

    def __init__(self, location: NodeLocation, clock: Clock) -> None:
        self.location = location
        self._clock = clock
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]

    def columns(self, container: Container) -> dict[str, Any]:
        """Give the columns that all events of a container share."""
        location = self.location
        return {
            "AzureResourceId": location.resource if location.cloud == "azure" else "",
            "AwsResourceName": location.resource if location.cloud == "aws" else "",
            "GcpFullResourceName": location.resource if location.cloud == "gcp" else "",
            "ContainerImageName": container.image,
            "KubernetesNamespace": container.namespace,
            "KubernetesPodName": container.pod,
            "KubernetesResource": container.workload,
            "ContainerName": container.name,
            "ContainerId": container.id,
            "ClusterName": location.cluster,
            "NodeName": location.node,
            "ImageDigest": container.image_digest,
            "PodLabels": dict(container.pod_labels),
            "PodUid": container.pod_uid,
        }

    def process_created(
        self, record: ExecRecord, parent: Process | None, *, columns: Mapping[str, Any], verdict: Verdict | None
    ) -> CloudProcessEvent:
        """Report an exec."""
        head, process = record.head, ProcessKey.at(record.head.tgid, record.head.start)
        folder, _, name = text(verdict.path if verdict else record.file.path).rpartition("/")
        ancestor = record.parent
        return CloudProcessEvent(
            Timestamp=self._clock.utc(head.time),
            ActionType="ProcessCreated",
            FileName=name,
            FolderPath=folder or "/",
            ProcessId=head.tgid,
            ProcessName=name,
            ParentProcessName=_name(parent.program) if parent else "",
            ParentProcessId=str(ancestor.tgid) if ancestor else "",
            ProcessCommandLine=command_line(record.argv),
            ProcessCreationTime=self._clock.utc(head.start),
            ProcessCurrentWorkingDirectory=text(record.cwd),
            AccountName=_account(record.uid),
            LogonId=None if record.session_id == _UNSET else record.session_id,
            InitiatingProcessId=str(ancestor.tgid) if ancestor else "",
            AdditionalFields=_more(record) | _volume(verdict),
            SHA256=verdict.sha256 if verdict else "",
            FileSize=record.file.size,
            **_drift(verdict),
            ProcessKey=self._key(process),
            ParentProcessKey=self._key(ProcessKey.at(ancestor.tgid, ancestor.start)) if ancestor else "",
            **columns,
        )

    def file_used(
        self,
        action_type: str,
        when: int,
        process: Process,
        parent: Process | None,
        *,
        columns: Mapping[str, Any],
        verdict: Verdict,
    ) -> CloudProcessEvent:
        """Report a file that a process mapped, read as a script, or was not let execute (``action_type``)."""
        folder, _, name = text(verdict.path).rpartition("/")
        return CloudProcessEvent(
            Timestamp=self._clock.utc(when),
            ActionType=action_type,
            FileName=name,
            FolderPath=folder or "/",
            ProcessId=process.key.pid,
            ProcessName=_name(process.program),
            ParentProcessName=_name(parent.program) if parent else "",
            ParentProcessId=str(process.parent.pid) if process.parent else "",
            ProcessCommandLine=command_line(process.argv),
            ProcessCreationTime=self._clock.utc(process.start_ns),
            InitiatingProcessId=str(process.parent.pid) if process.parent else "",
            AdditionalFields=_volume(verdict),
            SHA256=verdict.sha256,
            FileSize=verdict.size if verdict.size >= 0 else None,
            **_drift(verdict),
            ProcessKey=self._key(process.key),
            ParentProcessKey=self._key(process.parent) if process.parent else "",
            **columns,
        )

    def process_ended(self, record: ExitRecord, process: Process, *, columns: Mapping[str, Any]) -> CloudProcessEvent:
        """Report the end of a process whose exec was seen."""
        folder, _, name = text(process.program).rpartition("/")
        return CloudProcessEvent(
            Timestamp=self._clock.utc(record.head.time),
            ActionType="ProcessEnded",
            FileName=name,
            FolderPath=folder or "/",
            ProcessId=record.head.tgid,
            ProcessName=name,
            ParentProcessId=str(process.parent.pid) if process.parent else "",
            ProcessCommandLine=command_line(process.argv),
            ProcessCreationTime=self._clock.utc(record.head.start),
            ExitCode=_exit_code(record.status),
            ProcessKey=self._key(process.key),
            ParentProcessKey=self._key(process.parent) if process.parent else "",
            **columns,
        )

    def decided(
        self, event: CloudProcessEvent, decision: Decision, *, blocked_by: BlockedBy, why_not: str
    ) -> CloudProcessEvent:
        """Add what the policy said, what stopped the process, or why nothing did though it should."""
        more = {"NotBlocked": why_not} if why_not else {}
        return msgspec.structs.replace(
            event,
            PolicyRule=decision.rule,
            PolicyAction=str(Action.BLOCK if blocked_by else decision.action),
            BlockedBy=str(blocked_by),
            AdditionalFields={**event.AdditionalFields, **more},
        )

    def alert(
        self, event: CloudProcessEvent, verdict: Verdict, decision: Decision, ancestors: Sequence[Process]
    ) -> Alert:
        """Raise an alert about an event that a drift rule said to alert on."""
        return Alert(
            alert_id=str(uuid.uuid4()),
            timestamp=event.Timestamp,
            title=_title(event, verdict),
            category="Execution",
            severity=decision.severity,
            attack_techniques=_techniques(verdict),
            description=verdict.reason + _blocking(event, verdict),
            event=event,
            process_tree=tuple(self._node(process) for process in ancestors),
        )

    def _node(self, process: Process) -> ProcessNode:
        return ProcessNode(
            pid=process.key.pid,
            program=text(process.program),
            command_line=command_line(process.argv),
            start_time=self._clock.utc(process.start_ns),
        )

    def _key(self, key: ProcessKey) -> str:
        return f"{self._boot}-{key.pid}-{key.start_ticks}"


def _drift(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {}
    return {
        "Drift": str(verdict.drift),
        "DriftSubject": str(verdict.subject),
        "DriftOrigin": str(verdict.origin),
        "DriftContent": str(verdict.content),
        "DriftReason": verdict.reason,
    }


def _volume(verdict: Verdict | None) -> dict[str, Any]:
    return {"VolumeKind": str(verdict.volume)} if verdict and verdict.volume is not None else {}


def _more(record: ExecRecord) -> dict[str, Any]:
    more: dict[str, Any] = {"NamespacePid": record.ns_pid, "UserId": record.uid, "EffectiveUserId": record.euid}
    if record.filename != record.interp:
        more["Script"] = text(record.filename)
    if record.head.flags & _HAS_TTY:
        more["HasTty"] = True
    if record.head.flags & _SECURE_EXEC:
        more["SecureExec"] = True
    if record.head.flags & _ARGS_TRUNCATED:
        more["ArgumentsLength"] = record.args_length
    return more


def _name(path: bytes) -> str:
    return text(os.path.basename(path))


def _account(uid: int) -> str:
    return "root" if uid == 0 else str(uid)


def _exit_code(status: int) -> int:
    killed_by = status & 0x7F
    return 128 + killed_by if killed_by else status >> 8


_WHAT = {
    Content.ADDED: "Program not in the image",
    Content.MODIFIED: "Modified image program",
    Content.RELOCATED: "Relocated image program",
    Content.UNVERIFIED: "Unverified program",
    Content.IDENTICAL: "Image program",
}
_SUBJECT_WORD = {Subject.SCRIPT: "script", Subject.LIBRARY: "library"}
_ORIGIN_PREFIX = {Origin.MEMORY: "Fileless: ", Origin.DELETED: "Deleted: "}


def _title(event: CloudProcessEvent, verdict: Verdict) -> str:
    what = _WHAT[verdict.content].replace("program", _SUBJECT_WORD.get(verdict.subject, "program"))
    what = what.replace("Program", _SUBJECT_WORD.get(verdict.subject, "program").capitalize())
    prefix = _ORIGIN_PREFIX.get(verdict.origin, "")
    where = event.KubernetesPodName or event.ContainerName or event.ContainerId[:12]
    did = _DID.get(BlockedBy(event.BlockedBy), "was blocked")
    return f"{prefix}{what} {did} in {where}: {event.FileName}"


_DID = {BlockedBy.NOTHING: "ran", BlockedBy.VERDICT: "ran and was killed"}


def _blocking(event: CloudProcessEvent, verdict: Verdict) -> str:
    if event.PolicyAction != Action.BLOCK:
        return ""
    if not event.BlockedBy:
        return f". It was not blocked: {event.AdditionalFields['NotBlocked']}."
    late = " It is let go from now on." if verdict.drift == Drift.NO else ""
    return f". It was stopped by {event.BlockedBy}.{late}"


# MITRE ATT&CK for Containers, https://attack.mitre.org/matrices/enterprise/containers/
_TECHNIQUE_BY_ORIGIN = {
    Origin.MEMORY: "Reflective Code Loading (T1620)",
    Origin.DELETED: "Indicator Removal: File Deletion (T1070.004)",
    Origin.TMPFS: "Hide Artifacts (T1564)",
}
_TECHNIQUE_BY_CONTENT = {
    Content.ADDED: "Ingress Tool Transfer (T1105)",
    Content.MODIFIED: "Compromise Host Software Binary (T1554)",
    Content.RELOCATED: "Masquerading (T1036)",
}
_TECHNIQUE_BY_SUBJECT = {
    Subject.SCRIPT: "Command and Scripting Interpreter (T1059)",
    Subject.LIBRARY: "Hijack Execution Flow (T1574)",
    Subject.LOADER: "System Binary Proxy Execution (T1218)",
}


def _techniques(verdict: Verdict) -> tuple[str, ...]:
    found = (
        _TECHNIQUE_BY_ORIGIN.get(verdict.origin),
        _TECHNIQUE_BY_CONTENT.get(verdict.content),
        _TECHNIQUE_BY_SUBJECT.get(verdict.subject),
    )
    return tuple(technique for technique in found if technique)
