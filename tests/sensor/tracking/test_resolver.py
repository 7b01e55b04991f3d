"""Lookups at a runtime that knows one container, however many unknown ones there are."""

from __future__ import annotations

import select
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.cluster import Runtime
from driftline.sensor.tracking.resolver import Lookup, Resolver
from driftline.sensor.wakeup_queue import WakeupQueue
from tests.fakes import crio as fakes
from tests.fakes.crio import FakeCrio

UNKNOWN = [f"{number:064x}" for number in range(1500)]


class World:
    """A resolver at a runtime that counts the calls to it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "crio.sock"
        self.calls: Counter[str] = Counter()
        self.results: WakeupQueue[Lookup] = WakeupQueue()
        self.runtime = Runtime(str(self.socket))
        self.resolver = Resolver(self.runtime, self.results)
        self.server: FakeCrio | None = None

    def start_runtime(self) -> None:
        self.server = FakeCrio(self.socket, methods={name: self._counted(name) for name in fakes.METHODS})

    def _counted(self, name: str) -> Callable[[Any], Any]:
        def call(request: Any) -> Any:
            self.calls[name] += 1
            return fakes.METHODS[name](request)

        return call

    def wait_for(self, count: int) -> list[Lookup]:
        """Return the next results, at least ``count``."""
        found: list[Lookup] = []
        deadline = time.monotonic() + 60
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} results of {count}"
            select.select([self.results], [], [], 1)
            found += self.results.take()
        return found

    def close(self) -> None:
        self.resolver.close()
        self.runtime.close()
        if self.server:
            self.server.stop()
        self.results.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_a_known_container_is_described(world: World) -> None:
    world.start_runtime()
    world.resolver.request(fakes.WEB)
    [found] = world.wait_for(1)

    assert found.container and (found.id, found.container.name) == (fakes.WEB, "web")


def test_a_new_container_comes_before_many_unknown_ones(world: World) -> None:
    world.start_runtime()
    for container_id in UNKNOWN:
        world.resolver.request(container_id)
    world.resolver.request(fakes.WEB)
    first = world.wait_for(1)

    assert [found.id for found in first if found.container] == [fakes.WEB]


def test_unknown_containers_go_on_without_names_and_cost_few_calls(world: World) -> None:
    world.start_runtime()
    for container_id in UNKNOWN:
        world.resolver.request(container_id)
    found = world.wait_for(len(UNKNOWN))

    assert {lookup.id for lookup in found if lookup.container is None} == set(UNKNOWN)
    assert world.calls["ContainerStatus"] == world.calls["PodSandboxStatus"] == 0
    assert world.calls["ListContainers"] < 100


def test_a_forgotten_container_has_one_result_and_no_more_questions(world: World) -> None:
    world.start_runtime()
    world.resolver.request(UNKNOWN[0])
    world.resolver.forget(UNKNOWN[0])
    found = world.wait_for(1)
    asked = world.calls["ListContainers"]
    world.resolver.request(fakes.WEB)
    world.wait_for(1)

    assert found == [Lookup(UNKNOWN[0], None)]
    assert world.resolver._pending == {}
    assert world.calls["ListContainers"] == asked + 1


def test_a_container_gets_its_name_when_the_runtime_answers_at_last(world: World) -> None:
    world.resolver.request(fakes.WEB)
    assert world.wait_for(1)[0] == Lookup(fakes.WEB, None)
    world.start_runtime()
    while not (found := world.wait_for(1)[-1].container):
        pass

    assert found.name == "web"
