"""``driftline login``, ``whoami``, ``token`` and ``user`` against a server process."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.cli import token, user, whoami
from driftline.cli._shared import http_client
from driftline.cli._shared.credentials import Credentials
from driftline.cli.login import login
from driftline.errors import Conflict, Forbidden, ServerUnreachable, Unauthenticated
from tests.server import serving
from tests.server.serving import PASSWORD


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    with serving.serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "credentials.json"
    monkeypatch.setenv("DRIFTLINE_CREDENTIALS", str(path))
    return path


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(line + "\n" for line in lines)))


@pytest.fixture
def logged_in(served: serving.Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    type_in(monkeypatch, PASSWORD)
    login(server=served.url, name="root")
    capsys.readouterr()


@pytest.mark.usefixtures("logged_in")
def test_whoami(capsys: pytest.CaptureFixture[str]) -> None:
    whoami.whoami()

    assert capsys.readouterr().out.startswith("root, admin in *\n")


@pytest.mark.usefixtures("logged_in")
def test_credentials_are_this_user_s_alone(credentials: Path) -> None:
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600


def test_a_wrong_password_keeps_nothing(
    served: serving.Served, monkeypatch: pytest.MonkeyPatch, credentials: Path
) -> None:
    type_in(monkeypatch, "wrong")

    with pytest.raises(Unauthenticated, match="password is wrong"):
        login(server=served.url, name="root")

    assert not credentials.exists()


def test_without_credentials_it_says_how_to_get_them() -> None:
    with pytest.raises(Unauthenticated, match="driftline login --server URL"):
        whoami.whoami()


def test_the_setup_token_makes_no_second_admin(served: serving.Served, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, served.setup_token, PASSWORD)

    with pytest.raises(Forbidden):
        login(server=served.url, name="again", setup=True)


@pytest.mark.usefixtures("logged_in")
def test_a_token_made_here_logs_in_elsewhere(
    served: serving.Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token.create("ci", scope=["hunt"], days=1)
    type_in(monkeypatch, capsys.readouterr().out.strip())
    login(server=served.url, token=True)
    capsys.readouterr()

    whoami.whoami(output="json")

    assert json.loads(capsys.readouterr().out)["permissions"] == ["hunt"]


@pytest.mark.usefixtures("logged_in")
def test_users_are_made_changed_and_removed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(monkeypatch, PASSWORD)
    user.create("ada", role="viewer", clusters=["eu"])
    user.change("ada", role="analyst")
    user.list_users(output="json")
    listed = {each["name"]: (each["role"], each["clusters"]) for each in json.loads(capsys.readouterr().out)}
    user.remove("ada")
    user.list_users()

    assert listed["ada"] == ("analyst", ["eu"])
    assert "ada" not in capsys.readouterr().out


@pytest.mark.usefixtures("logged_in")
def test_a_conflict_is_told_in_the_server_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, PASSWORD)

    with pytest.raises(Conflict, match="there is a user 'root' already"):
        user.create("root")


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, PASSWORD)

    with pytest.raises(ServerUnreachable, match="no answer from"):
        login(server=f"http://127.0.0.1:{serving.free_port()}", name="root")


def test_a_url_that_means_nothing() -> None:
    with pytest.raises(ServerUnreachable), http_client.connect(Credentials("not a url")) as client:
        client.call("GET", "/whoami")
