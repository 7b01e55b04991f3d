"""Endpoints of users."""

from __future__ import annotations

import pytest

from tests.server.serving import PASSWORD, Served


def test_users_are_listed_in_pages(served: Served) -> None:
    for name in ("page-a", "page-b", "page-c"):
        served.user(name, "viewer")
    names, cursor = [], ""
    while True:
        page = served.admin.get("/users", params={"limit": 2, "cursor": cursor}).json()
        names += [user["name"] for user in page["items"]]
        cursor = page["next"]
        if not cursor:
            break

    assert names == sorted(names)
    assert {"page-a", "page-b", "page-c", "root"} <= set(names)


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_only_admins_manage_users(served: Served, role: str) -> None:
    client = served.user(f"just-{role}", role)

    assert client.get("/users").json()["detail"] == f"the role {role} does not have the permission users:read"
    assert client.post("/users", json={"name": "x", "password": PASSWORD}).status_code == 403


def test_an_admin_of_some_clusters_cannot_grant_others(served: Served) -> None:
    client = served.user("regional", "admin", ["eu"])
    body = {"name": "wide", "password": PASSWORD, "role": "viewer", "clusters": ["us"]}

    assert client.post("/users", json=body).status_code == 403
    assert client.post("/users", json=body | {"clusters": ["eu"]}).status_code == 201


def test_an_admin_of_some_clusters_cannot_change_users_of_others(served: Served) -> None:
    client = served.user("regional-2", "admin", ["eu"])
    root = served.admin.get("/whoami").json()["id"]

    assert client.patch(f"/users/{root}", json={"password": "taking it all over"}).status_code == 403
    assert client.delete(f"/users/{root}").status_code == 403


def test_disabling_a_user_takes_effect_at_once(served: Served) -> None:
    client = served.user("gone", "viewer")
    user = client.get("/whoami").json()["id"]

    assert served.admin.patch(f"/users/{user}", json={"disabled": True}).json()["disabled"] is True
    assert client.get("/whoami").status_code == 401
    assert served.anonymous().post("/login", json={"name": "gone", "password": PASSWORD}).status_code == 401


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"disabled": True}, {"clusters": ["eu"]}])
def test_the_last_admin_cannot_be_demoted_or_disabled(served: Served, change: dict[str, object]) -> None:
    root = served.admin.get("/whoami").json()["id"]

    answer = served.admin.patch(f"/users/{root}", json=change)

    assert (answer.status_code, served.admin.get("/whoami").json()["role"]) == (409, "admin")


def test_a_second_user_of_a_name_is_a_conflict(served: Served) -> None:
    served.user("twice", "viewer")

    assert served.admin.post("/users", json={"name": "twice", "password": PASSWORD}).status_code == 409


def test_a_short_password_is_refused_with_the_expected_length(served: Served) -> None:
    answer = served.admin.post("/users", json={"name": "short", "password": "12345"})

    assert answer.json()["errors"] == [{"detail": "password: expected 12 to 1024 characters, got 5"}]


def test_an_error_does_not_repeat_the_password(served: Served) -> None:
    answer = served.admin.post("/users", json={"name": "!", "password": PASSWORD})

    assert answer.status_code == 400
    assert PASSWORD not in answer.text


def test_the_name_of_a_removed_user_can_be_used_again(served: Served) -> None:
    client = served.user("again", "viewer")
    user = client.get("/whoami").json()["id"]

    assert served.admin.delete(f"/users/{user}").status_code == 204
    assert served.user("again", "analyst").get("/whoami").json()["role"] == "analyst"
