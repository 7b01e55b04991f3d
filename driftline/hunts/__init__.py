"""The library of hunts that ship with driftline: a YAML file each, with rows that prove it.

A file's name is the hunt's name. ``fires`` lists cases in which the hunt must find something,
``quiet`` such in which it must not; a case gives rows by table, of which only the columns that
matter are written. A time is written as how long ago it was: ``90s``, ``2h``, ``3d``.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

import msgspec
import yaml

from driftline.errors import InvalidInput
from driftline.events import TABLES

__all__ = ["Case", "Hunt", "find", "load", "parse", "sample_rows"]

Case = Mapping[str, list[dict[str, Any]]]
"""Rows by table."""
Tactic = Literal[
    "Initial access",
    "Execution",
    "Persistence",
    "Privilege escalation",
    "Defense evasion",
    "Credential access",
    "Discovery",
    "Lateral movement",
    "Command and control",
    "Exfiltration",
    "Impact",
    "Overview",
]
USUAL: Mapping[str, Mapping[str, Any]] = {
    "CloudProcessEvents": {
        "ActionType": "ProcessCreated",
        "ClusterName": "prod",
        "KubernetesNamespace": "shop",
        "KubernetesPodName": "cart-0",
        "KubernetesResource": "StatefulSet/cart",
        "ContainerName": "cart",
        "ContainerId": "c1",
        "ContainerImageName": "registry.example/cart:1",
    },
    "CloudAuditEvents": {"ClusterName": "prod", "DataSource": "Kubernetes Audit"},
    "SensorHealth": {"ClusterName": "prod", "NodeName": "node-1"},
}
"""What sample rows hold in columns they do not name."""
USUAL_AGE = "1h"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Hunt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hunt: what it looks for, where, and the rows that show it does."""

    name: str
    title: str
    description: str
    tactic: Tactic
    techniques: tuple[str, ...]
    """MITRE ATT&CK technique ids."""
    tables: tuple[str, ...]
    query: str
    fires: tuple[Case, ...]
    quiet: tuple[Case, ...]


def load() -> dict[str, Hunt]:
    """Read all hunts, by name in alphabetical order."""
    files = sorted(
        (file for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml")), key=lambda f: f.name
    )
    return {hunt.name: hunt for hunt in (parse(file.name[:-5], file.read_text(encoding="utf-8")) for file in files)}


def find(name: str) -> Hunt:
    """Read one hunt; raises ``InvalidInput`` for a name that is none."""
    file = resources.files(__name__) / f"{name}.yaml"
    if not name.replace("-", "").isalnum() or not file.is_file():
        raise InvalidInput(f"no hunt {name!r}; `driftline hunt --list` names them all")
    return parse(name, file.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Hunt:
    """Read a hunt's YAML; raises ``InvalidInput``."""
    try:
        return msgspec.convert({"name": name, **yaml.safe_load(text)}, Hunt)
    except (yaml.YAMLError, msgspec.ValidationError, TypeError) as error:
        raise InvalidInput(f"the hunt {name}: {error}") from error


def sample_rows(case: Case, now: datetime.datetime) -> dict[str, list[dict[str, Any]]]:
    """Complete a case's rows: every column of their tables, times from how long ago they were."""
    return {table: [_row(table, row, now) for row in rows] for table, rows in case.items()}


def _row(table: str, row: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    empty = {column.name: "" if column.type == "string" else None for column in TABLES[table].columns}
    unknown = row.keys() - empty.keys()
    if unknown:
        raise InvalidInput(f"{table} has no column {', '.join(sorted(unknown))}")
    when = {"Timestamp": now - _age(str(row.get("Timestamp", USUAL_AGE)))}
    return {**empty, **USUAL.get(table, {}), **row, **when}


def _age(text: str) -> datetime.timedelta:
    return datetime.timedelta(**{_UNITS[text[-1]]: float(text[:-1])})
