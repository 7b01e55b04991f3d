"""Containers that no CRI made, in containerd namespaces that the sensor did not know when it started."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import lab as labs
from tests.e2e.conftest import Sensor, said

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def plain(lab: labs.Lab) -> Iterator[Callable[[str], labs.PlainContainer]]:
    """Start a container as ``ctr --namespace NAME run`` does."""
    started = []

    def start(namespace: str) -> labs.PlainContainer:
        started.append(lab.plain_container("busybox", namespace=namespace))
        return started[-1]

    yield start
    for container in started:
        container.stop()


@pytest.mark.parametrize("namespace", ["default", "night-shift"])
def test_a_dropped_program_in_any_namespace_alerts(
    plain: Callable[[str], labs.PlainContainer], sensor: Sensor, namespace: str
) -> None:
    started = plain(namespace)
    started.sh("cp /bin/busybox /tmp/true; /tmp/true; true")
    row = sensor.wait_for(lambda row: row["kind"] == "alert" and row["ContainerId"] == started.id)

    assert said(row) == ("/tmp/true", "binary", "writable-layer", "relocated")
    assert row["ContainerImageName"] == "localhost/lab/busybox:1"
