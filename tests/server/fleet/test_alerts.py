"""Alerts on sensors, with a real server and the sender of a sensor."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from driftline import wire
from driftline.events import SensorHealth
from driftline.sensor.shipping import credentials
from driftline.server.fleet.alerts import FleetAlerts, watching
from tests.server import joining, serving
from tests.server.gateways import send

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    directory = tmp_path_factory.mktemp("server")
    with serving.serve(directory, "--set", "sensor_silent_seconds=3", sensors=True) as running:
        yield running


class Sensor:
    """Sends rows about itself."""

    def __init__(self, served: serving.Served, directory: Path, cluster: str) -> None:
        token = joining.join_token(served, cluster)
        known = credentials.enrol(directory, served.url, token=token, node="n1")
        self.http = served.stack.enter_context(httpx.Client(base_url=served.url, verify=known.context()))
        self.identity, self.number = known.identity, 1

    def say(self, action: str, reason: str = "", *, clock: datetime.timedelta = datetime.timedelta()) -> int:
        """Send one row; ``clock`` is how far the sensor's clock is off."""
        now = datetime.datetime.now(datetime.UTC) + clock
        row = SensorHealth(
            Timestamp=now, ClusterName=self.identity.cluster, NodeName="n1", ActionType=action, Reason=reason, Count=7
        )
        self.number += 1
        body = wire.encode({"SensorHealth": wire.table("SensorHealth", [row])})
        return send(self.http, body, self.number, when=now).status_code


def found(served: serving.Served, cluster: str, status: str) -> list[dict[str, Any]]:
    answer = served.admin.get("/alerts", params={"cluster": cluster, "status": status})
    return list(answer.json()["items"])


def wait_alert(served: serving.Served, cluster: str, status: str = "new") -> dict[str, Any]:
    [alert] = serving.wait_until(lambda: found(served, cluster, status))
    return dict(alert)


def test_silence_opens_an_alert_and_a_batch_resolves_it(served: serving.Served, tmp_path: Path) -> None:
    sensor = Sensor(served, tmp_path, "silence")
    assert sensor.say("SensorStarted") == 200

    alert = wait_alert(served, "silence")
    sensor.say("Heartbeat")
    resolved = wait_alert(served, "silence", "resolved")
    history = served.admin.get(f"/alerts/{alert['id']}/history").json()["items"]

    assert (alert["title"], alert["severity"]) == ("Sensor fell silent on n1", "High")
    assert (alert["techniques"], [it["type"] for it in alert["entities"]]) == (["T1562.006"], ["Machine"])
    assert (resolved["id"], history[-1]["actor"], history[-1]["action"]) == (alert["id"], "driftline", "resolve")
    assert wait_alert(served, "silence")["id"] != alert["id"]  # silent again: another alert


def test_a_sensor_that_reported_its_stop_is_not_silent(served: serving.Served, tmp_path: Path) -> None:
    stopped = Sensor(served, tmp_path / "a", "stops")
    other = Sensor(served, tmp_path / "b", "goes-on")
    stopped.say("SensorStopped")
    other.say("SensorStarted")

    wait_alert(served, "goes-on")  # silent by now, as the stopped one would be

    assert found(served, "stops", "new") == []


def test_losses_and_tampering_open_one_alert_each(served: serving.Served, tmp_path: Path) -> None:
    sensor = Sensor(served, tmp_path, "loses")
    sensor.say("EventsLost", "ring full")
    sensor.say("SensorTampered", "the kept policy is not as the server gave it")
    sensor.say("SensorStopped")

    alerts = serving.wait_until(lambda: it if len(it := found(served, "loses", "new")) == 2 else [])

    assert sorted((alert["title"], alert["description"], alert["count"]) for alert in alerts) == [
        ("Sensor loses events on n1", "7 events were lost (ring full)", 1),
        ("Sensor was tampered with on n1", "the kept policy is not as the server gave it", 1),
    ]


def test_a_clock_a_year_off_is_refused_and_opens_an_alert(served: serving.Served, tmp_path: Path) -> None:
    sensor = Sensor(served, tmp_path, "clock")

    assert sensor.say("Heartbeat", clock=datetime.timedelta(days=365)) == 409

    def is_found() -> bool:  # beside the alert that the sensor fell silent, on a slow machine
        return any("31536000 s ahead of the server's" in each["description"] for each in found(served, "clock", "new"))

    serving.wait_until(is_found)


def test_an_alert_on_a_sensor_is_in_the_hunting_tables(served: serving.Served, tmp_path: Path) -> None:
    Sensor(served, tmp_path, "hunted").say("EventsLost", "ring full")
    wait_alert(served, "hunted")
    query = "AlertInfo | join kind=inner AlertEvidence on AlertId | where CloudResource == 'hunted' | project Title"

    answer = served.admin.post("/hunt", json={"query": query})

    assert "Sensor loses events on n1" in answer.text


def test_an_unexpected_error_does_not_end_the_alerts_on_sensors() -> None:
    done = threading.Event()
    turns: list[int] = []

    class Failing(FleetAlerts):
        def turn(self) -> None:
            turns.append(len(turns))
            if len(turns) == 2:
                done.set()
            raise KeyError("a bug")

    watched = Failing(None, None, hub=None, clock=None, note_alerts=None)  # type: ignore[arg-type] # turn uses none
    with watching(watched):
        assert done.wait(60)
