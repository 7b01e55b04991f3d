"""A whole server whose state is in a PostgreSQL server, from its first start over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from driftline import wire
from driftline.events import Alert
from driftline.events.alerts import alert_evidence, alert_info
from tests.server import postgres, raising, sensors, serving
from tests.server.gateways import send

pytestmark = [postgres.needs_postgres, pytest.mark.timeout(600)]


def body(alerts: list[Alert]) -> bytes:
    rows: dict[str, list[Any]] = {
        "CloudProcessEvents": [each.event for each in alerts],
        "AlertInfo": [alert_info(each) for each in alerts],
        "AlertEvidence": [row for each in alerts for row in alert_evidence(each)],
    }
    return wire.encode({name: wire.table(name, found) for name, found in rows.items()})


def titles(client: httpx.Client, **filters: str) -> list[tuple[str, int]]:
    found = client.get("/alerts", params=filters).raise_for_status().json()["items"]
    return sorted((each["image"], each["count"]) for each in found)


def test_a_server_over_postgresql_takes_alerts_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    with postgres.cluster() as cluster:
        flags = ("--set", f"database={postgres.new_database(cluster)}", "--set", "sensor_names=localhost")
        with serving.serve(tmp_path, *flags[:2], sensors=True) as served:
            viewer = served.user("ada", "viewer", ["prod"])
            sensor = sensors.enrolled(served, "node-1", "prod")
            shop = [raising.alert(image="shop/web:1", pod=f"web-{number}") for number in range(3)]
            sent = body([*shop, raising.alert(image="bank/api:7", sha256="cd" * 32, namespace="payments")])
            assert send(sensor, sent, 1).raise_for_status().json()["stored"] > 0
            everything = [("bank/api:7", 1), ("shop/web:1", 3)]

            serving.wait_until(lambda: titles(viewer) == everything)
            assert titles(viewer, text="bank/ap") == titles(viewer, namespace="payments") == [("bank/api:7", 1)]
            assert titles(viewer, text="nothing of it") == []
            assert titles(served.user("bob", "viewer", ["staging"])) == []
            assert served.admin.get("/audit", params={"action": "user.make"}).json()["items"][0]["detail"]
            assert serving.stop(served.process) == 0

            process = serving.start(tmp_path, *flags)
            try:
                serving.wait_until(lambda: serving.answers(served.url, served.trust))
                assert titles(viewer) == everything
                assert send(sensor, sent, 1).json()["stored"] == 0
                later = raising.alert(image="bank/api:7", sha256="cd" * 32, namespace="payments")
                assert send(sensor, body([later]), 1_000).json()["stored"] > 0
                serving.wait_until(lambda: titles(viewer, text="bank") == [("bank/api:7", 2)])
            finally:
                serving.stop(process)

    assert not (tmp_path / "data" / "state.db").exists()
