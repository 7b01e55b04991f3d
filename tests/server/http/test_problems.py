"""Error responses as problem documents."""

from __future__ import annotations

import pytest

from tests.server.serving import Served

KEYS = {"type", "title", "status", "detail", "instance", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/whoami", 405),
        ("GET", "/users/none", 404),
        ("POST", "/users", 400),
        ("GET", "/audit?cursor=!", 400),
        ("GET", "/audit?limit=0", 400),
    ],
)
def test_every_error_is_a_problem_document(served: Served, method: str, path: str, status: int) -> None:
    answer = served.admin.request(method, path)

    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(document) == KEYS
    assert document["instance"] == answer.headers["x-request-id"]


def test_an_invalid_field_has_a_pointer(served: Served) -> None:
    answer = served.admin.post("/users", json={"name": "x", "password": "long enough to be", "role": "king"})

    assert [place["pointer"] for place in answer.json()["errors"]] == ["#/body/role"]


def test_a_body_above_the_limit_is_refused_unread(served: Served) -> None:
    answer = served.admin.post("/users", content=b"x" * (3 << 20))

    assert (answer.status_code, answer.json()["type"]) == (413, "urn:driftline:problem:too-large")
