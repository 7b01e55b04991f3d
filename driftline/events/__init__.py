"""Frozen records at every border: hunting-table rows, containers, and the words of drift."""

from driftline.events._record import Column, Dynamic, Record, columns
from driftline.events.container import Container, VolumeMount
from driftline.events.process import CloudProcessEvent
from driftline.events.words import Action, Content, Drift, Origin, Subject, Verdict, VolumeKind

__all__ = [
    "Action",
    "CloudProcessEvent",
    "Column",
    "Container",
    "Content",
    "Drift",
    "Dynamic",
    "Origin",
    "Record",
    "Subject",
    "Verdict",
    "VolumeKind",
    "VolumeMount",
    "columns",
]
