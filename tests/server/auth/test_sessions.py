"""Endpoints of setup, login, logout and the caller's own tokens, with a server process."""

from __future__ import annotations

import pytest

from driftline.server.auth.sessions import cookies_are_secure
from driftline.server.settings import Settings
from tests.server.serving import PASSWORD, Served


def test_the_setup_token_is_accepted_once(served: Served) -> None:
    body = {"token": served.setup_token, "name": "second", "password": PASSWORD}

    answer = served.anonymous().post("/setup", json=body)

    assert (answer.status_code, answer.json()["detail"]) == (403, "wrong or used setup token")


def test_whoami_returns_name_role_and_permissions(served: Served) -> None:
    me = served.user("vera", "viewer", ["prod"]).get("/whoami").json()

    assert (me["name"], me["role"], me["clusters"]) == ("vera", "viewer", ["prod"])
    assert me["permissions"] == ["alerts:read", "events:read", "hunt", "policies:read", "sensors:read"]


def test_wrong_password_and_unknown_user_get_the_same_response(served: Served) -> None:
    answers = [
        served.anonymous().post("/login", json={"name": name, "password": "not the password"}).json()["detail"]
        for name in ("root", "nobody")
    ]

    assert answers == ["wrong name or password"] * 2


def test_logout_ends_the_session(served: Served) -> None:
    client = served.user("lou", "viewer")

    assert client.post("/logout").status_code == 204
    assert client.get("/whoami").json()["detail"] == "the token is unknown, or was revoked"


def test_the_session_cookie_suffices_for_reading(served: Served) -> None:
    client = served.anonymous()
    client.post("/login", json={"name": "root", "password": PASSWORD})

    assert client.get("/whoami").json()["name"] == "root"


def test_a_write_by_the_session_cookie_needs_the_header(served: Served) -> None:
    client = served.anonymous()
    client.post("/login", json={"name": "root", "password": PASSWORD})
    body = {"name": "t", "scopes": [], "days": 1}

    assert client.post("/tokens", json=body).status_code == 403
    assert client.post("/tokens", json=body, headers={"X-Driftline": "1"}).status_code == 201


def test_the_session_cookie_is_http_only_and_same_site(served: Served) -> None:
    answer = served.anonymous().post("/login", json={"name": "root", "password": PASSWORD})

    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]


def test_a_token_is_limited_to_its_scopes(served: Served) -> None:
    made = served.admin.post("/tokens", json={"name": "ci", "scopes": ["users:read"], "days": 1}).json()
    client = served.bearer(made["token"])

    assert client.get("/users").status_code == 200
    assert client.get("/audit").json()["detail"] == "the token's scopes do not hold the permission audit:read"


def test_a_token_cannot_create_a_token_with_more_permissions(served: Served) -> None:
    made = served.admin.post("/tokens", json={"name": "ci", "scopes": ["users:read"], "days": 1}).json()
    client = served.bearer(made["token"])

    wider = client.post("/tokens", json={"name": "x", "scopes": ["users:write"], "days": 1})
    same = client.post("/tokens", json={"name": "x", "scopes": [], "days": 1})

    assert (wider.status_code, same.json()["scopes"]) == (403, ["users:read"])


def test_a_token_cannot_create_a_token_that_outlives_it(served: Served) -> None:
    client = served.bearer(served.admin.post("/tokens", json={"name": "ci", "scopes": [], "days": 2}).json()["token"])
    mine = client.get("/tokens").json()[0]

    longer = client.post("/tokens", json={"name": "x", "scopes": [], "days": 3})
    same = [client.post("/tokens", json={"name": "x", "scopes": [], **days}).json() for days in ({"days": 2}, {})]

    assert (longer.status_code, "expected at most 2 days" in longer.json()["detail"]) == (403, True)
    assert [made["expires_at"] for made in same] == [mine["expires_at"]] * 2


def test_a_token_with_scopes_lists_and_revokes_only_itself(served: Served) -> None:
    other = served.admin.post("/tokens", json={"name": "other", "scopes": [], "days": 1}).json()
    made = served.admin.post("/tokens", json={"name": "hunts", "scopes": ["hunt"], "days": 1}).json()
    client = served.bearer(made["token"])

    assert [token["id"] for token in client.get("/tokens").json()] == [made["id"]]
    assert client.delete(f"/tokens/{other['id']}").status_code == 403
    assert client.delete(f"/tokens/{made['id']}").status_code == 204


@pytest.mark.parametrize("scopes", [["users:write"], ["users:write", "users:read", "hunt"]])
def test_a_token_with_scopes_cannot_make_a_user_who_may_more(served: Served, scopes: list[str]) -> None:
    made = served.admin.post("/tokens", json={"name": "t", "scopes": scopes, "days": 1}).json()
    client = served.bearer(made["token"])
    name = f"made-{len(scopes)}"
    served.user(name, "viewer")
    ids = {user["name"]: user["id"] for user in served.admin.get("/users").json()["items"]}

    for role in ("admin", "analyst", "viewer"):
        body = {"name": "new", "password": PASSWORD, "role": role}
        assert client.post("/users", json=body).status_code == 403
    for change in ({"role": "admin"}, {"password": PASSWORD}, {"clusters": ["*"]}, {"disabled": False}):
        assert client.patch(f"/users/{ids[name]}", json=change).status_code == 403
    assert client.patch(f"/users/{ids['root']}", json={"password": "another good one"}).status_code == 403
    assert client.patch(f"/users/{ids[name]}", json={"disabled": True}).status_code == 200


def test_a_revoked_token_is_refused(served: Served) -> None:
    made = served.admin.post("/tokens", json={"name": "short", "scopes": [], "days": 1}).json()

    assert served.admin.delete(f"/tokens/{made['id']}").status_code == 204
    assert served.bearer(made["token"]).get("/whoami").status_code == 401


def test_a_user_cannot_revoke_a_token_of_another_user(served: Served) -> None:
    made = served.admin.post("/tokens", json={"name": "mine", "scopes": [], "days": 1}).json()

    assert served.user("mallory", "analyst").delete(f"/tokens/{made['id']}").status_code == 404


def test_the_lifetime_of_a_token_is_limited(served: Served) -> None:
    answer = served.admin.post("/tokens", json={"name": "long", "scopes": [], "days": 400})

    assert answer.json()["errors"][0]["detail"] == "days: expected at most 365, got 400"


def test_a_new_password_ends_the_other_sessions(served: Served) -> None:
    here = served.user("paula", "viewer")
    there = served.anonymous().post("/login", json={"name": "paula", "password": PASSWORD}).json()["token"]

    changed = here.put("/password", json={"old": PASSWORD, "new": "another good password"})

    assert (changed.status_code, here.get("/whoami").status_code) == (204, 200)
    assert served.bearer(there).get("/whoami").status_code == 401


def test_the_state_has_no_secret_in_plain_text(served: Served) -> None:
    made = served.admin.post("/tokens", json={"name": "kept", "scopes": [], "days": 1}).json()
    log = served.process.log  # type: ignore[attr-defined] # see serving.start

    files = [path.read_bytes() for path in (log.parent / "data").iterdir()]

    assert not any(made["token"].encode() in content or PASSWORD.encode() in content for content in files)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"sensor_names": "localhost"}, True),
        ({"tls_certificate": "/c.pem", "tls_key": "/k.pem"}, True),
        ({"public_url": "HTTPS://drift.example"}, True),
        ({"public_url": "http://drift.example"}, False),
    ],
)
def test_cookies_are_secure_where_users_speak_tls(given: dict[str, str], *, expected: bool) -> None:
    assert cookies_are_secure(Settings.model_validate(given)) == expected
