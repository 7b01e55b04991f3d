"""``driftline login``, ``whoami``, ``token`` and ``user`` against a server process."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.cli import audit, logout, password, suppression, token, user, whoami
from driftline.cli._shared import http_client
from driftline.cli._shared.credentials import Credentials
from driftline.cli.login import login
from driftline.errors import Conflict, Forbidden, NotFound, ServerUnreachable, Unauthenticated
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
def test_whoami_shows_the_name_and_the_role(capsys: pytest.CaptureFixture[str]) -> None:
    whoami.whoami()

    assert capsys.readouterr().out.startswith("root, admin in *\n")


@pytest.mark.usefixtures("logged_in")
def test_the_credentials_file_is_readable_by_its_owner_only(credentials: Path) -> None:
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600


def test_a_wrong_password_saves_no_credentials(
    served: serving.Served, monkeypatch: pytest.MonkeyPatch, credentials: Path
) -> None:
    type_in(monkeypatch, "wrong")

    with pytest.raises(Unauthenticated, match="wrong name or password"):
        login(server=served.url, name="root")

    assert not credentials.exists()


def test_without_credentials_the_error_names_driftline_login() -> None:
    with pytest.raises(Unauthenticated, match="driftline login --server URL"):
        whoami.whoami()


def test_the_setup_token_cannot_create_a_second_admin(served: serving.Served, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, served.setup_token, PASSWORD)

    with pytest.raises(Forbidden):
        login(server=served.url, name="again", setup=True)


@pytest.mark.usefixtures("logged_in")
def test_a_personal_token_logs_in_with_its_scopes(
    served: serving.Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token.create("ci", scope=["hunt"], days=1)
    type_in(monkeypatch, capsys.readouterr().out.strip())
    login(server=served.url, token=True)
    capsys.readouterr()

    whoami.whoami(output="json")

    assert json.loads(capsys.readouterr().out)["permissions"] == ["hunt"]


@pytest.mark.usefixtures("logged_in")
def test_a_user_is_created_changed_and_removed(
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
def test_a_conflict_has_the_message_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, PASSWORD)

    with pytest.raises(Conflict, match="there is a user 'root' already"):
        user.create("root")


def test_login_to_an_unreachable_server_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, PASSWORD)

    with pytest.raises(ServerUnreachable, match="no answer from"):
        login(server=f"http://127.0.0.1:{serving.free_port()}", name="root")


def test_an_invalid_url_is_unreachable() -> None:
    with pytest.raises(ServerUnreachable), http_client.connect(Credentials("not a url")) as client:
        client.call("GET", "/whoami")


@pytest.mark.usefixtures("logged_in")
def test_logout_ends_the_session_and_removes_the_credentials(served: serving.Served, credentials: Path) -> None:
    secret = json.loads(credentials.read_text())["token"]

    logout.logout()

    assert not credentials.exists()
    assert served.bearer(secret).get("/whoami").status_code == 401


def test_a_user_changes_the_own_password(served: serving.Served, monkeypatch: pytest.MonkeyPatch) -> None:
    served.user("pia", "viewer")
    type_in(monkeypatch, PASSWORD)
    login(server=served.url, name="pia")

    type_in(monkeypatch, PASSWORD, "another good password")
    password.password()

    type_in(monkeypatch, "another good password")
    login(server=served.url, name="pia")


def test_a_lost_password_is_set_on_the_machine_of_the_server(
    served: serving.Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = served.user("lost", "admin")

    type_in(monkeypatch, "a password found again")
    user.reset("lost", data=served.data)

    type_in(monkeypatch, "a password found again")
    login(server=served.url, name="lost")
    capsys.readouterr()
    audit.audit(action="user.reset")
    assert capsys.readouterr().out.splitlines()[1].split()[2] == "user.reset"
    serving.wait_until(lambda: old.get("/whoami").status_code == 401)
    with pytest.raises(NotFound, match="no local user 'nobody'"):
        type_in(monkeypatch, PASSWORD)
        user.reset("nobody", data=served.data)


@pytest.mark.usefixtures("logged_in")
def test_a_suppression_rule_is_created_listed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    suppression.create("ci", reason="builds", namespace="ci-*", expires="7d")
    number = capsys.readouterr().out.strip()

    suppression.list_suppressions(output="json")
    [rule] = json.loads(capsys.readouterr().out)
    assert (rule["id"], rule["conditions"]["namespace"], rule["expires_at"][:2]) == (number, "ci-*", "20")
    suppression.remove(number[:5])
    suppression.create("ci", reason="builds", rule="x")
    suppression.remove("ci")
    capsys.readouterr()
    suppression.list_suppressions(output="json")
    assert json.loads(capsys.readouterr().out) == []
