"""Rules of containers in the maps of a loaded eBPF object."""

import os
from collections.abc import Iterator

import pytest

from driftline.events import Container
from driftline.policy import NodeLocation, load, rules_for
from driftline.sensor.bpf.block_maps import HASH_KEY
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import CGROUP_REF, Cgroup
from driftline.sensor.enforcement.blocking import Blocker
from driftline.sensor.tracking.containers import ContainerTable, TrackedContainer

pytestmark = pytest.mark.kernel

ID = "b" * 64
PATH = f"/kubepods/besteffort/pod12345678-1234-1234-1234-123456789012/{ID}".encode()
CGROUPS = tuple(Cgroup(2**60 + hierarchy, hierarchy) for hierarchy in range(1, 14))  # as cgroup v1 has them
POLICY = """
rules:
  - name: block
    priority: 1
    action: block
    allow: [{path: /opt/agent}]
"""


@pytest.fixture
def side() -> Iterator[KernelSide]:
    if os.geteuid():
        pytest.skip("loading eBPF needs root")
    with KernelSide() as loaded:
        yield loaded


@pytest.fixture
def blocker(side: KernelSide) -> Iterator[Blocker]:
    made = Blocker(side.blocking, host_mnt_ns=side.host_mnt_ns, trusts_overlay=True, can_deny=False)
    yield made
    made.close()


@pytest.fixture
def containers() -> ContainerTable:
    return ContainerTable(on_new=lambda _: None, on_gone=lambda _: None, on_cgroup=lambda _: None)


def put_in_force(blocker: Blocker, containers: ContainerTable) -> TrackedContainer:
    """Block in a container that has a cgroup in each hierarchy."""
    found = [containers.add(cgroup, PATH) for cgroup in CGROUPS]
    tracked = found[0]
    assert tracked
    tracked.policy = rules_for(load(POLICY, source="test"), Container(id=ID), NodeLocation())
    blocker.apply(tracked)
    return tracked


def rules_in_kernel(side: KernelSide) -> tuple[int, int]:
    """Return the number of cgroups with rules, and of allow-list entries."""
    cgroups = side._object.keys("blocking", CGROUP_REF.size)
    return len(cgroups), len(side._object.keys("allowed", HASH_KEY.size))


def test_a_removed_container_leaves_no_rules(side: KernelSide, blocker: Blocker, containers: ContainerTable) -> None:
    tracked = put_in_force(blocker, containers)
    assert rules_in_kernel(side) == (len(CGROUPS), 1)
    for cgroup in CGROUPS:
        gone = containers.removed(cgroup)
    assert gone is tracked
    blocker.forget(tracked)

    assert rules_in_kernel(side) == (0, 0)


def test_removed_cgroups_are_no_tampering(side: KernelSide, blocker: Blocker, containers: ContainerTable) -> None:
    tracked = put_in_force(blocker, containers)
    for cgroup in CGROUPS[:-1]:
        side._object.delete("blocking", CGROUP_REF.pack(*cgroup))  # as the kernel side does with the cgroup
        containers.removed(cgroup)
        blocker.forget_cgroup(tracked, cgroup)

    assert [side.blocking.tampering() for _ in range(2)] == [[], []]
    assert rules_in_kernel(side) == (1, 1)


def test_a_removed_cgroup_gets_no_rules_again(side: KernelSide, blocker: Blocker, containers: ContainerTable) -> None:
    tracked = put_in_force(blocker, containers)
    containers.removed(CGROUPS[0])
    blocker.forget_cgroup(tracked, CGROUPS[0])
    blocker.apply(tracked)

    assert rules_in_kernel(side) == (len(CGROUPS) - 1, 1)
