"""Options that several commands have in common, each with its help text written once.

A command annotates its parameter with one of these types; the help text, the environment variable
and the treatment of ``--no-X`` come from here. The default stays in the signature of the command,
because it differs from command to command.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from driftline.cli._shared import completers

__all__ = [
    "DEFAULT_IMAGES",
    "DEFAULT_STORE",
    "AlertFilter",
    "Content",
    "DataDirectory",
    "Flag",
    "Follow",
    "Images",
    "ItemOutput",
    "Limit",
    "NodeRuntime",
    "ObjectOutput",
    "OptionalStore",
    "Repeated",
    "RowOutput",
    "Runtime",
    "Since",
    "Store",
    "Until",
    "WorkloadFilter",
    "hide_empty_default",
]

DEFAULT_STORE = Path("/var/lib/driftline/store")
DEFAULT_IMAGES = Path("/var/lib/driftline/images")

Flag = Annotated[bool, Parameter(negative=())]
"""A flag without a ``--no-X`` form."""

Repeated = Annotated[list[str] | None, Parameter(negative=())]
"""An option that may be given several times; ``None`` if it is not given."""

# Places

Store = Annotated[Path, Parameter(env_var="DRIFTLINE_STORE", help="Directory of the event store.")]

OptionalStore = Annotated[
    Path | None,
    Parameter(
        env_var="DRIFTLINE_STORE",
        help="Directory of an event store, to read it without a server. Default: the server you are logged in to, "
        f"else {DEFAULT_STORE}.",
    ),
]

DataDirectory = Annotated[
    Path | None,
    Parameter(
        env_var="DRIFTLINE_SERVER_DATA",
        help="State directory of a server on this machine, to work without its API. Default: use the API of the "
        "server you are logged in to.",
    ),
]

Runtime = Annotated[
    str,
    Parameter(help="Path of the container runtime's socket. Default: the first usual socket that exists."),
]

NodeRuntime = Annotated[Runtime, Parameter(env_var="CONTAINER_RUNTIME_ENDPOINT")]
"""The runtime of this node, also from the variable that ``crictl`` reads."""

Images = Annotated[
    Path, Parameter(help="Directory of the cached image indexes; a missing index is built and kept there.")
]

# Rows of the store: time range, filters, number

Since = Annotated[
    str,
    Parameter(
        help="Start of the time range: a span back from now (90s, 15m, 1h, 7d), or an ISO 8601 time, which is local "
        'time without an offset; "" for no start.'
    ),
]

Until = Annotated[
    str, Parameter(help="End of the time range, not included, in the same format as --since. Default: no end.")
]

Content = Annotated[
    str,
    Parameter(
        help="Show only rows with this relation of the content to the image: identical, added, modified, relocated or "
        "unverified. Default: all."
    ),
]

Limit = Annotated[int, Parameter(help="Maximum number of rows; the newest are kept.")]

Follow = Annotated[bool, Parameter(help="Continue with new rows as they arrive, until interrupted by Ctrl-C.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WorkloadFilter:
    """Filters by the container that a row is about; an empty value does not filter.

    Parameters
    ----------
    namespace
        Show only rows of this Kubernetes namespace. Default: all.
    pod
        Show only rows of the pod with this name. Default: all.
    container
        Show only rows of containers with this name in their pod. Default: all.
    image
        Show only rows of containers with this image reference. Default: all.
    """

    namespace: str = ""
    pod: Annotated[str, Parameter(completer=completers.pods)] = ""
    container: str = ""
    image: str = ""

    def columns(self) -> dict[str, str]:
        """Return the wanted values by column of ``CloudProcessEvents``; an empty value does not filter."""
        return {
            "KubernetesNamespace": self.namespace,
            "KubernetesPodName": self.pod,
            "ContainerName": self.container,
            "ContainerImageName": self.image,
        }


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AlertFilter:
    """Filters of the alerts of a server, as its API has them; an empty value does not filter.

    Parameters
    ----------
    id
        Show only alerts with an id that begins so. Default: all.
    status
        Show only alerts with this status: new, "in progress" or resolved. Default: all.
    severity
        Show only alerts of this severity: Informational, Low, Medium or High. Default: all.
    classification
        Show only alerts with this classification: "true positive", benign or "false positive". Default: all.
    assignee
        Show only alerts that are assigned to this user. Default: all.
    cluster
        Show only alerts of this cluster. Default: all clusters that you may see.
    namespace
        Show only alerts that occurred in this namespace. Default: all.
    workload
        Show only alerts that occurred in this workload, such as Deployment/web. Default: all.
    pod
        Show only alerts that occurred in this pod. Default: all.
    node
        Show only alerts that occurred on this node. Default: all.
    image
        Show only alerts of this image reference. Default: all.
    sha256
        Show only alerts of the file with this digest. Default: all.
    rule
        Show only alerts of this drift rule. Default: all.
    text
        Show only alerts with this text in the title, path, image, hash, namespace, workload, pod or node. Default: all.
    suppressed
        Include alerts that a suppression rule resolved.
    """

    id: str = ""
    status: str = ""
    severity: str = ""
    classification: str = ""
    assignee: str = ""
    cluster: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    node: str = ""
    image: str = ""
    sha256: str = ""
    rule: str = ""
    text: str = ""
    suppressed: Flag = False

    def parameters(self) -> dict[str, Any]:
        """Return the query parameters of ``GET /alerts``, without empty ones."""
        return {name: value for name, value in asdict(self).items() if value}


# Output formats

RowOutput = Annotated[
    Literal["table", "json", "jsonl", "yaml"],
    Parameter(
        help="Output format: table for people, json for one array (one object a line with --follow), jsonl for one "
        "object a line, yaml for one list."
    ),
]

ItemOutput = Annotated[
    Literal["table", "json"],
    Parameter(help="Output format: table for people, json for an array of objects with all fields."),
]

ObjectOutput = Annotated[
    Literal["table", "json"], Parameter(help="Output format: table for people, json for one object.")
]


def hide_empty_default(default: Any) -> str | None:
    """Return a default as the help shows it; ``None`` for an empty text or ``False``, which say nothing."""
    return None if default in ("", False, None) else str(default)
