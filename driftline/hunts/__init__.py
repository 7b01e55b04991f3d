"""The library of hunts that ship with driftline: one YAML file per hunt, with samples that test it.

The name of the file is the name of the hunt. ``fires`` lists samples for which the query must return
rows, ``quiet`` samples for which it must return none. A sample has rows by table. A row needs only the
columns that matter to the hunt; the others get default values. A time is written as an age: ``90s``,
``30m``, ``2h``, ``3d``.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

import msgspec

from driftline.errors import InvalidInput
from driftline.events import TABLES

__all__ = ["Hunt", "SampleRows", "find", "load", "parse", "sample_rows"]

SampleRows = Mapping[str, list[dict[str, Any]]]
"""Sample rows by table, as written in the YAML file."""
# The tactics of MITRE ATT&CK (https://attack.mitre.org/tactics/enterprise/), and Overview for hunts that
# summarize rather than detect.
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
SAMPLE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
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
"""Values of the columns that sample rows do not name, by table. All other columns are empty."""
SAMPLE_AGE = "1h"
"""Age of sample rows without a time."""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Hunt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hunt of the library, as in its YAML file. Unknown fields are errors."""

    name: str
    """Name of the file without its suffix."""
    title: str
    """Title, without a full stop."""
    description: str
    """One or two sentences on the activity that the hunt finds."""
    tactic: Tactic
    """MITRE ATT&CK tactic, or ``Overview``."""
    techniques: tuple[str, ...]
    """MITRE ATT&CK technique ids, ``T1059`` or ``T1059.004``."""
    tables: tuple[str, ...]
    """Hunting tables that the query reads."""
    query: str
    """The query in KQL."""
    fires: tuple[SampleRows, ...]
    """Samples for which the query returns rows."""
    quiet: tuple[SampleRows, ...]
    """Samples for which the query returns no rows."""


def load() -> dict[str, Hunt]:
    """Read all hunts of the library; return them by name, in alphabetical order."""
    files = sorted(
        (file for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml")), key=lambda f: f.name
    )
    return {hunt.name: hunt for hunt in (parse(file.name[:-5], file.read_text(encoding="utf-8")) for file in files)}


def find(name: str) -> Hunt:
    """Read one hunt of the library. Raises ``InvalidInput`` if there is no hunt with that name."""
    file = resources.files(__name__) / f"{name}.yaml"
    # The name is the user's: one with a slash or dot could lead to a file outside the library.
    if not name.replace("-", "").isalnum() or not file.is_file():
        raise InvalidInput(f"no hunt {name!r}; `driftline hunt list` lists all hunts")
    return parse(name, file.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Hunt:
    """Parse a hunt from YAML. Raises ``InvalidInput`` for invalid YAML and for unknown or missing fields."""
    import yaml  # noqa: PLC0415 -- hunts that are not of the library do without

    try:
        return msgspec.convert({"name": name, **yaml.safe_load(text)}, Hunt)
    except (yaml.YAMLError, msgspec.ValidationError, TypeError) as error:
        raise InvalidInput(f"the hunt {name}: {error}") from error


def sample_rows(sample: SampleRows, now: datetime.datetime) -> dict[str, list[dict[str, Any]]]:
    """Return a sample's rows with all columns of their tables.

    ``Timestamp`` is ``now`` (aware, UTC) minus the age in the sample; columns without a value get their
    default. Raises ``InvalidInput`` for a column that the table does not have.
    """
    return {table: [_row(table, row, now) for row in rows] for table, rows in sample.items()}


# Missing texts are empty and other missing values null, as in rows of the sensor.
def _row(table: str, row: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    empty = {column.name: "" if column.type == "string" else None for column in TABLES[table].columns}
    unknown = row.keys() - empty.keys()
    if unknown:
        raise InvalidInput(f"{table} has no column {', '.join(sorted(unknown))}")
    time = {"Timestamp": now - _age(str(row.get("Timestamp", SAMPLE_AGE)))}
    return {**empty, **SAMPLE_DEFAULTS.get(table, {}), **row, **time}


def _age(text: str) -> datetime.timedelta:
    return datetime.timedelta(**{_UNITS[text[-1]]: float(text[:-1])})
