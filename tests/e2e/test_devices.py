"""Device numbers of file systems without a disk, which the kernel gives again as soon as they are free."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lab as labs
from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

OVERLAYS = """
mkdir /tmp/n; mount -t tmpfs tmpfs /tmp/n; cd /tmp/n
for i in 1 2 3 4 5 6; do
    mkdir l$i u$i w$i m$i; cp /usr/bin/sleep l$i/x
    mount -t overlay -o lowerdir=l$i,upperdir=u$i,workdir=w$i overlay m$i; m$i/x 0.1
done
"""


def test_an_overlay_with_the_number_of_a_removed_containers_root_is_not_the_nodes(
    lab: labs.Lab, watched: Callable[..., Watched]
) -> None:
    others = [lab.plain_container("busybox") for _ in range(3)]
    container = watched(privileged=True)
    container.alerts("true")
    for other in others:
        other.stop()
    found = container.alerts(OVERLAYS)

    assert [(path, origin) for path, _, origin, _ in found] == [(f"/tmp/n/m{i}/x", "unknown") for i in range(1, 7)]
