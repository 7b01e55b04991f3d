"""An alert for people: what ran, where, how it relates to the image, from which processes."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

__all__ = ["render", "safe"]

_STYLES = {"High": "bold white on red", "Medium": "bold red", "Low": "yellow", "Informational": "cyan"}
_LABEL_WIDTH = 9


def safe(value: object) -> str:
    """Escape what a terminal would act on: control characters, and marks that turn the text."""
    return "".join(char if char.isprintable() else _escape(char) for char in str(value))


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def render(alert: Mapping[str, Any]) -> Text:
    """Render an alert, given as the columns of ``driftline alerts --output json``."""
    severity = str(alert["Severity"])
    text = Text()
    text.append(f"{_time(alert['Timestamp'])} ", style="dim")
    text.append(f" {severity.upper()} ", style=_STYLES.get(severity, ""))
    text.append(f" {safe(alert['Title'])}\n", style="bold")
    for label, value in _lines(alert):
        text.append(f"  {label:<{_LABEL_WIDTH}}", style="dim")
        text.append(f"{value}\n")
    return text


def _lines(alert: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    image = f"{alert.get('ContainerImageName', '')}  {alert.get('ImageDigest', '')}"
    tree = _tree(alert.get("ProcessTree") or (), alert)
    return (
        ("ran", _ran(alert)),
        ("where", safe(_where(alert))),
        ("image", safe(image)),
        ("why", safe(alert.get("Description", ""))),
        *(("tree" if number == 0 else "", line) for number, line in enumerate(tree)),
        ("rule", safe(f"{alert.get('PolicyRule', '')} ({alert.get('PolicyAction', '')})")),
        ("id", safe(alert["AlertId"])),
    )


def _ran(alert: Mapping[str, Any]) -> str:
    folder = str(alert.get("FolderPath", "")).rstrip("/")
    words = "  ".join(str(alert.get(name, "")) for name in ("DriftSubject", "DriftContent", "DriftOrigin"))
    sha256 = alert.get("SHA256") or "not read"
    return safe(f"{folder}/{alert.get('FileName', '')}  [{words}]  sha256 {sha256}")


def _where(alert: Mapping[str, Any]) -> str:
    parts = ("ClusterName", "NodeName", "KubernetesNamespace", "KubernetesPodName", "ContainerName")
    named = " / ".join(str(alert[part]) for part in parts if alert.get(part))
    return f"{named}  ({str(alert.get('ContainerId', ''))[:12]})"


def _tree(nodes: Sequence[Mapping[str, Any]], alert: Mapping[str, Any]) -> list[str]:
    above = [f"{node['command_line'] or node['program']}  {node['pid']}" for node in reversed(nodes)]
    branches = [*above, f"{alert.get('ProcessCommandLine', '')}  {alert.get('ProcessId', '')}"]
    return [("  " * (depth - 1) + "└ " if depth else "") + safe(branch) for depth, branch in enumerate(branches)]


def _time(value: object) -> str:
    time = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(str(value))
    return time.astimezone().strftime("%H:%M:%S.%f")[:-3]
