"""Names of nodes and clusters: those that exist, and none that is a path."""

from __future__ import annotations

import pytest

from driftline.wire.protocol import check_cluster_name, check_node_name


@pytest.mark.parametrize("name", ["n", "node-1", "ip-10-0-0-1.eu-west-1.compute.internal", "My_Host", "a" * 253])
def test_names_of_hosts_are_nodes(name: str) -> None:
    assert check_node_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../../etc",
        "/etc",
        "a/b",
        "a\\b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a b",
        "<b>",
        "a\n",
        "\x1b[2J",
        "ü",
        "a" * 254,
    ],
)
def test_paths_markup_and_control_characters_are_no_nodes(name: str) -> None:
    with pytest.raises(ValueError, match="expected a host name"):
        check_node_name(name)


@pytest.mark.parametrize("name", ["prod-eu", "arn:aws:eks:eu-1:123:cluster/prod", "gke_project_zone_name", "Büro 1"])
def test_names_that_clouds_give_are_clusters(name: str) -> None:
    assert check_cluster_name(name) == name


@pytest.mark.parametrize("name", ["", "..", "../x", "a/../b", "/a", "a/", "a\\..\\b", "./a", "a\x00", "a" * 254])
def test_paths_are_no_clusters(name: str) -> None:
    with pytest.raises(ValueError, match="expected a name"):
        check_cluster_name(name)
