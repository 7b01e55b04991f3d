"""``driftline hunt --server`` against a server process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.cli._shared import credentials
from driftline.cli.hunt import hunt
from driftline.errors import InvalidInput, Unauthenticated
from tests.server import raising, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    directory = tmp_path_factory.mktemp("server")
    raising.store(directory / "store", [raising.alert()])
    with serving.serve(directory) as running:
        yield running


@pytest.fixture(autouse=True)
def logged_in(served: serving.Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_CREDENTIALS", str(tmp_path / "credentials.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    token = served.admin.headers["Authorization"].removeprefix("Bearer ")
    credentials.save_credentials(credentials.Credentials(served.url, token))


def test_a_query_runs_on_the_server(served: serving.Served, capsys: pytest.CaptureFixture[str]) -> None:
    query = "declare query_parameters(c: string); CloudProcessEvents | where ClusterName == c | project FileName"
    hunt(query, server=served.url, param=["c=prod"], timespan="1d", output="json")

    assert capsys.readouterr().out == '{"FileName": "miner"}\n'


def test_run_finds_a_hunt_saved_on_the_server(served: serving.Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert served.admin.put("/hunts/saved/Mine", json={"text": "print a = 1"}).status_code == 200
    hunt(run="Mine", server=served.url, output="json")

    assert capsys.readouterr().out == '{"a": 1}\n'


def test_an_error_of_the_server_is_underlined(served: serving.Served) -> None:
    with pytest.raises(InvalidInput) as caught:
        hunt("print a = strlenn('x')", server=served.url)

    assert str(caught.value).split("\n")[1:] == ["  print a = strlenn('x')", "            ^^^^^^^"]


def test_more_rows_than_the_limit_are_an_error(served: serving.Served) -> None:
    with pytest.raises(InvalidInput, match="more than 2 rows"):
        hunt("range a from 1 to 3 step 1", server=served.url, rows=2)


def test_a_token_is_not_sent_to_another_server() -> None:
    with pytest.raises(Unauthenticated, match="logged in to"):
        hunt("print 1", server="http://127.0.0.1:1")
