"""Migration of alerts that were counted before their places were kept."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy
from alembic import command

from driftline.server.state import State, alerts
from driftline.server.state.database import _config

TEXTS = ("group_key", "title", "category", "severity", "description", "service_source", "detection_source", "status",
         "cluster", "namespace", "pod", "workload", "image", "image_digest", "sha256", "path", "rule")  # fmt: skip


def test_an_earlier_alert_becomes_one_place(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        command.upgrade(_config(connection, None), "v0003_sensors")
    with engine.begin() as connection:
        times = dict.fromkeys(("first_seen", "last_seen", "updated_at"), "2026-11-23 12:00:00.000000")
        entities = json.dumps([{"type": "Process", "DeviceName": "node-1"}])
        for number in (1, 2):
            row: dict[str, object] = {name: f"{name}-{number}" for name in TEXTS}
            row |= times | {"id": str(number), "change": number, "techniques": "[]", "entities": entities, "count": 7}
            names = ", ".join(f'"{name}"' for name in row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(sqlalchemy.text(f"INSERT INTO alerts ({names}) VALUES ({values})"), row)
    engine.dispose()

    state = State(url)
    state.migrate()

    with state.reading() as session:
        wanted = alerts.Wanted(clusters=None, place={"namespace": "namespace-2"}, text="TITLE-2")
        [alert] = alerts.list_alerts(session, wanted, after=None, limit=10)
    [place] = alert.places
    assert (alert.id, alert.spread, alert.place_count) == ("2", [["namespace-2", "workload-2"]], 1)
    assert (place.workload, place.pod, place.node, place.count) == ("workload-2", "pod-2", "node-1", 7)
