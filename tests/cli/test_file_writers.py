"""Writers of files, read from a real store."""

import datetime
from pathlib import Path

import pytest

from driftline import wire
from driftline.cli._shared.file_writers import Writers, read_writers, writer_facts, writer_text
from driftline.events import CloudProcessEvent
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)


def event(**changes: object) -> CloudProcessEvent:
    columns: dict[str, object] = {
        "Timestamp": NOW,
        "ActionType": "ProcessCreated",
        "ContainerId": "c1",
        "FolderPath": "/tmp",
        "FileName": "x",
        "SHA256": "ab",
        "WriteTime": NOW,
        "WriteOperation": "write",
        "WriterProcessId": 7,
        "WriterProcessKey": "b-7-1",
        "WriterProcessName": "curl",
        "WriterProcessCommandLine": "curl -o /tmp/x",
        "WriterPlace": "container",
    }
    return CloudProcessEvent(**(columns | changes))  # type: ignore[arg-type]  # columns by name


def writers(store: Path, *events: CloudProcessEvent) -> Writers:
    """Store the events; return the writers of the files of the container c1."""
    database = Database(store)
    database.ingest([Batch("s", 1, 0, {"CloudProcessEvents": wire.table("CloudProcessEvents", events)})])
    database.close()
    return read_writers(store, "c1")


def test_the_newest_writer_of_each_content_is_found(tmp_path: Path) -> None:
    found = writers(
        tmp_path / "s",
        event(),
        event(Timestamp=NOW + datetime.timedelta(seconds=1), WriterProcessCommandLine="wget"),
        event(FolderPath="/", FileName="y"),
        event(FileName="read", WriterProcessKey="", WriterProcessId=None),
        event(ContainerId="c2", FileName="other"),
    )

    assert set(found) == {("/tmp/x", "ab"), ("/y", "ab")}
    assert writer_text(found["/tmp/x", "ab"]) == "written by wget (process 7)"


def test_the_facts_are_those_of_the_event(tmp_path: Path) -> None:
    facts = writer_facts(writers(tmp_path / "s", event())["/tmp/x", "ab"])

    assert facts is not None
    assert (facts["command_line"], facts["process_id"], facts["operation"]) == ("curl -o /tmp/x", 7, "write")
    assert facts["time"] == "2026-11-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"WriterPlace": "node"}, "written by curl -o /tmp/x (process 7) on the node"),
        (
            {"WriterPlace": "other-container", "WriterKubernetesNamespace": "shop", "WriterKubernetesPodName": "web"},
            "written by curl -o /tmp/x (process 7) in another container (shop/web)",
        ),
        ({"WriterProcessCommandLine": ""}, "written by curl (process 7)"),
        ({"WriterProcessCommandLine": "a\x1b[2J"}, "written by a\\x1b[2J (process 7)"),
    ],
)
def test_a_writer_is_named_with_its_place(tmp_path: Path, changes: dict[str, object], expected: str) -> None:
    found = writers(tmp_path / "s", event(**changes))

    assert [writer_text(one) for one in found.values()] == [expected]


def test_no_store_is_needed(tmp_path: Path) -> None:
    assert read_writers(tmp_path / "missing", "c1") == {}
    assert (writer_facts(None), writer_text(None)) == (None, "")
