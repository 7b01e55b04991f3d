"""Blocking in the kernel, compared with the policy's decision on the same execution."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline import verdict
from driftline.events import Action, Container, Drift, Subject, Verdict
from driftline.policy import Blocking, NodeLocation, Policy, Rule, compile_blocking, explain, rules_for
from driftline.policy.model import AllowedProcess, Condition, ResourceField
from driftline.sensor.bpf import kernel
from driftline.sensor.bpf.records import ExecRecord, OpenRecord
from driftline.verdict import ContainerRoot, Digest, Execution
from tests.kernel.world import BYTES, IMAGE_PROGRAMS, World, sha256, was_blocked

pytestmark = pytest.mark.kernel

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
PATHS = (*IMAGE_PROGRAMS, "/bin/new", "/opt/agent/sub/c", "/tmp/a", "/volume/a")


@pytest.fixture(scope="module")
def world(kernel_side: kernel.KernelSide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world") / "root"
    folder.mkdir()
    made = World(kernel_side, folder)
    yield made
    made.close()


def entries(root: Path) -> st.SearchStrategy[AllowedProcess]:
    """Generate allow-list entries of every kind."""
    paths = ("/bin/new", "/opt/agent/*", "/opt/*", "/*/a", "/tmp/a", "/volume/*", "/tmp/*")
    return st.one_of(
        st.sampled_from(paths).map(lambda path: AllowedProcess(path=str(root) + path)),
        st.sampled_from(("a", "c", "new")).map(lambda name: AllowedProcess(name=name)),
        st.sampled_from(paths).map(lambda path: AllowedProcess(path=str(root) + path)),
        st.sampled_from(tuple(BYTES)).map(lambda name: AllowedProcess(sha256=sha256(BYTES[name]))),
        st.just(AllowedProcess(relocated=True)),
    )


@st.composite
def rules(draw: st.DrawFn, root: Path) -> tuple[Rule, ...]:
    """Generate up to three rules; the container is outside the scope of some."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        scope = draw(st.sampled_from(("shop", "shop", "other")))
        made.append(
            Rule(
                name=f"rule {number}",
                priority=number + 1,
                action=draw(st.sampled_from((Action.BLOCK, Action.BLOCK, Action.ALERT, Action.IGNORE))),
                resource_scope=(Condition(field=ResourceField.NAMESPACE, values=(scope,)),),
                subjects=draw(st.sampled_from((tuple(Subject), tuple(Subject), (Subject.BINARY,), (Subject.SCRIPT,)))),
                allow=tuple(draw(st.lists(entries(root), max_size=4))),
                fail_closed=draw(st.booleans()),
                expires=draw(st.sampled_from((None, None, None, NOW))),
            )
        )
    return tuple(made)


def user_space_verdict(world: World, record: ExecRecord | OpenRecord, content: str) -> Verdict:
    """Return the verdict of user space on the execution."""
    data = BYTES["image" if content == "untouched" else content]
    return verdict.decide(
        Execution(subject=Subject.BINARY, file=record.file, time=NOW),
        root=ContainerRoot(device=world.device),
        image=world.index,
        read=lambda: Digest(sha256(data), len(data)),
    )


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_kernel_blocks_what_explain_says(world: World, data: st.DataObject) -> None:
    policy = Policy(rules=data.draw(rules(world.root)))
    path = data.draw(st.sampled_from(PATHS))
    content = data.draw(st.sampled_from((*BYTES, *(["untouched"] if path in IMAGE_PROGRAMS else []))))
    container = Container(id="c", namespace="shop")
    applying = rules_for(policy, container, NodeLocation())
    (deciding,) = applying.deciding_rules(Subject.BINARY, NOW)
    blocking = compile_blocking(applying, NOW)
    world.reset()
    target = world.write(path, content)
    keys = world.put_in_force(blocking, data.draw(st.integers(1, 1 << 31)))
    code, record = world.execute(target)
    world.side.blocking.disallow(keys)
    found = user_space_verdict(world, record, content)
    said = explain(policy, container, NodeLocation(), verdict=found, process_name=target.name, now=NOW)
    is_blocked = was_blocked(record)
    should_block = found.drift == Drift.YES and said.decision.action == Action.BLOCK

    assert is_blocked == (code == (126 if world.side.can_deny else 128 + 9))
    if should_block != is_blocked:
        assert deciding and is_blocked == deciding.fail_closed, (said, found)
        assert _is_for_user_space(blocking, content, path), (said, found)


# Cases that the kernel side leaves to user space: only the content decides.
def _is_for_user_space(blocking: Blocking, content: str, path: str) -> bool:
    asks_for_bytes = Subject.BINARY in blocking.undecidable | blocking.relocated
    return asks_for_bytes or (path in IMAGE_PROGRAMS and content != "longer")
