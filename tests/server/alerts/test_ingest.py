"""From the store's rows to alerts, each exactly once."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest

from driftline.errors import StateError, StoreError
from driftline.server.alerts.ingest import Tailer
from driftline.server.context import Context
from driftline.server.http.rate_limits import Limiter
from driftline.server.settings import Settings
from driftline.server.state import State, alerts
from driftline.server.state.models import Alert
from tests.server import raising

HOUR = 3600.0


@pytest.fixture
def context(tmp_path: Path) -> Context:
    settings = Settings(data=tmp_path, store=tmp_path / "store")
    state = State(settings.database_url)
    state.migrate()
    return Context(settings=settings, state=state, limiter=Limiter({}))


def listed(context: Context) -> list[Alert]:
    with context.state.reading() as session:
        return alerts.list_alerts(session, alerts.Wanted(clusters=None), after=None, limit=1000)


def test_an_alert_comes_whole(context: Context) -> None:
    raised = raising.alert()
    raising.store(context.settings.store, [raised])

    assert Tailer(context).turn() == 1

    (alert,) = listed(context)
    assert (alert.cluster, alert.namespace, alert.pod, alert.rule) == ("prod", "shop", "web-1", "Alert")
    assert (alert.path, alert.sha256, alert.techniques) == ("/tmp/miner", raising.SHA, ["T1059"])
    assert (alert.status, alert.count, alert.first_seen) == ("new", 1, raised.timestamp)
    assert [entity["type"] for entity in alert.entities] == [
        "Process", "File", "Container", "ContainerImage", "KubernetesPod"]  # fmt: skip


def test_looking_again_counts_nothing_again(context: Context) -> None:
    raising.store(context.settings.store, [raising.alert()])
    tailer = Tailer(context)

    assert [tailer.turn() for _ in range(3)] == [1, 0, 0]
    assert listed(context)[0].count == 1


def test_another_tailer_goes_on_where_the_first_ended(context: Context) -> None:
    raising.store(context.settings.store, [raising.alert()])
    Tailer(context).turn()
    raising.store(context.settings.store, [raising.alert()])

    assert Tailer(context).turn() == 1
    assert listed(context)[0].count == 2


def test_repeats_are_one_alert_with_a_count_and_times(context: Context) -> None:
    raised = [raising.alert(pod=f"web-{number}", ago=100 - number) for number in range(30)]
    raising.store(context.settings.store, raised)
    Tailer(context).turn()

    (alert,) = listed(context)
    assert (alert.count, alert.pod) == (30, "web-29")
    assert (alert.first_seen, alert.last_seen) == (raised[0].timestamp, raised[-1].timestamp)


@pytest.mark.parametrize("other", [{"cluster": "dev"}, {"image": "b"}, {"sha256": "cd" * 32}, {"rule": "Other"}])
def test_what_is_no_repeat(context: Context, other: dict[str, str]) -> None:
    raising.store(context.settings.store, [raising.alert(), raising.alert(**other)])  # type: ignore[arg-type] # names of texts
    Tailer(context).turn()

    assert len(listed(context)) == 2


def test_unread_files_are_told_apart_by_path(context: Context) -> None:
    raised = [raising.alert(sha256="", path=path) for path in ("/a", "/b", "/a")]
    raising.store(context.settings.store, raised)
    Tailer(context).turn()

    assert sorted((alert.path, alert.count) for alert in listed(context)) == [("/a/miner", 2), ("/b/miner", 1)]


def test_an_alert_that_comes_an_hour_late_is_found_by_the_sweep(context: Context) -> None:
    raising.store(context.settings.store, [raising.alert()])
    tailer = Tailer(context)
    tailer.turn()
    raising.store(context.settings.store, [raising.alert(rule="Late", ago=HOUR)])

    assert tailer.turn() == 0
    assert tailer.turn(context.now() - datetime.timedelta(hours=2)) == 1


def test_a_clock_far_ahead_holds_nothing_back(context: Context) -> None:
    raising.store(context.settings.store, [raising.alert(ago=-365 * 24 * HOUR)])
    tailer = Tailer(context)
    tailer.turn()
    raising.store(context.settings.store, [raising.alert(rule="Now")])

    assert tailer.turn() == 1


def test_more_alerts_of_one_moment_than_a_page_holds(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.server.alerts.ingest._PAGE", 3)
    event = raising.alert().event
    moment = event.Timestamp
    raised = [raising.alert() for _ in range(20)]
    same = [msgspec.structs.replace(each, timestamp=moment, event=event) for each in raised]
    raising.store(context.settings.store, same)

    assert Tailer(context).turn() == 20


def test_a_crash_between_taking_and_noting_the_position_counts_once(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising.store(context.settings.store, [raising.alert()])

    def fail(*_: object) -> None:
        raise StateError("power is gone")

    with monkeypatch.context() as broken:
        broken.setattr("driftline.server.state.alerts.set_position", fail)
        with pytest.raises(StateError):
            Tailer(context).turn()
    Tailer(context).turn()

    assert [alert.count for alert in listed(context)] == [1]


def test_without_a_store_it_waits(context: Context) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        Tailer(context).turn()
