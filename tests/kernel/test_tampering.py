"""Detection of tampering with the programs and maps of a running sensor."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from driftline.events import Subject
from driftline.policy import Blocking
from driftline.sensor.bpf import libbpf
from driftline.sensor.bpf.block_maps import BLOCK_POLICY
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import CGROUP_REF, Cgroup

pytestmark = pytest.mark.kernel
CGROUP = Cgroup(2**60 + 1, 1)  # of no container
BLOCKING = Blocking(subjects=frozenset((Subject.BINARY,)))


@pytest.fixture
def side() -> Iterator[KernelSide]:
    with KernelSide() as loaded:
        yield loaded


def link_of(side: KernelSide, name: str) -> int:
    """Return the descriptor of a program's link, which a debugger in the sensor's process could close."""
    pointer = side._object._links[name].pointer
    return int(libbpf._load_library().bpf_link__fd(pointer))


def test_attached_programs_are_no_tampering(side: KernelSide) -> None:
    assert list(side.tampering()) == []


def test_a_detached_program_is_reported(side: KernelSide) -> None:
    # /dev/null takes its number, so that the end of the test does not close an unrelated file.
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, link_of(side, "on_exec"), inheritable=False)
    os.close(null)

    assert list(side.tampering()) == ["its program on_exec is not attached any more"]


def test_a_changed_kernel_switch_is_reported_and_restored(side: KernelSide) -> None:
    side.blocking.arm(True)
    side._object.update("armed", bytes(4), bytes(4))

    assert list(side.tampering()) == ["the kernel's switch for all blocking was turned by somebody else"]
    assert list(side.tampering()) == []


def test_a_changed_policy_entry_is_reported_and_restored(side: KernelSide) -> None:
    side.blocking.set_policy(CGROUP, BLOCKING, owner=1, image=None)
    key = CGROUP_REF.pack(*CGROUP)
    side._object.update("blocking", key, bytes(BLOCK_POLICY.size))

    assert list(side.tampering()) == [f"the rules of cgroup {tuple(CGROUP)} were changed by somebody else"]
    assert list(side.tampering()) == []


def test_a_deleted_policy_entry_is_reported_at_the_second_check(side: KernelSide) -> None:
    # The kernel side deletes an entry with its cgroup, and the sensor gets the record of that later.
    side.blocking.set_policy(CGROUP, BLOCKING, owner=1, image=None)
    side._object.delete("blocking", CGROUP_REF.pack(*CGROUP))

    assert [len(list(side.tampering())) for _ in range(3)] == [0, 1, 0]


def test_a_cleared_policy_is_no_tampering(side: KernelSide) -> None:
    side.blocking.set_policy(CGROUP, BLOCKING, owner=1, image=None)
    side.blocking.clear_policy(CGROUP)

    assert [list(side.tampering()) for _ in range(2)] == [[], []]
