"""The table ``CloudProcessEvents``: executions in the containers of a cluster.

Names, order and types of the columns up to ``AdditionalFields`` are those of Defender's advanced hunting
(https://learn.microsoft.com/defender-xdr/advanced-hunting-cloudprocessevents-table), so that published
queries run unchanged; driftline's own columns follow.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from driftline.events._record import Dynamic, Record, doc

__all__ = ["CloudProcessEvent"]

Text = str
Time = datetime.datetime


class CloudProcessEvent(Record, frozen=True, kw_only=True):
    """A row of ``CloudProcessEvents``: a process start or end, a denied exec, a library load or a script read.

    Process ids are those of the node. Paths, names and arguments come from the container and are encoded by
    ``events.text``, so that bytes that are not UTF-8 are kept. The columns from ``Drift`` to
    ``PolicyAction`` are empty for events without a verdict.
    """

    # Columns of Defender's advanced hunting.
    Timestamp: Annotated[Time, doc("Time of the event on the node, UTC")]
    AzureResourceId: Annotated[Text, doc("Azure resource of the cluster")] = ""
    AwsResourceName: Annotated[Text, doc("Amazon resource name of the cluster")] = ""
    GcpFullResourceName: Annotated[Text, doc("Google Cloud resource name of the cluster")] = ""
    ContainerImageName: Annotated[Text, doc("Image reference the container was started from")] = ""
    KubernetesNamespace: Annotated[Text, doc("Namespace of the pod")] = ""
    KubernetesPodName: Annotated[Text, doc("Name of the pod")] = ""
    KubernetesResource: Annotated[Text, doc("Workload that owns the pod, as Kind/name")] = ""
    ContainerName: Annotated[Text, doc("Name of the container in its pod")] = ""
    ContainerId: Annotated[Text, doc("Container id, 64 hexadecimal digits for containerd and CRI-O")] = ""
    ActionType: Annotated[
        Text,
        doc(
            "Kind of event: ProcessCreated, ProcessEnded, ProcessDenied, LibraryLoaded or ScriptRead; ProcessFound, "
            "LibraryFound or ScriptFound for what ran before the sensor"
        ),
    ] = ""
    FileName: Annotated[Text, doc("Name of the executed file, without its folder")] = ""
    FolderPath: Annotated[Text, doc("Folder of the executed file, in the container")] = ""
    ProcessId: Annotated[int | None, doc("Process id on the node")] = None
    ProcessName: Annotated[Text, doc("Name of the process's program file")] = ""
    ParentProcessName: Annotated[Text, doc("Name of the parent process's program file")] = ""
    ParentProcessId: Annotated[Text, doc("Process id of the parent process on the node")] = ""
    ProcessCommandLine: Annotated[Text, doc("Arguments of the process, joined by spaces, quoted where needed")] = ""
    ProcessCreationTime: Annotated[Time | None, doc("Time when the process was forked, UTC")] = None
    ProcessCurrentWorkingDirectory: Annotated[Text, doc("Working directory of the process in the container")] = ""
    AccountName: Annotated[Text, doc("User of the process: root, or the uid as text")] = ""
    LogonId: Annotated[int | None, doc("Audit session id of the process; null if unset")] = None
    InitiatingProcessId: Annotated[Text, doc("Process id of the process that started this one")] = ""
    AdditionalFields: Annotated[Dynamic, doc("Additional data on the event, as a property bag")] = {}
    # Columns of driftline: the node and image, the verdict, the policy's decision, and stable ids.
    ClusterName: Annotated[Text, doc("Name of the cluster, from the sensor's settings")] = ""
    NodeName: Annotated[Text, doc("Name of the node")] = ""
    ImageDigest: Annotated[Text, doc("Digest of the image, sha256:…")] = ""
    SHA256: Annotated[Text, doc("SHA-256 of the executed file; empty if it was not read")] = ""
    FileSize: Annotated[int | None, doc("Size of the executed file in bytes")] = None
    Drift: Annotated[Text, doc("Whether the execution drifted from the image: yes, no or unknown")] = ""
    DriftSubject: Annotated[Text, doc("Kind of executed file: binary, script, library or loader")] = ""
    DriftOrigin: Annotated[
        Text,
        doc("Location of the file: image, writable-layer, volume, tmpfs, memory, deleted, host or unknown"),
    ] = ""
    DriftContent: Annotated[
        Text, doc("Relation of the file to the image: identical, relocated, modified, added or unverified")
    ] = ""
    DriftReason: Annotated[Text, doc("Reason of the verdict in words")] = ""
    PolicyRule: Annotated[Text, doc("Name of the drift rule that decided")] = ""
    PolicyAction: Annotated[Text, doc("Action of the drift rule: ignore, alert or block")] = ""
    ProcessKey: Annotated[Text, doc("Id of the process that is not reused, unlike its process id")] = ""
    ParentProcessKey: Annotated[Text, doc("Id of the parent process that is not reused")] = ""
    SessionKey: Annotated[Text, doc("Id of the exec session; empty for the container's own processes")] = ""
    PodLabels: Annotated[Dynamic, doc("Labels of the pod")] = {}
    PodUid: Annotated[Text, doc("Uid of the pod")] = ""
    BlockedBy: Annotated[
        Text, doc("How it was blocked: LSM denial, or SIGKILL at exec, at open, at mmap or after the verdict")
    ] = ""
    ExitCode: Annotated[int | None, doc("Exit code of an ended process; 128 + signal if a signal ended it")] = None
    WriteTime: Annotated[
        Time | None, doc("Time when the bytes of the executed file were last changed, UTC; null if that was not seen")
    ] = None
    WriteOperation: Annotated[
        Text, doc("Kind of that change: write, truncate, allocate, mapping or copy; empty if it was not seen")
    ] = ""
    WriterProcessId: Annotated[int | None, doc("Process id of the writer, the process that changed the file")] = None
    WriterProcessKey: Annotated[Text, doc("Id of the writer that is not reused")] = ""
    WriterProcessName: Annotated[Text, doc("Short name of the writer in the kernel, at most 15 bytes")] = ""
    WriterProcessCommandLine: Annotated[Text, doc("Arguments of the writer when it wrote, at most 256 bytes")] = ""
    WriterProcessCreationTime: Annotated[Time | None, doc("Time when the writer was forked, UTC")] = None
    WriterPlace: Annotated[
        Text,
        doc("Place of the writer: container (the same one), other-container, node, or empty if it is not known"),
    ] = ""
    WriterContainerId: Annotated[Text, doc("Container of the writer; empty for a process of the node")] = ""
    WriterContainerName: Annotated[Text, doc("Name of the writer's container in its pod")] = ""
    WriterKubernetesNamespace: Annotated[Text, doc("Namespace of the writer's pod")] = ""
    WriterKubernetesPodName: Annotated[Text, doc("Name of the writer's pod")] = ""
