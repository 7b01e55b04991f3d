"""What a principal may."""

from __future__ import annotations

import pytest

from driftline.errors import Forbidden, NotFound
from driftline.server.auth.roles import PERMISSIONS, ROLES, Principal


def person(role: str = "viewer", *, clusters: tuple[str, ...] = ("*",), scopes: tuple[str, ...] = ()) -> Principal:
    return Principal("1", "ada", role, clusters, scopes=scopes)  # type: ignore[arg-type] # roles of the table


def test_each_role_may_what_the_one_before_may() -> None:
    sets = [person(role).permissions for role in ROLES]

    assert sets[0] < sets[1] < sets[2] == set(PERMISSIONS)


def test_scopes_narrow_and_never_widen() -> None:
    assert person("viewer", scopes=("hunt", "users:write")).permissions == {"hunt"}


def test_a_cluster_not_granted_is_as_if_not_there() -> None:
    with pytest.raises(NotFound):
        person(clusters=("eu",)).check_cluster("us")


@pytest.mark.parametrize("clusters", [(), ("",), ("eu", "us")])
def test_no_list_of_clusters_is_every_cluster(clusters: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden):
        person(clusters=clusters).check_everywhere()


def test_nobody_grants_more_than_their_own() -> None:
    with pytest.raises(Forbidden):
        person("admin", clusters=("eu",)).check_grant(["*"])
