"""Fixtures every folder of tests may use: one lab for the run, a pod for a test."""

import os
import re
from collections.abc import Callable, Iterator

import pytest

import lab as labs


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
