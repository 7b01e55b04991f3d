"""Policies to sensors, with a server process and sensors on connections of their own."""

from __future__ import annotations

import concurrent.futures
import time

import httpx
import pytest

from tests.server.serving import Served

ALERT = "rules:\n- name: One\n  priority: 1\n  action: alert\n"


@pytest.fixture
def sensor(served: Served) -> httpx.Client:
    """A client with a sensor's token."""
    made = served.admin.post("/tokens", json={"name": "fleet", "scopes": ["sensor"], "days": 1}).json()
    return served.bearer(made["token"])


def put(served: Served, name: str, text: str = ALERT) -> int:
    return int(served.admin.put(f"/policies/{name}", json={"text": text}).json()["version"])


def fetch(client: httpx.Client, cluster: str, *, etag: str = "", wait: float = 0) -> httpx.Response:
    parameters: dict[str, str | float] = {"sensor": "s1", "cluster": cluster, "node": "n1", "wait": wait}
    return client.get("/sensor/policy", params=parameters, headers={"If-None-Match": etag} if etag else {})


def test_a_cluster_without_any_policy(sensor: httpx.Client) -> None:
    assert fetch(sensor, "lonely").status_code == 404


def test_what_runs_is_not_sent_again(served: Served, sensor: httpx.Client) -> None:
    put(served, "steady")
    first = fetch(sensor, "steady")

    assert first.json()["text"] == ALERT
    assert fetch(sensor, "steady", etag=first.headers["ETag"]).status_code == 304


def test_a_sensor_that_waits_has_a_change_at_once(served: Served, sensor: httpx.Client) -> None:
    put(served, "quick")
    etag = fetch(sensor, "quick").headers["ETag"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(fetch, sensor, "quick", etag=etag, wait=30)
        put(served, "quick", ALERT.replace("alert", "block"))
        begun = time.monotonic()
        answer = waiting.result()

    assert (answer.json()["version"], time.monotonic() - begun < 2) == (2, True)


def test_a_cluster_s_own_policy_goes_before_the_default(served: Served, sensor: httpx.Client) -> None:
    put(served, "default")
    assert fetch(sensor, "special").json()["name"] == "default"

    put(served, "special")

    assert fetch(sensor, "special", etag='"default:1"').json()["name"] == "special"


def test_what_each_sensor_runs(served: Served, sensor: httpx.Client) -> None:
    version = put(served, "shown")
    for name, run, error in (("a", version, ""), ("b", version - 1, ""), ("c", version, "line 3: no")):
        parameters = {"sensor": name, "cluster": "shown", "node": f"node-{name}"}
        body = {"name": "shown", "version": run, "error": error}
        assert sensor.put("/sensor/policy", params=parameters, json=body).status_code == 204

    rows = served.user("shown-viewer", "viewer", ["shown"]).get("/policies/sensors").json()["items"]

    assert [(row["sensor"], row["node"], row["version"], row["wanted"], row["current"]) for row in rows] == [
        ("a", "node-a", 1, 1, True), ("b", "node-b", 0, 1, False), ("c", "node-c", 1, 1, False)]  # fmt: skip


def test_a_sensor_s_token_opens_nothing_else(sensor: httpx.Client) -> None:
    assert sensor.get("/policies").status_code == 403
    assert sensor.get("/alerts").status_code == 403


def test_a_person_s_token_is_no_sensor(served: Served) -> None:
    assert fetch(served.user("person", "analyst"), "steady").status_code == 403
