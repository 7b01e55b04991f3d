"""Endpoints of sensors, with a real server and enrolled sensors."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from driftline import wire
from driftline.errors import DriftlineError
from driftline.events import SensorHealth
from driftline.sensor.shipping import credentials
from tests.server import serving
from tests.server.gateways import send

pytestmark = pytest.mark.timeout(240)
POLICY = "rules:\n- name: One\n  priority: 1\n  action: alert\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.serve(tmp_path_factory.mktemp("server"), sensors=True) as running:
        yield running


def join_token(client: httpx.Client, cluster: str, **more: Any) -> httpx.Response:
    return client.post("/join-tokens", json={"cluster": cluster, **more})


def join(served: serving.Served, directory: Path, cluster: str, node: str = "n1") -> httpx.Client:
    """Enrol with a token of the API, and give the sensor's client."""
    token = join_token(served.admin, cluster).json()["token"]
    known = credentials.enrol(directory / cluster / node, served.url, token=token, node=node)
    return served.stack.enter_context(httpx.Client(base_url=served.url, verify=known.context(), timeout=30))


def say(sensor: httpx.Client, cluster: str, action: str, number: int = 1, **columns: Any) -> int:
    now = datetime.datetime.now(datetime.UTC)
    row = SensorHealth(Timestamp=now, ClusterName=cluster, NodeName="n1", ActionType=action, **columns)
    body = wire.encode({"SensorHealth": wire.table("SensorHealth", [row])})
    return send(sensor, body, number).status_code


def sensors(client: httpx.Client, **filters: Any) -> list[dict[str, Any]]:
    return list(client.get("/sensors", params=filters).json()["items"])


def test_a_sensor_is_listed_with_its_report_and_policy(served: serving.Served, tmp_path: Path) -> None:
    served.admin.put("/policies/told", json={"text": POLICY})
    client = join(served, tmp_path, "told")
    told = {"Kernel": {"release": "6.18"}, "Coverage": {"blocking": "armed"}, "Policy": "told:1"}
    say(client, "told", "Heartbeat", AdditionalFields=told)
    say(client, "told", "EventsLost", 2, Reason="ring full", Count=3)
    client.put("/api/v1/sensor/policy", json={"name": "told", "version": 1})

    [found] = sensors(served.admin, cluster="told", problem="losses")

    assert (found["kernel"], found["block_mode"], found["lost"]) == ({"release": "6.18"}, "armed", 3)
    assert found["policy"] == {"running": "told:1", "wanted": "told:1", "current": True, "error": ""}
    assert [it["detail"] for it in found["problems"]] == ["3 events were lost (ring full)"]
    assert served.admin.get(f"/sensors/{found['sensor']}").json() == found
    assert sensors(served.admin, cluster="told", problem="silent") == []


def test_a_revoked_sensor_is_refused_at_once_on_its_open_connection(served: serving.Served, tmp_path: Path) -> None:
    client = join(served, tmp_path, "revoked")
    assert say(client, "revoked", "SensorStarted") == 200
    [found] = sensors(served.admin, cluster="revoked")

    answer = served.admin.post(f"/sensors/{found['sensor']}/revoke", json={"reason": "stolen"})

    assert (answer.status_code, say(client, "revoked", "Heartbeat", 2)) == (204, 401)
    assert sensors(served.admin, cluster="revoked") == []
    [shown] = sensors(served.admin, cluster="revoked", revoked=True)
    assert shown["revoked_for"] == "stolen"
    [entry] = served.admin.get("/audit", params={"action": "sensor.revoke"}).json()["items"]
    assert (entry["target"], entry["detail"]["reason"]) == (found["sensor"], "stolen")


def test_sensors_are_paged_by_cluster_and_node(served: serving.Served, tmp_path: Path) -> None:
    for node in ("b", "a", "c"):
        join(served, tmp_path, "paged", node)
    first = served.admin.get("/sensors", params={"cluster": "paged", "limit": 2}).json()
    second = served.admin.get("/sensors", params={"cluster": "paged", "limit": 2, "cursor": first["next"]}).json()

    assert [it["node"] for it in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next"] == ""


def test_clusters_have_the_numbers_of_sensors_and_problems(served: serving.Served, tmp_path: Path) -> None:
    join(served, tmp_path, "counted")

    clusters = served.user("counter", "viewer", ["counted", "empty"]).get("/clusters").json()

    assert clusters == [{"cluster": "counted", "sensors": 1, "problems": 0}]


def test_sensors_and_tokens_of_other_clusters_are_not_found(served: serving.Served, tmp_path: Path) -> None:
    join(served, tmp_path, "mine")
    join(served, tmp_path, "theirs")
    [theirs] = sensors(served.admin, cluster="theirs")
    viewer = served.user("narrow-viewer", "viewer", ["mine"])
    admin = served.user("narrow-admin", "admin", ["mine"])

    assert {it["cluster"] for it in sensors(viewer)} == {"mine"}
    assert viewer.get(f"/sensors/{theirs['sensor']}").status_code == 404
    assert admin.post(f"/sensors/{theirs['sensor']}/revoke", json={"reason": "no"}).status_code == 404
    assert join_token(admin, "theirs").status_code == 404
    assert join_token(viewer, "mine").status_code == 403


def test_a_removed_join_token_is_refused(served: serving.Served, tmp_path: Path) -> None:
    token = join_token(served.admin, "removed", node="n9").json()["token"]
    [listed] = [it for it in served.admin.get("/join-tokens").json() if it["cluster"] == "removed"]
    assert (listed["node"], listed["made_by"], token.split(".")[2] in str(listed)) == ("n9", "root", False)

    assert served.admin.delete(f"/join-tokens/{listed['id']}").status_code == 204

    with pytest.raises(DriftlineError, match="not known to this server"):
        credentials.enrol(tmp_path, served.url, token=token, node="n9")
    assert served.admin.delete(f"/join-tokens/{listed['id']}").status_code == 404
