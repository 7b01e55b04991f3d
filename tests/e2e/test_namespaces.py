"""Containers that no CRI made: in other containerd namespaces, with other snapshotters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import lab as labs
from tests.e2e.conftest import Sensor, Watched, said

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture
def plain(lab: labs.Lab) -> Iterator[Callable[..., labs.PlainContainer]]:
    """Start a container as ``ctr --namespace NAME run`` does."""
    started = []

    def start(namespace: str, image: str = "busybox", *, snapshotter: str = "overlayfs") -> labs.PlainContainer:
        started.append(lab.plain_container(image, namespace=namespace, snapshotter=snapshotter))
        return started[-1]

    yield start
    for container in started:
        container.stop()


@pytest.mark.parametrize("namespace", ["default", "night-shift"])
def test_a_dropped_program_in_any_namespace_alerts(
    plain: Callable[..., labs.PlainContainer], sensor: Sensor, namespace: str
) -> None:
    started = plain(namespace)
    started.sh("cp /bin/busybox /tmp/true; /tmp/true; true")
    row = sensor.wait_for(lambda row: row["kind"] == "alert" and row["ContainerId"] == started.id)

    assert said(row) == ("/tmp/true", "binary", "writable-layer", "relocated")
    assert row["ContainerImageName"] == "localhost/lab/busybox:1"


NATIVE = {
    "image files": ("ls /; perl -e 1; python3 -c 'import json'; touch /opt/lab/true; /opt/lab/true", []),
    "dropped program": ("echo new > /tmp/new; cp /bin/cat /tmp/x; echo >> /tmp/x; /tmp/x /tmp/new", ["/tmp/x added"]),
    "changed program": ("cat /opt/lab/true > /tmp/t; echo >> /opt/lab/true; /opt/lab/true", ["/opt/lab/true modified"]),
    "image program elsewhere": ("cp /bin/ls /tmp/l; /tmp/l", ["/tmp/l relocated"]),
    "dropped script": ("echo id > /tmp/s; sh /tmp/s", ["/tmp/s added"]),
}


@pytest.mark.parametrize("case", NATIVE)
def test_containers_of_the_native_snapshotter(
    plain: Callable[..., labs.PlainContainer], sensor: Sensor, case: str
) -> None:
    """Their root is a copy of the image's tree on the node's disk, without layers."""
    script, expected = NATIVE[case]
    started = plain("native", "glibc", snapshotter="native")
    found = Watched(started, sensor).alerts(f"{script}; true")

    assert [f"{path} {content}" for path, _, _, content in found] == expected
