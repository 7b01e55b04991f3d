"""Containers that only containerd's own API lists."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab as labs
from driftline.cluster import Runtime

pytestmark = pytest.mark.e2e


@pytest.fixture
def plain(lab: labs.Lab) -> Iterator[labs.PlainContainer]:
    """A container that ``ctr run`` started in a namespace of its own."""
    container = lab.plain_container("busybox", namespace="night")
    yield container
    container.stop()


def test_plain_container_is_found_in_any_namespace(runtime: Runtime, plain: labs.PlainContainer) -> None:
    found = runtime.container(plain.id)

    assert (found.id, found.pod, found.pid, found.sandbox) == (plain.id, "", plain.pid, False)
    assert (found.image, found.image_digest[:7]) == ("localhost/lab/busybox:1", "sha256:")
    assert (Path(found.lowerdirs[-1]) / "bin/busybox").exists()


def test_plain_container_is_listed_once(runtime: Runtime, plain: labs.PlainContainer, pod: labs.Pod) -> None:
    listed = [container.id for container in runtime.containers()]

    assert [listed.count(plain.id), listed.count(pod.id)] == [1, 1]


def test_plain_container_starts_with_its_first_process(runtime: Runtime, plain: labs.PlainContainer) -> None:
    started = runtime.container(plain.id).started_at

    assert started
    assert abs(datetime.datetime.now(datetime.UTC) - started) < datetime.timedelta(seconds=60)


def test_ended_plain_container_is_found_but_not_listed(lab: labs.Lab, runtime: Runtime) -> None:
    plain = lab.plain_container("busybox", command=("/opt/lab/true",), namespace="night")
    try:
        while runtime.container(plain.id).pid:
            pass
        assert plain.id not in {container.id for container in runtime.containers()}
    finally:
        plain.stop()
