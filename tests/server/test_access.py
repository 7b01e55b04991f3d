"""Every operation of the OpenAPI document, tried with every role and with tokens of every single scope.

The document has the permission that an operation needs, as the scope of its security. Requests have no body and name
objects that do not exist: a caller with the permission gets any answer but 401 and 403.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import pytest

from driftline.server.auth.roles import PERMISSIONS, ROLES, Permission, Role, permissions_of
from tests.server import serving
from tests.server.serving import Served

pytestmark = pytest.mark.timeout(300)
ENDLESS = {"/api/v1/alerts/stream", "/api/v1/events/stream"}
LOGS_OUT = {"/api/v1/logout", "/api/v1/password"}
HERE = {"name": "none", "alert_id": "none", "version": "1", "user_id": "none"}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the document; no permission means that any user may call it."""

    method: str
    path: str
    permission: str

    def call(self, client: httpx.Client) -> int:
        path = re.sub(r"\{(\w+)\}", lambda match: HERE.get(match[1], "none"), self.path)
        return client.request(self.method, path.removeprefix("/api/v1")).status_code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving.serve(tmp_path_factory.mktemp("server"), sensors=True) as running:
        yield running


@pytest.fixture(scope="module")
def operations(served: Served) -> list[Operation]:
    paths = served.anonymous().get("/openapi.json").json()["paths"]
    found = [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]
    return [Operation(method.upper(), path, _permission(it)) for method, path, it in found if "security" in it]


def _permission(operation: Mapping[str, Any]) -> str:
    scopes = {scope for scheme in operation["security"] for names in scheme.values() for scope in names}
    assert len(scopes) <= 1
    return next(iter(scopes), "")


def check(client: httpx.Client, operations: list[Operation], permissions: frozenset[str]) -> None:
    wrong = []
    for operation in operations:
        allowed = not operation.permission or operation.permission in permissions
        if operation.path in LOGS_OUT or (allowed and operation.path in ENDLESS):
            continue
        status = operation.call(client)
        if (status not in {401, 403}) != allowed:
            wrong.append((operation.method, operation.path, operation.permission, status))
    assert wrong == []


def test_the_document_names_a_permission_for_nearly_every_operation(operations: list[Operation]) -> None:
    own = {"/api/v1/logout", "/api/v1/password", "/api/v1/whoami", "/api/v1/tokens", "/api/v1/tokens/{token_id}"}

    assert {operation.path for operation in operations if not operation.permission} == own
    assert {operation.permission for operation in operations} - {""} == set(PERMISSIONS)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_call_what_its_permissions_allow(served: Served, operations: list[Operation], role: Role) -> None:
    check(served.user(f"a-{role}", role), operations, permissions_of(role))


@pytest.mark.parametrize("scope", get_args(Permission))
def test_a_token_of_an_admin_may_call_what_its_scope_allows(
    served: Served, operations: list[Operation], scope: str
) -> None:
    made = served.admin.post("/tokens", json={"name": "t", "scopes": [scope], "days": 1}).json()
    # A token with scopes is refused for tokens other than itself.
    others = [it for it in operations if it.path != "/api/v1/tokens/{token_id}"]

    check(served.bearer(made["token"]), others, frozenset({scope}))


def test_an_admin_of_one_cluster_may_not_read_the_trail_of_all(served: Served) -> None:
    client = served.user("admin-of-eu", "admin", ["eu"])

    assert Operation("GET", "/api/v1/audit", "audit:read").call(client) == 403
