"""Ingest of alert rows, each exactly once."""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from driftline.errors import StateError, StoreError
from driftline.server.alerts.arrivals import Arrivals
from driftline.server.alerts.ingest import Tailer, tailing
from driftline.server.clock import Clock, utc_now
from driftline.server.http.metrics import Metrics
from driftline.server.signals import Hub
from driftline.server.state import State, alerts
from driftline.server.state.models import Alert
from driftline.server.storage import Storage
from tests.server import raising, serving

HOUR = 3600.0


@dataclass
class Ingest:
    """A store, a state, and tailers between them."""

    store: Path
    state: State

    def tailer(self) -> Tailer:
        late = datetime.timedelta(hours=168)
        storage, arrivals = Storage(self.store), Arrivals()
        return Tailer(self.state, storage, arrivals, late=late, hub=Hub(), metrics=Metrics(), clock=Clock())

    def listed(self) -> list[Alert]:
        with self.state.reading() as session:
            return alerts.list_alerts(session, alerts.Wanted(clusters=None), after=None, limit=1000)


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    state = State(f"sqlite:///{tmp_path}/state.db")
    state.migrate()
    return Ingest(tmp_path / "store", state)


def test_an_alert_has_all_fields_of_its_rows(ingest: Ingest) -> None:
    raised = raising.alert()
    raising.store(ingest.store, [raised])

    assert ingest.tailer().turn() == 1

    (alert,) = ingest.listed()
    assert (alert.cluster, alert.namespace, alert.pod, alert.rule) == ("prod", "shop", "web-1", "Alert")
    assert (alert.path, alert.sha256, alert.techniques) == ("/tmp/miner", raising.SHA, ["T1059"])
    assert (alert.status, alert.count, alert.first_seen) == ("new", 1, raised.timestamp)
    assert [entity["type"] for entity in alert.entities] == [
        "Process", "File", "Container", "ContainerImage", "KubernetesPod"]  # fmt: skip


def test_reading_rows_again_counts_nothing_again(ingest: Ingest) -> None:
    raising.store(ingest.store, [raising.alert()])
    tailer = ingest.tailer()

    assert [tailer.turn() for _ in range(3)] == [1, 0, 0]
    assert ingest.listed()[0].count == 1


def test_a_new_tailer_resumes_at_the_saved_position(ingest: Ingest) -> None:
    raising.store(ingest.store, [raising.alert()])
    ingest.tailer().turn()
    raising.store(ingest.store, [raising.alert()])

    assert ingest.tailer().turn() == 1
    assert ingest.listed()[0].count == 2


def test_repeats_are_counted_in_one_alert(ingest: Ingest) -> None:
    raised = [raising.alert(pod=f"web-{number}", ago=100 - number) for number in range(30)]
    raising.store(ingest.store, raised)
    ingest.tailer().turn()

    (alert,) = ingest.listed()
    assert (alert.count, alert.pod) == (30, "web-29")
    assert (alert.first_seen, alert.last_seen) == (raised[0].timestamp, raised[-1].timestamp)


@pytest.mark.parametrize("other", [{"cluster": "dev"}, {"image": "b"}, {"sha256": "cd" * 32}, {"rule": "Other"}])
def test_a_finding_of_another_cluster_image_file_or_rule_opens_its_own_alert(
    ingest: Ingest, other: dict[str, str]
) -> None:
    raising.store(ingest.store, [raising.alert(), raising.alert(**other)])  # type: ignore[arg-type] # names of texts
    ingest.tailer().turn()

    assert len(ingest.listed()) == 2


def test_an_alert_keeps_each_place_of_its_repeats(ingest: Ingest) -> None:
    raised = [
        raising.alert(namespace="shop", pod="web-1", ago=30),
        raising.alert(namespace="payments", workload="Job/pay", pod="pay-1", node="node-2", ago=20),
        raising.alert(namespace="shop", pod="web-1", ago=10),
        raising.alert(namespace="shop", pod="web-2", ago=5),
    ]
    raising.store(ingest.store, raised)
    ingest.tailer().turn()

    (alert,) = ingest.listed()
    found = {(it.namespace, it.workload, it.pod, it.node): (it.count, it.first_seen, it.last_seen)
             for it in alert.places}  # fmt: skip
    assert found == {
        ("shop", "Deployment/web", "web-1", "node-1"): (2, raised[0].timestamp, raised[2].timestamp),
        ("payments", "Job/pay", "pay-1", "node-2"): (1, raised[1].timestamp, raised[1].timestamp),
        ("shop", "Deployment/web", "web-2", "node-1"): (1, raised[3].timestamp, raised[3].timestamp),
    }
    assert (alert.count, alert.place_count, alert.new_places) == (4, 3, 1)


@pytest.mark.parametrize("turns", [1, 2])
def test_a_new_namespace_or_workload_is_in_the_history_and_the_entities(ingest: Ingest, turns: int) -> None:
    later = [raising.alert(namespace="payments"), raising.alert(workload="Job/x"), raising.alert(pod="web-9")]
    raising.store(ingest.store, [raising.alert(ago=9), *(later if turns == 1 else ())])
    ingest.tailer().turn()
    if turns == 2:
        raising.store(ingest.store, later)
        ingest.tailer().turn()

    (alert,) = ingest.listed()
    with ingest.state.reading() as session:
        history = alerts.list_history(session, alert.id, after=0, limit=10)
    assert sorted((entry.action, sorted(entry.changes)) for entry in history) == [
        ("spread", ["namespace", "workload"]), ("spread", ["workload"])]  # fmt: skip
    assert {"payments"} < {entity["fields"].get("KubernetesNamespace") for entity in alert.entities}


def test_an_alert_has_the_title_of_its_most_severe_occurrence(ingest: Ingest) -> None:
    raised = [
        raising.alert(title="Drifted script", severity="Low"),
        raising.alert(title="Drifted binary", severity="High"),
        raising.alert(title="Drifted library", severity="Medium"),
    ]
    raising.store(ingest.store, raised)
    ingest.tailer().turn()

    assert [(alert.title, alert.severity) for alert in ingest.listed()] == [("Drifted binary", "High")]


@pytest.mark.parametrize("many", [1, 5000])
@pytest.mark.parametrize("text", ["drifted copy", "/var/MINER", "Ünïcode-pod", "payments"])
def test_an_alert_is_found_by_the_texts_of_its_repeats(
    ingest: Ingest, text: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftline.server.state.search._MANY", many)
    repeat = raising.alert(title="Drifted copy", path="/var", pod="ünïcode-pod", namespace="payments")
    for raised in (raising.alert(), raising.alert(rule="Other"), repeat):
        raising.store(ingest.store, [raised])
        ingest.tailer().turn()
    wanted = alerts.Wanted(clusters=None, text=text)

    with ingest.state.reading() as session:
        assert [it.rule for it in alerts.list_alerts(session, wanted, after=None, limit=9)] == ["Alert"]


def test_places_are_bounded_and_lose_no_occurrence(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.server.alerts.places.MAX_PLACES", 3)
    monkeypatch.setattr("driftline.server.alerts.places.MAX_SPREAD", 2)
    raised = [raising.alert(namespace=f"n{number % 4}", pod=f"p{number}", ago=100 - number) for number in range(40)]
    for part in (raised[:15], raised[15:]):
        raising.store(ingest.store, part)
        ingest.tailer().turn()

    (alert,) = ingest.listed()
    assert sorted((it.namespace, it.workload, it.pod) for it in alert.places) == [
        ("", "", ""), ("n0", "Deployment/web", ""), ("n0", "Deployment/web", "p0"), ("n1", "Deployment/web", ""),
        ("n1", "Deployment/web", "p1"), ("n2", "Deployment/web", "p2")]  # fmt: skip
    assert (sum(it.count for it in alert.places), alert.place_count, alert.count) == (40, 6, 40)


def test_files_without_a_hash_are_grouped_by_path(ingest: Ingest) -> None:
    raised = [raising.alert(sha256="", path=path) for path in ("/a", "/b", "/a")]
    raising.store(ingest.store, raised)
    ingest.tailer().turn()

    assert sorted((alert.path, alert.count) for alert in ingest.listed()) == [("/a/miner", 2), ("/b/miner", 1)]


def test_a_row_that_arrives_an_hour_late_is_found_by_the_sweep(ingest: Ingest) -> None:
    raising.store(ingest.store, [raising.alert()])
    tailer = ingest.tailer()
    tailer.turn()
    raising.store(ingest.store, [raising.alert(rule="Late", ago=HOUR)])

    assert tailer.turn() == 0
    assert tailer.turn(utc_now() - datetime.timedelta(hours=2)) == 1


def test_a_row_with_a_future_time_does_not_move_the_position(ingest: Ingest) -> None:
    raising.store(ingest.store, [raising.alert(ago=-365 * 24 * HOUR)])
    tailer = ingest.tailer()
    tailer.turn()
    raising.store(ingest.store, [raising.alert(rule="Now")])

    assert tailer.turn() == 1


def test_more_rows_of_the_same_time_than_a_page_are_all_read(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.server.alerts.ingest._PAGE", 3)
    event = raising.alert().event
    moment = event.Timestamp
    raised = [raising.alert() for _ in range(20)]
    same = [msgspec.structs.replace(each, timestamp=moment, event=event) for each in raised]
    raising.store(ingest.store, same)

    assert ingest.tailer().turn() == 20


def test_a_crash_before_the_position_is_saved_counts_once(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    raising.store(ingest.store, [raising.alert()])

    def fail(*_: object) -> None:
        raise StateError("power is gone")

    with monkeypatch.context() as broken:
        broken.setattr("driftline.server.state.alerts.set_position", fail)
        with pytest.raises(StateError):
            ingest.tailer().turn()
    ingest.tailer().turn()

    assert [alert.count for alert in ingest.listed()] == [1]


def test_a_bug_in_one_turn_does_not_end_the_ingest(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    raising.store(ingest.store, [raising.alert()])
    tailer, failed = ingest.tailer(), threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr("driftline.server.state.alerts.position", fail)
    with tailing(tailer):
        serving.wait_until(lambda: failed.is_set() and ingest.listed())

    assert [alert.count for alert in ingest.listed()] == [1]


def test_a_turn_without_a_store_is_a_store_error(ingest: Ingest) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        ingest.tailer().turn()
