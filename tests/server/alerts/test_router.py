"""Endpoints of alerts: lists, actions, history, granted clusters, suppression, the live stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import raising, serving
from tests.server.serving import Served

CLUSTERS = ("eu", "us")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("server")
    rules = [f"rule-{number}" for number in range(6)]
    raised = [raising.alert(cluster=cluster, rule=rule) for cluster in CLUSTERS for rule in rules]
    raising.store(directory / "store", raised)
    with serving.serve(directory) as running:
        serving.wait_until(lambda: len(running.admin.get("/alerts").json()["items"]) == len(raised))
        yield running


def find(client: httpx.Client, **wanted: str) -> dict[str, object]:
    (alert,) = client.get("/alerts", params=wanted).json()["items"]
    return dict(alert)


def act(client: httpx.Client, alert_id: object, action: str, **body: object) -> httpx.Response:
    return client.post(f"/alerts/{alert_id}/actions", json={"action": action, **body})


def test_paging_returns_every_alert_once(served: Served) -> None:
    ids, cursor = [], ""
    while True:
        page = served.admin.get("/alerts", params={"limit": 5, "cursor": cursor}).json()
        ids += [alert["id"] for alert in page["items"]]
        cursor = page["next"]
        if not cursor:
            break

    assert (len(ids), len(set(ids))) == (12, 12)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"cluster": "eu"}, 6),
        ({"rule": "rule-1"}, 2),
        ({"text": "MINER"}, 12),
        ({"text": "%"}, 0),
        ({"text": "mi_er"}, 0),
        ({"text": "in"}, 12),
        ({"text": 'x" OR "min'}, 0),
        ({"text": "/TMP/Miner"}, 12),
        ({"text": raising.SHA[3:40]}, 12),
        ({"text": "minermi"}, 0),
        ({"severity": "Low"}, 0),
        ({"since": "2100-01-01T00:00:00Z"}, 0),
        ({"until": "2100-01-01T00:00:00Z"}, 12),
    ],
)
def test_alerts_are_filtered(served: Served, wanted: dict[str, str], count: int) -> None:
    assert len(served.admin.get("/alerts", params=wanted).json()["items"]) == count


def test_an_alert_is_found_by_each_of_its_places(served: Served) -> None:
    places = [{"namespace": "shop", "pod": "web-1", "node": "a"}, {"namespace": "payments", "pod": "p-1", "node": "b"}]
    client = served.user("places", "analyst", ["places"])
    raising.store(_store(served), [raising.alert(cluster="places", **place) for place in places])  # type: ignore[arg-type] # texts
    serving.wait_until(lambda: find(client, cluster="places")["count"] == 2 if listed(client) else False)

    for place in places:
        assert find(client, **place)["place_count"] == 2
    assert find(client, workload="Deployment/web")["place_count"] == 2
    assert not listed(client, namespace="shop", node="b")

    alert = find(client, namespace="payments")
    told = client.get(f"/alerts/{alert['id']}/places").json()["items"]
    assert [(it["cluster"], it["namespace"], it["pod"], it["node"], it["count"]) for it in told] == [
        ("places", "shop", "web-1", "a", 1), ("places", "payments", "p-1", "b", 1)]  # fmt: skip
    assert (alert["new_places"], alert["places"]) == (1, told[::-1])
    assert act(client, alert["id"], "start").json()["new_places"] == 0


def listed(client: httpx.Client, **wanted: str) -> list[dict[str, object]]:
    return list(client.get("/alerts", params=wanted).json()["items"])


def test_actions_change_the_status_and_are_in_the_history(served: Served) -> None:
    alert = find(served.admin, cluster="eu", rule="rule-1")["id"]
    act(served.admin, alert, "start")
    act(served.admin, alert, "assign", assignee="root")
    act(served.admin, alert, "comment", comment="looks bad")
    done = act(served.admin, alert, "resolve", classification="true positive", determination="malware").json()

    history = served.admin.get(f"/alerts/{alert}/history").json()["items"]

    assert (done["status"], done["assignee"], done["classification"]) == ("resolved", "root", "true positive")
    assert [(entry["action"], entry["changes"], entry["comment"]) for entry in history] == [
        ("start", {"status": ["new", "in progress"]}, ""),
        ("assign", {"assignee": [None, "root"]}, ""),
        ("comment", {}, "looks bad"),
        ("resolve", {"status": ["in progress", "resolved"], "classification": [None, "true positive"],
                     "determination": [None, "malware"]}, ""),
    ]  # fmt: skip


def test_a_repeat_of_a_resolved_alert_opens_a_new_alert(served: Served) -> None:
    old = find(served.admin, cluster="us", rule="rule-2")["id"]
    act(served.admin, old, "resolve", classification="benign")
    raising.store(_store(served), [raising.alert(cluster="us", rule="rule-2")])

    new = serving.wait_until(
        lambda: served.admin.get("/alerts", params={"rule": "rule-2", "cluster": "us", "status": "new"}).json()["items"]
    )

    assert [alert["count"] for alert in new] == [1]
    assert act(served.admin, old, "reopen").status_code == 409


def test_an_action_on_a_changed_alert_is_a_conflict(served: Served) -> None:
    alert = find(served.admin, cluster="eu", rule="rule-3")
    act(served.admin, alert["id"], "start")

    late = act(served.admin, alert["id"], "release", if_change=alert["change"])

    assert (late.status_code, "changed meanwhile" in late.json()["detail"]) == (409, True)


def test_an_assignee_needs_access_to_the_alert(served: Served) -> None:
    served.user("only-us", "analyst", ["us"])
    alert = find(served.admin, cluster="eu", rule="rule-4")["id"]

    assert act(served.admin, alert, "assign", assignee="only-us").status_code == 400
    assert act(served.admin, alert, "assign", assignee="nobody").status_code == 400


def test_alerts_of_other_clusters_are_not_found(served: Served) -> None:
    client = served.user("eu-analyst", "analyst", ["eu"])
    foreign = find(served.admin, cluster="us", rule="rule-5")["id"]

    assert {alert["cluster"] for alert in client.get("/alerts").json()["items"]} == {"eu"}
    assert client.get("/alerts", params={"cluster": "us"}).json()["items"] == []
    assert client.get(f"/alerts/{foreign}").status_code == 404
    assert client.get(f"/alerts/{foreign}/history").status_code == 404
    assert client.get(f"/alerts/{foreign}/places").status_code == 404
    assert act(client, foreign, "start").status_code == 404
    assert "us" not in {json.loads(line)["cluster"] for line in client.get("/alerts/export").text.splitlines()}


def test_a_user_without_clusters_sees_no_alerts(served: Served) -> None:
    assert served.user("none", "viewer", []).get("/alerts").json()["items"] == []


def test_a_viewer_cannot_change_alerts(served: Served) -> None:
    client = served.user("viewer", "viewer")
    alert = find(client, cluster="eu", rule="rule-5")["id"]

    assert act(client, alert, "start").status_code == 403
    assert (
        client.post("/suppressions", json={"name": "x", "reason": "y", "conditions": {"rule": "z"}}).status_code == 403
    )


def test_the_export_has_all_alerts(served: Served) -> None:
    lines = served.admin.get("/alerts/export", params={"rule": "rule-0"}).text.splitlines()

    assert sorted(json.loads(line)["cluster"] for line in lines) == ["eu", "us"]


def test_a_suppressed_alert_is_counted_and_not_listed(served: Served) -> None:
    rule = {"name": "ci", "reason": "it compiles", "conditions": {"rule": "Compiled *"}}
    served.admin.post("/suppressions", json=rule)
    raising.store(_store(served), [raising.alert(rule="Compiled here") for _ in range(3)])

    (alert,) = serving.wait_until(
        lambda: served.admin.get("/alerts", params={"rule": "Compiled here", "suppressed": True}).json()["items"]
    )

    (told,) = served.admin.get("/suppressions").json()
    assert (alert["status"], alert["count"], alert["suppressed_by"]) == ("resolved", 3, told["id"])
    assert (told["hits"], told["created_by"]) == (3, "root")
    assert served.admin.get("/alerts", params={"rule": "Compiled here"}).json()["items"] == []


def test_a_rule_for_all_clusters_needs_a_grant_for_all(served: Served) -> None:
    client = served.user("eu-only", "analyst", ["eu"])
    rule = {"name": "mine", "reason": "r", "conditions": {"rule": "x"}}

    assert client.post("/suppressions", json=rule).status_code == 403
    assert client.post("/suppressions", json=rule | {"conditions": {"rule": "x", "cluster": "us"}}).status_code == 404
    made = client.post("/suppressions", json=rule | {"conditions": {"rule": "x", "cluster": "eu"}})
    assert client.delete(f"/suppressions/{made.json()['id']}").status_code == 204


def test_the_stream_sends_changes_and_resumes_after_an_id(served: Served) -> None:
    alert = find(served.admin, cluster="eu", rule="rule-0")
    changes = []
    with served.admin.stream("GET", "/alerts/stream", headers={"Last-Event-ID": str(alert["change"])}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for event in _events(answer):
            changes.append((event["id"], event["status"]))
            if event["id"] == alert["id"]:
                break
            if len(changes) == 1:
                act(served.admin, alert["id"], "start")

    assert changes[-1] == (alert["id"], "in progress")


def test_the_stream_has_no_alerts_of_other_clusters(served: Served) -> None:
    client = served.user("eu-stream", "viewer", ["eu"])
    us, eu = (find(served.admin, cluster=cluster, rule="rule-4")["id"] for cluster in ("us", "eu"))
    with client.stream("GET", "/alerts/stream") as answer:
        events = _events(answer)
        act(served.admin, us, "comment", comment="a")
        act(served.admin, eu, "comment", comment="b")
        assert next(events)["cluster"] == "eu"


def _events(answer: httpx.Response) -> Iterator[dict[str, object]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _store(served: Served) -> Path:
    log: Path = served.process.log  # type: ignore[attr-defined] # see serving.start
    return log.parent / "store"
