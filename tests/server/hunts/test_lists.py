"""Endpoints of lists: an administrator uploads, all hunts read."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.server import raising, serving
from tests.server.serving import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("server")
    raising.store(directory / "store", [raising.alert()])
    with serving.serve(directory) as running:
        yield running


@pytest.fixture(scope="module")
def admin(served: Served) -> httpx.Client:
    return served.user("anna", "admin", ["*"])


@pytest.fixture(scope="module")
def viewer(served: Served) -> httpx.Client:
    return served.user("vera", "viewer", ["eu"])


def rows(client: httpx.Client, query: str) -> object:
    return client.post("/hunt", json={"query": query}).json()["rows"]


def test_a_viewer_s_hunt_reads_an_uploaded_list_until_it_is_removed(admin: httpx.Client, viewer: httpx.Client) -> None:
    assert admin.put("/hunts/lists/High-Value", json={"csv": "IP,Owner\n10.0.0.1,ops\n"}).status_code == 200
    assert admin.put("/hunts/lists/High-Value", json={"csv": "IP,Owner\n10.0.0.2,dev\n"}).status_code == 200

    assert rows(viewer, "_GetWatchlist('High-Value') | project SearchKey, Owner") == [
        {"SearchKey": "10.0.0.2", "Owner": "dev"}
    ]
    assert rows(viewer, 'externaldata (IP: string) ["https://example.com/High-Value.csv"]') == [{"IP": "10.0.0.2"}]

    assert admin.delete("/hunts/lists/High-Value").status_code == 204
    answer = viewer.post("/hunt", json={"query": "_GetWatchlist('High-Value')"})
    assert answer.json()["errors"][0]["detail"].startswith("no list 'High_Value': a hunt reads only the tables")


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_only_an_administrator_uploads_and_removes_lists(served: Served, role: str) -> None:
    client = served.user(f"some-{role}", role, ["*"])

    assert client.put("/hunts/lists/L", json={"csv": "a\n1\n"}).status_code == 403
    assert client.delete("/hunts/lists/L").status_code == 403


@pytest.mark.parametrize("name", ["CloudProcessEvents", "strlen", "a.b", "1a"])
def test_names_of_tables_and_functions_are_refused(admin: httpx.Client, name: str) -> None:
    assert admin.put(f"/hunts/lists/{name}", json={"csv": "a\n1\n"}).status_code == 400


def test_a_file_that_is_no_list_is_refused(admin: httpx.Client) -> None:
    answer = admin.put("/hunts/lists/L", json={"csv": "a,b\n1\n"})

    assert answer.status_code == 400
    assert "line 2: expected 2 values, got 1" in answer.text
