"""Endpoints of saved hunts and of the library."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.server import raising, serving
from tests.server.serving import Served

PARAMETERS = "n: long = 2"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("server")
    raising.store(directory / "store", [raising.alert()])
    with serving.serve(directory) as running:
        yield running


@pytest.fixture(scope="module")
def ada(served: Served) -> httpx.Client:
    client = served.user("ada", "viewer", ["eu"])
    for name, shared in (("Mine", False), ("Ours", True)):
        body = {"text": "range a from 1 to n step 1;", "parameters": PARAMETERS, "shared": shared}
        assert client.put(f"/hunts/saved/{name}", json=body).status_code == 200
    return client


@pytest.fixture(scope="module")
def bob(served: Served) -> httpx.Client:
    return served.user("bob", "viewer", ["us"])


def hunt(client: httpx.Client, query: str) -> httpx.Response:
    return client.post("/hunt", json={"query": query})


def test_own_and_shared_hunts_are_listed(ada: httpx.Client, bob: httpx.Client) -> None:
    assert [each["name"] for each in ada.get("/hunts/saved").json()] == ["Mine", "Ours"]
    assert [(each["name"], each["owner"]) for each in bob.get("/hunts/saved").json()] == [("Ours", "ada")]


@pytest.mark.usefixtures("ada")
def test_a_shared_hunt_is_used_as_function_and_table(bob: httpx.Client) -> None:
    assert hunt(bob, "Ours(3) | count").json()["rows"] == [{"Count": 3}]
    assert hunt(bob, "union Ours, Ours | count").json()["rows"] == [{"Count": 4}]
    assert hunt(bob, "Mine | count").json()["errors"][0]["detail"].startswith("unknown table 'Mine'")


def test_an_error_after_a_saved_hunt_has_its_place_in_the_query(ada: httpx.Client) -> None:
    (place,) = hunt(ada, "Ours(3)\n| wher 1").json()["errors"]

    assert (place["line"], place["column"], place["offset"], place.get("source")) == (2, 3, 10, None)


def test_a_saved_hunt_runs_by_name_with_parameters(ada: httpx.Client) -> None:
    answer = ada.post("/hunt", json={"run": "Mine", "parameters": {"n": "1"}})

    assert answer.json()["rows"] == [{"a": 1}]


def test_a_hunt_of_the_library_runs_by_name(ada: httpx.Client) -> None:
    library = ada.get("/hunts/library").json()

    assert len(library) >= 40
    for name in ("nothing", "../library", library[0]["name"]):
        status = ada.post("/hunt", json={"run": name}).status_code
        assert status == (200 if name == library[0]["name"] else 400)


def test_a_shared_name_is_unique_and_an_own_hunt_takes_precedence(ada: httpx.Client, bob: httpx.Client) -> None:
    body = {"text": "print b = 1", "shared": True}

    assert bob.put("/hunts/saved/Ours", json=body).status_code == 409
    assert bob.put("/hunts/saved/Ours", json=body | {"shared": False}).status_code == 200
    assert hunt(bob, "Ours").json()["rows"] == [{"b": 1}]
    assert ada.get("/hunts/saved").json()[1]["text"] != "print b = 1"
    assert bob.delete("/hunts/saved/Ours").status_code == 204
    assert bob.delete("/hunts/saved/Ours").status_code == 404


def test_hunts_that_refer_to_pairs_of_others_are_saved_and_run(served: Served) -> None:
    client = served.user("pairs", "viewer", ["eu"])
    for level in range(1, 7):
        below = [f"A{level - 1}", f"B{level - 1}"] if level > 1 else ["print x = 1", "(print x = 2)"]
        for name in (f"A{level}", f"B{level}"):
            body = {"text": f"{below[0]} | union {below[1]}"}
            assert client.put(f"/hunts/saved/{name}", json=body).status_code == 200

    assert hunt(client, "A6 | count").json()["rows"] == [{"Count": 64}]


@pytest.mark.parametrize(("name", "text"), [("Wrong", "print x"), ("FileName", "print 1"), ("a-b", "print 1")])
def test_an_invalid_hunt_is_not_saved(ada: httpx.Client, name: str, text: str) -> None:
    assert ada.put(f"/hunts/saved/{name}", json={"text": text}).status_code == 400
