"""Suggested allow-list entries, and programs that are never suggested."""

import datetime
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from driftline import policy
from driftline.events import CloudProcessEvent, Content, Origin, text
from driftline.policy import Suggestions
from driftline.verdict import Writer, reason
from driftline.verdict.origin import FileLocation
from tests.policy.strategies import NOW
from tests.verdict import make

WRITER = Writer(pid=41, start_ns=5, comm=b"updater", time=make.NOON)


def words(content: Content, *, writer: Writer | None = WRITER, image_paths: tuple[bytes, ...] = ()) -> str:
    """Return the reason that the sensor records for /opt/update."""
    execution = make.execution(make.upper(b"/opt/update", writer=writer))
    return reason.explain(
        execution, FileLocation(Origin.WRITABLE_LAYER, b"/opt/update"), content, image_paths=image_paths
    )


EVENT = CloudProcessEvent(
    Timestamp=NOW,
    KubernetesNamespace="shop",
    KubernetesResource="Deployment/web",
    ContainerName="web",
    FileName="update",
    FolderPath="/opt",
    SHA256="ab" * 32,
    Drift="yes",
    DriftSubject="binary",
    DriftOrigin="writable-layer",
    DriftContent="added",
    DriftReason=words(Content.ADDED),
    PolicyRule="rule",
    PolicyAction="alert",
)
RELOCATED = {
    "DriftContent": "relocated",
    "DriftReason": words(Content.RELOCATED, writer=None, image_paths=(b"/bin/ls",)),
}


def runs(count: int = 3, **changes: Any) -> list[CloudProcessEvent]:
    """Return ``count`` executions, each in its own pod."""
    return [msgspec.structs.replace(EVENT, **{"KubernetesPodName": f"web-{n}"} | changes) for n in range(count)]


def left_out(events: Iterable[CloudProcessEvent]) -> str:
    found = policy.suggest(events)
    assert found.allow == ()
    (left,) = found.left_out
    return left.why


def entries(found: Suggestions) -> list[tuple[str, str, int]]:
    assert found.left_out == ()
    return [(each.sha256, each.path, each.count) for each in found.allow]


def test_a_recurring_program_with_a_known_writer_is_suggested_by_digest() -> None:
    assert entries(policy.suggest(runs(3))) == [("ab" * 32, "", 3)]


def test_relocated_image_content_needs_no_known_writer() -> None:
    assert entries(policy.suggest(runs(3, **RELOCATED))) == [("ab" * 32, "", 3)]


def test_one_digest_under_several_paths_is_one_entry() -> None:
    found = policy.suggest([*runs(3), *runs(3, FileName="other")])

    assert entries(found) == [("ab" * 32, "", 6)]
    assert found.allow[0].programs == ("/opt/other", "/opt/update")


def test_a_program_whose_bytes_change_is_suggested_by_path() -> None:
    events = [msgspec.structs.replace(each, SHA256=f"{n:064x}") for n, each in enumerate(runs(4, FileName="up[1]*"))]

    assert entries(policy.suggest(events)) == [("", "/opt/up[[]1][*]", 4)]


def test_a_policy_with_the_suggested_entries_ignores_the_executions() -> None:
    events = [
        *runs(3),
        *[msgspec.structs.replace(each, SHA256=f"{n:064x}") for n, each in enumerate(runs(4, FileName="a\\\\*"))],
    ]
    allow = [
        {name: value for name in ("sha256", "path") if (value := getattr(each, name))}
        for each in policy.suggest(events).allow
    ]
    rule = {"name": "rule", "priority": 1, "action": "alert", "allow": allow}

    found = policy.simulate(policy.Policy.model_validate({"rules": [rule]}), events, now=NOW)
    assert found.totals["silent"] == len(events)


def test_executions_in_one_pod_on_two_days_recur() -> None:
    later = NOW + datetime.timedelta(days=1)
    events = [*runs(2, KubernetesPodName="web-1"), *runs(1, KubernetesPodName="web-1", Timestamp=later)]

    assert entries(policy.suggest(events)) == [("ab" * 32, "", 3)]


def test_ignored_executions_are_skipped() -> None:
    assert policy.suggest(runs(3, PolicyAction="ignore")) == Suggestions(allow=(), left_out=())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"DriftOrigin": "memory"}, "it is fileless"),
        ({"DriftOrigin": "deleted"}, "its file was deleted"),
        ({"DriftOrigin": "tmpfs"}, "it ran from a tmpfs"),
        ({"DriftOrigin": "unknown"}, "it ran from outside"),
        ({"DriftContent": "unverified"}, "its bytes were not read"),
        ({"SHA256": ""}, "its bytes were not read"),
        ({"SessionKey": "s"}, "it ran in an exec session"),
        ({"DriftReason": words(Content.ADDED, writer=None)}, "the process that wrote it was not seen"),
        ({"PolicyRule": "Default"}, "the default rule decided"),
        ({"FileName": text(b"\xff")}, "its path is not valid UTF-8"),
        ({"KubernetesPodName": "web-1"}, "it ran in one pod on one day only"),
    ],
)
def test_programs_an_attacker_could_run_are_left_out_with_a_reason(changes: dict[str, Any], why: str) -> None:
    assert left_out(runs(3, **changes)).startswith(why)


@pytest.mark.parametrize(
    ("name", "image_paths"),
    [
        ("update", (b"/bin/bash",)),
        ("update", (b"/usr/bin/python3.11",)),
        ("update", (b"/bin/cat", b"/bin/ls")),
        ("bash", (b"/bin/ls",)),
    ],
)
def test_a_relocated_shell_is_left_out_with_a_reason(name: str, image_paths: tuple[bytes, ...]) -> None:
    more = {"DriftContent": "relocated", "DriftReason": words(Content.RELOCATED, image_paths=image_paths)}

    assert left_out(runs(3, FileName=name, **more)).startswith("it is, or may be, a shell or interpreter")


def test_one_unacceptable_execution_excludes_the_program() -> None:
    assert left_out([*runs(30), *runs(1, DriftOrigin="memory")]).startswith("it is fileless")


def test_programs_that_ran_too_rarely_are_left_out() -> None:
    assert left_out(runs(2)) == "it ran less than 3 times"


@pytest.mark.parametrize(
    "writer",
    [
        {"WriterPlace": "node"},
        {"WriterPlace": "other-container", "WriterKubernetesNamespace": "shop", "WriterKubernetesPodName": "other"},
    ],
)
def test_a_program_written_from_outside_of_its_pod_is_left_out(writer: dict[str, str]) -> None:
    assert left_out(runs(3, **writer)) == "it was written from outside of its pod"


def test_a_program_that_another_container_of_the_pod_wrote_is_suggested() -> None:
    writer = {"WriterPlace": "other-container", "WriterKubernetesNamespace": "shop"}
    events = [
        msgspec.structs.replace(event, WriterKubernetesPodName=event.KubernetesPodName) for event in runs(3, **writer)
    ]

    assert entries(policy.suggest(events)) == [("ab" * 32, "", 3)]


def test_a_writer_in_columns_explains_a_program_without_words() -> None:
    reason_without = words(Content.ADDED, writer=None)

    assert entries(policy.suggest(runs(3, DriftReason=reason_without, WriterProcessKey="boot-41-5")))
