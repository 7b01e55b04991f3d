"""Policies of a running server: written to the cache, and acknowledged from the sensor's rows."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.events import SensorHealth
from driftline.sensor.policy import cache
from driftline.sensor.policy.cache import FILE
from driftline.sensor.shipping import launcher
from driftline.sensor.shipping.policy_subscriber import PolicySubscriber
from tests.server import joining, serving

ALERT = "rules:\n- name: One\n  priority: 1\n  action: alert\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.serve(tmp_path_factory.mktemp("server"), sensors=True) as running:
        yield running


def follow(served: serving.Served, state: Path) -> PolicySubscriber:
    """Subscribe as the sensor of a cluster that is named like its state directory."""
    token = joining.join_token(served, state.name)
    launcher.enrol(state, served.url, token=token, cluster=state.name, node="n")
    subscriber = PolicySubscriber(state, served.url)
    subscriber.start()
    return subscriber


def put(served: serving.Served, name: str, text: str = ALERT) -> None:
    assert served.admin.put(f"/policies/{name}", json={"text": text}).status_code == 200


def say(subscriber: PolicySubscriber, action: str, label: str, reason: str = "") -> None:
    now = datetime.datetime.now(datetime.UTC)
    subscriber.observe(
        SensorHealth(Timestamp=now, ActionType=action, Reason=reason, AdditionalFields={"Policy": label})
    )


def kept(state: Path) -> str:
    found = cache.read_intact(state / FILE)
    return found.label if found else ""


def shown(served: serving.Served, cluster: str) -> list[dict[str, Any]]:
    items = served.admin.get("/policies/sensors").json()["items"]
    return [item for item in items if item["cluster"] == cluster]


def test_versions_arrive_and_the_sensor_acknowledges_them(served: serving.Served, tmp_path: Path) -> None:
    subscriber = follow(served, tmp_path / "told")
    put(served, "told")
    serving.wait_until(lambda: kept(tmp_path / "told") == "told:1")
    say(subscriber, "PolicyChanged", "told:1")
    serving.wait_until(lambda: [row["current"] for row in shown(served, "told")] == [True])

    put(served, "told", ALERT + "# again\n")
    serving.wait_until(lambda: kept(tmp_path / "told") == "told:2")
    say(subscriber, "PolicyRefused", "told:2", "line 3: no")

    serving.wait_until(lambda: [row["error"] for row in shown(served, "told")] == ["line 3: no"])
    assert cache.read_intact(tmp_path / "told" / cache.LAST_GOOD)


def test_a_starting_sensor_acknowledges_the_policy_in_force(served: serving.Served, tmp_path: Path) -> None:
    put(served, "starts")
    subscriber = follow(served, tmp_path / "starts")
    say(subscriber, "SensorStarted", "starts:1")

    serving.wait_until(lambda: [row["version"] for row in shown(served, "starts")] == [1])


def test_an_edited_cached_policy_is_fetched_again(served: serving.Served, tmp_path: Path) -> None:
    state = tmp_path / "edited"
    put(served, "edited")
    follow(served, state)
    serving.wait_until(lambda: kept(state) == "edited:1")
    (state / FILE).write_text("rules: []")
    subscriber = PolicySubscriber(state, served.url)  # as after a restart; a running one finds it at its next poll
    subscriber.start()

    serving.wait_until(lambda: kept(state) == "edited:1")
