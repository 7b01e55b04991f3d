"""``CloudProcessEvents``: what ran in the containers of a cluster.

Names, order and types of the columns up to ``AdditionalFields`` are those of Defender's
advanced hunting, so that published queries run unchanged; driftline's own come after.
"""

from __future__ import annotations

import datetime
from typing import Annotated

from driftline.events._record import Dynamic, Record, doc

__all__ = ["CloudProcessEvent"]

Text = str
Time = datetime.datetime


class CloudProcessEvent(Record, frozen=True, kw_only=True):
    """One process start, process end, library load or script read in a container."""

    Timestamp: Annotated[Time, doc("When it happened on the node, UTC")]
    AzureResourceId: Annotated[Text, doc("Azure resource of the cluster")] = ""
    AwsResourceName: Annotated[Text, doc("Amazon resource name of the cluster")] = ""
    GcpFullResourceName: Annotated[Text, doc("Google Cloud resource name of the cluster")] = ""
    ContainerImageName: Annotated[Text, doc("Image reference the container was started from")] = ""
    KubernetesNamespace: Annotated[Text, doc("Namespace of the pod")] = ""
    KubernetesPodName: Annotated[Text, doc("Name of the pod")] = ""
    KubernetesResource: Annotated[Text, doc("Workload that owns the pod, as Kind/name")] = ""
    ContainerName: Annotated[Text, doc("Name of the container in its pod")] = ""
    ContainerId: Annotated[Text, doc("Container id, 64 hexadecimal digits for containerd and CRI-O")] = ""
    ActionType: Annotated[Text, doc("ProcessCreated, ProcessEnded, ProcessDenied, LibraryLoaded or ScriptRead")] = ""
    FileName: Annotated[Text, doc("Name of the file that ran, without its folder")] = ""
    FolderPath: Annotated[Text, doc("Folder of the file that ran, in the container")] = ""
    ProcessId: Annotated[int | None, doc("Process id on the node")] = None
    ProcessName: Annotated[Text, doc("Name of the process's program file")] = ""
    ParentProcessName: Annotated[Text, doc("Name of the parent's program file")] = ""
    ParentProcessId: Annotated[Text, doc("Parent's process id on the node")] = ""
    ProcessCommandLine: Annotated[Text, doc("Arguments, joined by spaces, quoted where needed")] = ""
    ProcessCreationTime: Annotated[Time | None, doc("When the process was forked, UTC")] = None
    ProcessCurrentWorkingDirectory: Annotated[Text, doc("Working directory in the container")] = ""
    AccountName: Annotated[Text, doc("User the process runs as: root, or the uid as text")] = ""
    LogonId: Annotated[int | None, doc("Audit session id of the process; null when unset")] = None
    InitiatingProcessId: Annotated[Text, doc("Process id of the process that started it")] = ""
    AdditionalFields: Annotated[Dynamic, doc("More about the event, as a property bag")] = {}
    ClusterName: Annotated[Text, doc("Name of the cluster, from the sensor's settings")] = ""
    NodeName: Annotated[Text, doc("Name of the node")] = ""
    ImageDigest: Annotated[Text, doc("Digest of the image, sha256:…")] = ""
    SHA256: Annotated[Text, doc("SHA-256 of the file that ran; empty if it was not read")] = ""
    FileSize: Annotated[int | None, doc("Size of the file in bytes")] = None
    Drift: Annotated[Text, doc("yes, no or unknown")] = ""
    DriftSubject: Annotated[Text, doc("binary, script, library or loader")] = ""
    DriftOrigin: Annotated[Text, doc("Where the bytes lie: image, writable-layer, volume …")] = ""
    DriftContent: Annotated[Text, doc("identical, relocated, modified, added or unverified")] = ""
    DriftReason: Annotated[Text, doc("The verdict in words")] = ""
    PolicyRule: Annotated[Text, doc("Name of the drift rule that decided")] = ""
    PolicyAction: Annotated[Text, doc("ignore, alert or block")] = ""
    ProcessKey: Annotated[Text, doc("Stable id of the process over reuse of its number")] = ""
    ParentProcessKey: Annotated[Text, doc("Stable id of the parent")] = ""
    SessionKey: Annotated[Text, doc("Stable id of the exec session; empty for the container's own processes")] = ""
    PodLabels: Annotated[Dynamic, doc("Labels of the pod")] = {}
    PodUid: Annotated[Text, doc("Uid of the pod")] = ""
    BlockedBy: Annotated[
        Text, doc("What stopped it: LSM denial or SIGKILL at exec, open, mmap, or after the verdict")
    ] = ""
    ExitCode: Annotated[int | None, doc("Exit code of an ended process; 128 + signal if a signal ended it")] = None
