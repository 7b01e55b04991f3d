import queue
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2

import lab as labs
from driftline.cluster import Change, ChangeKind, Runtime
from tests.fakes import crio as fake
from tests.fakes.crio import FakeCrio

MISSED = Change(ChangeKind.MISSED)


@pytest.mark.e2e
def test_start_and_end_of_a_container_are_reported(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with runtime.watch(changes.put):
        assert changes.get(timeout=10) == MISSED
        _wait_subscribed(lab, pod, changes)

        made = pod.container("busybox", name="short", command=("/opt/lab/true",))

        assert changes.get(timeout=10) == Change(ChangeKind.STARTED, made.id)
        assert changes.get(timeout=10) == Change(ChangeKind.ENDED, made.id)


@pytest.mark.e2e
def test_end_of_an_exec_is_not_reported(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with runtime.watch(changes.put):
        assert changes.get(timeout=10) == MISSED
        _wait_subscribed(lab, pod, changes)
        made = pod.container("busybox")
        made.sh("true").check()
        made.stop()

        seen = [changes.get(timeout=10), changes.get(timeout=10)]

    assert seen == [Change(ChangeKind.STARTED, made.id), Change(ChangeKind.ENDED, made.id)]


@pytest.mark.e2e
def test_restarted_runtime_is_watched_again(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with runtime.watch(changes.put):
        assert changes.get(timeout=10) == MISSED
        _wait_subscribed(lab, pod, changes)

        lab.restart()

        assert changes.get(timeout=10) == MISSED


def test_crio_is_watched_through_cri_events(crio: FakeCrio) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    for kind in (api_pb2.CONTAINER_CREATED_EVENT, api_pb2.CONTAINER_STARTED_EVENT, api_pb2.CONTAINER_STOPPED_EVENT):
        crio.events.put(api_pb2.ContainerEventResponse(container_id=fake.WEB, container_event_type=kind))

    with Runtime(str(crio.socket)).watch(changes.put):
        seen = [changes.get(timeout=10) for _ in range(3)]

    assert seen == [MISSED, Change(ChangeKind.STARTED, fake.WEB), Change(ChangeKind.ENDED, fake.WEB)]


def test_missing_runtime_causes_no_callback(tmp_path: Path) -> None:
    changes: queue.Queue[Change] = queue.Queue()
    with Runtime(str(tmp_path / "none.sock")).watch(changes.put):
        pass

    assert changes.empty()


# containerd does not report when a subscription is active, so start containers until one is reported.
def _wait_subscribed(lab: labs.Lab, pod: labs.Pod, changes: "queue.Queue[Change]") -> None:
    for number in range(20):
        probe = pod.container("busybox", name=f"probe-{number}", command=("/opt/lab/true",))
        probe.wait()
        try:
            while changes.get(timeout=0.5) != Change(ChangeKind.ENDED, probe.id):
                pass
        except queue.Empty:
            continue
        return
    raise AssertionError("no change was reported")
