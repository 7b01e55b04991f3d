"""The kernel side on a Debian kernel in a virtual machine: with BPF LSM and kprobes, cgroup v2 only."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.vm import run_in_vm

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
EPERM_IN_SHELL = 126


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    if os.geteuid():
        pytest.skip("shares this machine's files with a virtual machine, which needs root")
    if platform.machine() != "x86_64":
        pytest.skip("the virtual machine is an x86-64 one")
    said = run_in_vm(f"{sys.executable} -m tests.kernel.in_vm", folder=ROOT)
    result: dict[str, Any] = json.loads(said.splitlines()[-1])
    return result


def test_the_self_test_passes_on_the_debian_kernel(found: dict[str, Any]) -> None:
    assert found["selftest"] == []


def test_the_debian_kernel_can_deny_execs(found: dict[str, Any]) -> None:
    assert found["can_deny"]


@pytest.mark.parametrize("case", ["modified", "added", "relocated", "volume", "script"])
def test_execs_of_other_content_than_the_image_are_denied(found: dict[str, Any], case: str) -> None:
    assert found["cases"][case] == [EPERM_IN_SHELL, True]


@pytest.mark.parametrize("case", ["untouched", "put back"])
def test_execs_of_image_content_run(found: dict[str, Any], case: str) -> None:
    assert found["cases"][case] == [0, False]
