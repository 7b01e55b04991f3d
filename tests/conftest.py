"""Fixtures every folder of tests may use: one lab for the run, a pod for a test."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lab as labs

TESTS = Path(__file__).parent


NODE = "node"
"""The xdist group of all tests that share this machine's kernel and one lab: one worker runs them."""
NODE_FOLDERS = {"kernel", "e2e", "lab"}
FREE_FOLDERS = {"kql", "policy", "verdict", "wire", "events", "image"}
"""Folders whose tests share no fixture that is expensive to set up: each test goes to any worker."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the group that one worker runs (``--dist loadgroup``), the longest group first."""
    for item in items:
        group = _group(item)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _group(item) != NODE)


def _group(item: pytest.Item) -> str:
    folder = item.path.relative_to(TESTS).parts[0]
    if folder in NODE_FOLDERS or "lab" in getattr(item, "fixturenames", ()):
        return NODE
    return "" if folder in FREE_FOLDERS else str(item.path.relative_to(TESTS))


@pytest.fixture(scope="session")
def lab() -> Iterator[labs.Lab]:
    """A containerd of this test run's own."""
    if os.geteuid():
        pytest.skip("needs root: runs real containers")
    with labs.start() as running:
        yield running


@pytest.fixture
def new_pod(lab: labs.Lab) -> Iterator[Callable[..., labs.Pod]]:
    """``Lab.pod``, with everything it started removed after the test."""
    pods: list[labs.Pod] = []

    def start(name: str, **options: object) -> labs.Pod:
        pods.append(lab.pod(name, **options))  # type: ignore[arg-type]  # as Lab.pod has them
        return pods[-1]

    yield start
    for pod in pods:
        pod.remove()


@pytest.fixture
def pod(new_pod: Callable[..., labs.Pod], request: pytest.FixtureRequest) -> labs.Pod:
    """A pod named after the test, in the namespace ``shop``."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return new_pod(name[:50], labels={"app": "web"})


@pytest.fixture
def container(pod: labs.Pod) -> Callable[..., labs.LabContainer]:
    """``Pod.container`` of the test's pod: ``container("busybox").sh("id")``."""
    return pod.container
