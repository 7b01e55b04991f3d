"""Delivery of policies by a server process to sensors with certificates and connections of their own."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from driftline.sensor.shipping import credentials
from tests.server import joining, serving

ALERT = "rules:\n- name: One\n  priority: 1\n  action: alert\n"
Join = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.serve(tmp_path_factory.mktemp("server"), sensors=True) as running:
        yield running


@pytest.fixture
def join(served: serving.Served, tmp_path: Path) -> Join:
    """Make a client with a sensor's certificate for a cluster."""

    def joined(cluster: str, node: str = "n1") -> httpx.Client:
        token = joining.join_token(served, cluster)
        known = credentials.enrol(tmp_path / cluster / node, served.url, token=token, node=node)
        client = httpx.Client(base_url=f"{served.url}/api/v1", verify=known.context(), timeout=40)
        return served.stack.enter_context(client)

    return joined


def put(served: serving.Served, name: str, text: str = ALERT) -> int:
    return int(served.admin.put(f"/policies/{name}", json={"text": text}).json()["version"])


def fetch(client: httpx.Client, *, etag: str = "", wait: float = 0) -> httpx.Response:
    headers = {"If-None-Match": etag} if etag else {}
    return client.get("/sensor/policy", params={"wait": wait}, headers=headers)


def test_a_sensor_without_a_policy_gets_the_first_one(served: serving.Served, join: Join) -> None:
    sensor = join("lonely")
    assert fetch(sensor).status_code == 404
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(fetch, sensor, wait=30)
        put(served, "lonely")

        assert waiting.result().json()["version"] == 1


def test_the_version_that_a_sensor_runs_is_not_sent_again(served: serving.Served, join: Join) -> None:
    put(served, "steady")
    sensor = join("steady")
    first = fetch(sensor)

    assert first.json()["text"] == ALERT
    assert fetch(sensor, etag=first.headers["ETag"]).status_code == 304


def test_a_waiting_sensor_gets_a_new_version_at_once(served: serving.Served, join: Join) -> None:
    put(served, "quick")
    sensor = join("quick")
    etag = fetch(sensor).headers["ETag"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(fetch, sensor, etag=etag, wait=30)
        put(served, "quick", ALERT.replace("alert", "block"))
        begun = time.monotonic()
        answer = waiting.result()

    assert (answer.json()["version"], time.monotonic() - begun < 2) == (2, True)


def test_the_policy_of_a_cluster_takes_precedence_over_the_default(served: serving.Served, join: Join) -> None:
    put(served, "default")
    sensor = join("special")
    assert fetch(sensor).json()["name"] == "default"

    put(served, "special")

    assert fetch(sensor, etag='"default:1"').json()["name"] == "special"


def test_the_version_of_each_sensor_is_listed(served: serving.Served, join: Join) -> None:
    version = put(served, "shown")
    for node, run, error in (("a", version, ""), ("b", version - 1, ""), ("c", version, "line 3: no")):
        body = {"name": "shown", "version": run, "error": error}
        assert join("shown", node).put("/sensor/policy", json=body).status_code == 204

    rows = served.user("shown-viewer", "viewer", ["shown"]).get("/policies/sensors").json()["items"]

    assert sorted((row["node"], row["version"], row["wanted"], row["current"]) for row in rows) == [
        ("a", 1, 1, True), ("b", 0, 1, False), ("c", 1, 1, False)]  # fmt: skip


def test_a_request_without_a_certificate_gets_no_policy(served: serving.Served) -> None:
    assert fetch(served.admin).status_code == 401


def test_a_sensor_cannot_use_endpoints_of_users(join: Join) -> None:
    sensor = join("narrow")
    assert [sensor.get(path).status_code for path in ("/policies", "/alerts")] == [401, 401]
