"""Rows of the sensor: process events and alerts, with the texts in them.

The columns are described in ``driftline.events``. Their ``ActionType``:

- ``ProcessCreated``: an exec, in a container or, if configured, on the node.
- ``ProcessDenied``: an exec that BPF LSM refused; the process of the row is the one that tried.
- ``ScriptRead``: an interpreter opened a script or module. ``LibraryLoaded``: a process mapped a library, or ld.so a
  program.
- ``ProcessFound``, ``LibraryFound`` and ``ScriptFound``: a program, library or script that a process used before the
  sensor started; the time is that of the start.
- ``ProcessEnded``: the end of a process in a container, with its exit code.

``ProcessKey`` is the begin of the boot id, the pid and the start tick, so it is unique over reuses of pids and over
reboots of the node. Names and arguments from containers are bytes; ``events.text`` converts them.
"""

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
from driftline.verdict import FileFacts, Writer

__all__ = ["RowBuilder"]

# Plain numbers: the & of an IntFlag takes ten times as long, and these run for each exec.
_HAS_TTY, _SECURE_EXEC, _ARGS_TRUNCATED = (
    int(flag) for flag in (RecordFlag.HAS_TTY, RecordFlag.SECURE_EXEC, RecordFlag.ARGS_TRUNCATED)
)
_UNSET = 0xFFFFFFFF  # an audit session that was not set (AUDIT_SID_UNSET, linux/audit.h)


class RowBuilder:
    """Maker of the rows of one node. Any thread may use it."""

    def __init__(self, location: NodeLocation, clock: Clock) -> None:
        """Take the location for the columns of cluster, node and cloud, and the clock that converts times to UTC."""
        self.location = location
        """Cluster and cloud account of the node."""
        self._clock = clock
        # Start ticks count from the boot, so the boot id makes process keys unique across boots.
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]

    def columns(self, container: Container) -> dict[str, Any]:
        """Return the columns that all events of a container share."""
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
        """Return the event of an exec.

        ``parent`` is the parent process, if it is known; ``columns`` are those of the container. ``verdict`` is
        ``None`` for processes of the node, which are not evaluated.
        """
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
            AdditionalFields=_more(record) | _place(verdict),
            SHA256=verdict.sha256 if verdict else "",
            FileSize=record.file.size,
            **_drift(verdict),
            ProcessKey=self._key(process),
            ParentProcessKey=self._key(ProcessKey.at(ancestor.tgid, ancestor.start)) if ancestor else "",
            SessionKey=self._key(record.session) if record.session else "",
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
        """Return the event of a file that a process mapped, read as a script, or failed to execute.

        ``action_type`` says which of these; ``when`` is the boot-time clock in nanoseconds.
        """
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
            AdditionalFields=_place(verdict),
            SHA256=verdict.sha256,
            FileSize=verdict.size if verdict.size >= 0 else None,
            **_drift(verdict),
            ProcessKey=self._key(process.key),
            ParentProcessKey=self._key(process.parent) if process.parent else "",
            SessionKey=self._key(process.session) if process.session else "",
            **columns,
        )

    def process_ended(self, record: ExitRecord, process: Process, *, columns: Mapping[str, Any]) -> CloudProcessEvent:
        """Return the event of the end of a process whose exec was recorded."""
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
            SessionKey=self._key(process.session) if process.session else "",
            **columns,
        )

    def written(self, event: CloudProcessEvent, file: FileFacts) -> CloudProcessEvent:
        """Return the event with the writer of its file, in columns.

        A later open for writing by another process, which changed no byte, is in ``AdditionalFields``.
        """
        writer, opener = file.writer, file.opener
        if opener and (writer is None or _is_later_other(opener, writer)):
            more = {"LastOpenedForWriting": self._opened(opener)}
            event = msgspec.structs.replace(event, AdditionalFields={**event.AdditionalFields, **more})
        if writer is None:
            return event
        container = writer.container or _NO_CONTAINER
        return msgspec.structs.replace(
            event,
            WriteTime=writer.time,
            WriteOperation=writer.operation,
            WriterProcessId=writer.pid,
            WriterProcessKey=self._key(ProcessKey.at(writer.pid, writer.start_ns)),
            WriterProcessName=text(writer.comm),
            WriterProcessCommandLine=command_line(writer.argv),
            WriterProcessCreationTime=self._clock.utc(writer.start_ns),
            WriterPlace=str(writer.place),
            WriterContainerId=container.id,
            WriterContainerName=container.name,
            WriterKubernetesNamespace=container.namespace,
            WriterKubernetesPodName=container.pod,
        )

    def _opened(self, opener: Writer) -> dict[str, Any]:
        return {
            "Time": opener.time,
            "ProcessId": opener.pid,
            "ProcessKey": self._key(ProcessKey.at(opener.pid, opener.start_ns)),
            "ProcessName": text(opener.comm),
            "ProcessCommandLine": command_line(opener.argv),
            "Place": str(opener.place),
            "ContainerId": opener.container.id if opener.container else "",
        }

    def decided(
        self,
        event: CloudProcessEvent,
        decision: Decision,
        *,
        container: Container,
        blocked_by: BlockedBy,
        why_not: str,
    ) -> CloudProcessEvent:
        """Return the event with the decision of the policy.

        ``container`` gives the facts for the decision that have no column. ``blocked_by`` is the means that stopped
        the process. ``why_not`` is the reason why a blocking rule did not stop it; empty otherwise.
        """
        action = Action.BLOCK if blocked_by else decision.action
        more = ({"NotBlocked": why_not} if why_not else {}) | _policy_facts(container)
        more["DriftAction"] = str(action).capitalize()
        return msgspec.structs.replace(
            event,
            PolicyRule=decision.rule,
            PolicyAction=str(action),
            BlockedBy=str(blocked_by),
            AdditionalFields={**event.AdditionalFields, **more},
        )

    def alert(
        self, event: CloudProcessEvent, verdict: Verdict, decision: Decision, ancestors: Sequence[Process]
    ) -> Alert:
        """Return a new alert about an event. ``ancestors`` become its process tree, parent first."""
        return Alert(
            alert_id=str(uuid.uuid4()),
            timestamp=event.Timestamp,
            title=_title(event, verdict),
            category="Execution",
            severity=decision.severity,
            attack_techniques=_techniques(verdict),
            description=verdict.reason + _ambiguity(event) + _blocking(event, verdict),
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


_NO_CONTAINER = Container(id="")


def _is_later_other(opener: Writer, writer: Writer) -> bool:
    return opener.time > writer.time and (opener.pid, opener.start_ns) != (writer.pid, writer.start_ns)


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


# UpperLayer, Memfd and, with the decision, DriftAction are names that Defender's hunts read.
def _place(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {}
    more: dict[str, Any] = {} if verdict.volume is None else {"VolumeKind": str(verdict.volume)}
    if verdict.origin == Origin.WRITABLE_LAYER:
        more["UpperLayer"] = True
    elif verdict.origin == Origin.MEMORY:
        more["Memfd"] = True
    return more


# Facts of an exec that have no column of their own.
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


# Names of other users are not looked up, their ids are reported.
def _account(uid: int) -> str:
    return "root" if uid == 0 else str(uid)


# As shells report it: 128 + signal for a killed process (wait(2), bits of the status).
def _exit_code(status: int) -> int:
    killed_by = status & 0x7F
    return 128 + killed_by if killed_by else status >> 8


# Begin of an alert's title. "program" is replaced by the word for the subject.
_CONTENT_TITLE = {
    Content.ADDED: "Program not in the image",
    Content.MODIFIED: "Modified image program",
    Content.RELOCATED: "Relocated image program",
    Content.UNVERIFIED: "Unverified program",
    Content.IDENTICAL: "Image program",
}
_SUBJECT_WORD = {Subject.SCRIPT: "script", Subject.LIBRARY: "library"}
_ORIGIN_PREFIX = {Origin.MEMORY: "Fileless: ", Origin.DELETED: "Deleted: "}


def _title(event: CloudProcessEvent, verdict: Verdict) -> str:
    what = _CONTENT_TITLE[verdict.content].replace("program", _SUBJECT_WORD.get(verdict.subject, "program"))
    what = what.replace("Program", _SUBJECT_WORD.get(verdict.subject, "program").capitalize())
    prefix = _ORIGIN_PREFIX.get(verdict.origin, "")
    where = event.KubernetesPodName or event.ContainerName or event.ContainerId[:12]
    did = _OUTCOME.get(BlockedBy(event.BlockedBy), "was blocked")
    return f"{prefix}{what} {did} in {where}: {event.FileName}"


# By means of blocking; any other means stopped the process before it ran.
_OUTCOME = {BlockedBy.NOTHING: "ran", BlockedBy.VERDICT: "ran and was killed"}


# Facts that rules refer to and that have no column of their own, for the replay of a policy.
def _policy_facts(container: Container) -> dict[str, Any]:
    facts: dict[str, Any] = {"ImageNames": list(container.image_names)} if container.image_names else {}
    if container.namespace_labels is not None:
        facts["NamespaceLabels"] = dict(container.namespace_labels)
    return facts


_NAMES_SHOWN = 5


# Sentence for an alert's description, if the image's name is not certain.
def _ambiguity(event: CloudProcessEvent) -> str:
    names = event.AdditionalFields.get("ImageNames", ())
    if not names:
        return ""
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    listed = ", ".join(names[:_NAMES_SHOWN]) + more
    return f". The image's name is ambiguous: the runtime does not tell which of {listed} the container was made from"


# Sentences for the end of an alert's description. A process that failClosed stopped and whose verdict is no drift
# runs at the next try: the verdict is cached by then.
def _blocking(event: CloudProcessEvent, verdict: Verdict) -> str:
    if event.PolicyAction != Action.BLOCK:
        return ""
    if not event.BlockedBy:
        return f". It was not blocked: {event.AdditionalFields['NotBlocked']}."
    late = " It is not blocked from now on." if verdict.drift == Drift.NO else ""
    return f". It was stopped by {event.BlockedBy}.{late}"


# Techniques of MITRE ATT&CK for Containers, https://attack.mitre.org/matrices/enterprise/containers/
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


# At most one technique each for origin, content and subject, in this order.
def _techniques(verdict: Verdict) -> tuple[str, ...]:
    found = (
        _TECHNIQUE_BY_ORIGIN.get(verdict.origin),
        _TECHNIQUE_BY_CONTENT.get(verdict.content),
        _TECHNIQUE_BY_SUBJECT.get(verdict.subject),
    )
    return tuple(technique for technique in found if technique)
