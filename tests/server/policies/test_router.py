"""Endpoints of policies: versions, differences, roll back, granted clusters."""

from __future__ import annotations

import pytest

from tests.server.serving import Served

ALERT = "rules:\n- name: One\n  priority: 1\n  action: alert\n"
BLOCK = ALERT.replace("alert", "block")


def put(served: Served, name: str, text: str, **more: object) -> dict[str, object]:
    answer = served.admin.put(f"/policies/{name}", json={"text": text, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_versions_have_author_and_message(served: Served) -> None:
    put(served, "who", ALERT, message="begin")
    put(served, "who", BLOCK, message="be strict")

    versions = served.admin.get("/policies/who/versions").json()["items"]

    assert [(each["version"], each["author"], each["message"]) for each in versions] == [
        (2, "root", "be strict"), (1, "root", "begin")]  # fmt: skip


def test_two_versions_are_compared(served: Served) -> None:
    put(served, "diff", ALERT)
    put(served, "diff", BLOCK)

    diff = served.admin.get("/policies/diff/diff", params={"from_version": 1, "to_version": 2}).json()["diff"]

    assert [line for line in diff.splitlines() if line[:1] in "+-"][2:] == ["-  action: alert", "+  action: block"]


def test_a_roll_back_is_a_new_version(served: Served) -> None:
    put(served, "back", ALERT)
    put(served, "back", BLOCK)

    made = served.admin.post("/policies/back/rollback", json={"version": 1}).json()

    assert (made["version"], made["text"], made["message"]) == (3, ALERT, "roll back to version 1")


def test_an_invalid_policy_is_refused_with_every_place(served: Served) -> None:
    answer = served.admin.put("/policies/wrong", json={"text": "rules:\n- name: One\n  priority: 0\n  acton: alert\n"})

    assert answer.json()["type"] == "urn:driftline:problem:invalid-policy"
    assert [(place["line"], place["column"]) for place in answer.json()["errors"]] == [(2, 3), (3, 13), (4, 3)]
    assert served.admin.get("/policies/wrong").status_code == 404


def test_a_change_of_an_outdated_version_is_a_conflict(served: Served) -> None:
    put(served, "race", ALERT, if_version=0)

    answer = served.admin.put("/policies/race", json={"text": BLOCK, "if_version": 0})

    assert (answer.status_code, "version 1 is in force" in answer.json()["detail"]) == (409, True)


def test_policies_of_other_clusters_are_not_found(served: Served) -> None:
    put(served, "default", ALERT)
    put(served, "us", ALERT)
    client = served.user("eu-admin", "admin", ["eu"])

    assert client.get("/policies/default").status_code == 200
    assert client.get("/policies/us").status_code == 404
    assert client.put("/policies/us", json={"text": BLOCK}).status_code == 404
    assert client.put("/policies/default", json={"text": BLOCK}).status_code == 403
    assert client.put("/policies/eu", json={"text": BLOCK}).status_code == 200
    assert [policy["name"] for policy in client.get("/policies").json()] == ["default", "eu"]


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_only_admins_change_policies(served: Served, role: str) -> None:
    client = served.user(f"a-{role}", role)

    assert client.put("/policies/default", json={"text": BLOCK}).status_code == 403
    assert client.post("/policies/default/rollback", json={"version": 1}).status_code == 403
