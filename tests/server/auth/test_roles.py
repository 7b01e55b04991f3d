"""Permissions and granted clusters of a principal."""

from __future__ import annotations

import pytest

from driftline.errors import Forbidden, NotFound
from driftline.server.auth.roles import PERMISSIONS, ROLES, Principal


def person(role: str = "viewer", *, clusters: tuple[str, ...] = ("*",), scopes: tuple[str, ...] = ()) -> Principal:
    return Principal("1", "ada", role, clusters, scopes=scopes)  # type: ignore[arg-type] # roles of the table


def test_each_role_has_the_permissions_of_the_roles_before() -> None:
    sets = [person(role).permissions for role in ROLES]

    assert sets[0] < sets[1] < sets[2] == set(PERMISSIONS)


def test_scopes_only_remove_permissions() -> None:
    assert person("viewer", scopes=("hunt", "users:write")).permissions == {"hunt"}


def test_a_cluster_that_is_not_granted_is_not_found() -> None:
    with pytest.raises(NotFound):
        person(clusters=("eu",)).check_cluster("us")


@pytest.mark.parametrize("clusters", [(), ("",), ("eu", "us")])
def test_a_list_of_clusters_does_not_grant_all(clusters: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden):
        person(clusters=clusters).check_everywhere()


def test_a_caller_can_grant_only_own_clusters() -> None:
    with pytest.raises(Forbidden):
        person("admin", clusters=("eu",)).check_grant(["*"])
