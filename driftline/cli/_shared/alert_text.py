"""Rendering of an alert for a terminal: program, container, image, reason and process tree."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from driftline.printable import escape_unprintable

__all__ = ["render"]

_STYLES = {"High": "bold white on red", "Medium": "bold red", "Low": "yellow", "Informational": "cyan"}
_LABEL_WIDTH = 9


def render(alert: Mapping[str, Any]) -> Text:
    """Return an alert as lines of styled text.

    ``alert`` has the fields that ``driftline alerts --output json`` prints. The time is shown in the time
    zone of this machine, to the millisecond. Unprintable characters are escaped: names and command lines
    come from the container and must not control the terminal.
    """
    severity = str(alert["Severity"])
    text = Text()
    text.append(f"{_time(alert['Timestamp'])} ", style="dim")
    text.append(f" {severity.upper()} ", style=_STYLES.get(severity, ""))
    text.append(f" {escape_unprintable(str(alert['Title']))}\n", style="bold")
    for label, value in _lines(alert):
        text.append(f"  {label:<{_LABEL_WIDTH}}", style="dim")
        text.append(f"{value}\n")
    return text


def _lines(alert: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    image = f"{alert.get('ContainerImageName', '')}  {alert.get('ImageDigest', '')}"
    tree = _tree(alert.get("ProcessTree") or (), alert)
    return (
        ("ran", _ran(alert)),
        ("where", escape_unprintable(_where(alert))),
        ("image", escape_unprintable(image)),
        ("why", escape_unprintable(str(alert.get("Description", "")))),
        *(("tree" if number == 0 else "", line) for number, line in enumerate(tree)),
        ("rule", escape_unprintable(f"{alert.get('PolicyRule', '')} ({alert.get('PolicyAction', '')})")),
        ("id", escape_unprintable(str(alert["AlertId"]))),
    )


def _ran(alert: Mapping[str, Any]) -> str:
    folder = str(alert.get("FolderPath", "")).rstrip("/")
    words = "  ".join(str(alert.get(name, "")) for name in ("DriftSubject", "DriftContent", "DriftOrigin"))
    sha256 = alert.get("SHA256") or "not read"
    return escape_unprintable(f"{folder}/{alert.get('FileName', '')}  [{words}]  sha256 {sha256}")


def _where(alert: Mapping[str, Any]) -> str:
    parts = ("ClusterName", "NodeName", "KubernetesNamespace", "KubernetesPodName", "ContainerName")
    named = " / ".join(str(alert[part]) for part in parts if alert.get(part))
    return f"{named}  ({str(alert.get('ContainerId', ''))[:12]})"


def _tree(nodes: Sequence[Mapping[str, Any]], alert: Mapping[str, Any]) -> list[str]:
    above = [f"{node['command_line'] or node['program']}  {node['pid']}" for node in reversed(nodes)]
    branches = [*above, f"{alert.get('ProcessCommandLine', '')}  {alert.get('ProcessId', '')}"]
    return [_indent(depth) + escape_unprintable(branch) for depth, branch in enumerate(branches)]


def _indent(depth: int) -> str:
    return "  " * (depth - 1) + "└ " if depth else ""


def _time(value: object) -> str:
    time = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(str(value))
    return time.astimezone().strftime("%H:%M:%S.%f")[:-3]
