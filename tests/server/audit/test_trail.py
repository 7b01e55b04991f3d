"""The audit trail."""

from __future__ import annotations

from typing import get_args

import pytest

from driftline.server.alerts import states
from driftline.server.state.audit import Action
from tests.server.serving import PASSWORD, Served


def test_a_write_is_recorded_with_actor_and_address(served: Served) -> None:
    served.admin.post("/users", json={"name": "told", "password": PASSWORD, "role": "viewer"})

    (entry,) = served.admin.get("/audit", params={"action": "user.make", "limit": 1}).json()["items"]

    assert (entry["actor"], entry["address"], entry["target"]) == ("root", "127.0.0.1", "told")
    assert entry["detail"] == {"role": "viewer", "clusters": ["*"]}


def test_a_failed_write_leaves_no_entry(served: Served) -> None:
    served.admin.post("/users", json={"name": "root", "password": PASSWORD})

    entries = served.admin.get("/audit", params={"action": "user.make"}).json()["items"]

    assert "root" not in [entry["target"] for entry in entries]


def test_a_refused_login_is_recorded(served: Served) -> None:
    served.anonymous().post("/login", json={"name": "root", "password": "guess"})

    (entry,) = served.admin.get("/audit", params={"action": "login.refused"}).json()["items"]

    assert (entry["actor"], entry["target"]) == ("-", "root")


def test_paging_ends_after_the_last_entry(served: Served) -> None:
    ids, cursor = [], ""
    while True:
        page = served.admin.get("/audit", params={"limit": 1, "cursor": cursor}).json()
        ids += [entry["id"] for entry in page["items"]]
        cursor = page["next"]
        if not cursor:
            break

    assert ids == list(range(len(ids), 0, -1))


def test_reading_the_trail_needs_a_grant_for_all_clusters(served: Served) -> None:
    assert served.user("regional", "admin", ["eu"]).get("/audit").status_code == 403
    assert served.user("ann", "analyst").get("/audit").status_code == 403


@pytest.mark.parametrize(
    ("action", "hint"), [("user.maek", "did you mean user.make?"), ("POLICY", "did you mean policy.put?"), ("x", "")]
)
def test_an_unknown_action_is_refused_with_the_nearest_one(served: Served, action: str, hint: str) -> None:
    answer = served.admin.get("/audit", params={"action": action})

    assert (answer.status_code, "expected one of alert.assign, " in answer.text, hint in answer.text) == (
        400,
        True,
        True,
    )


@pytest.mark.parametrize("action", ["USER.make", "", "join_token.make"])
def test_an_action_is_found_in_any_case(served: Served, action: str) -> None:
    assert served.admin.get("/audit", params={"action": action}).status_code == 200


def test_the_trail_knows_every_action_on_an_alert() -> None:
    assert {f"alert.{action}" for action in get_args(states.Action)} <= set(get_args(Action))
