"""The login by a real OpenID provider in its own process; the browser is a client with cookies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from driftline.server.auth.oidc import role_of
from driftline.server.settings import load
from tests.server import serving
from tests.server.serving import Served


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = serving.free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    for user in ("ada", "eve"):
        group = {"ada": "security", "eve": "visitors"}[user]
        command += ["--user-claims", f'{{"sub": "{user}", "preferred_username": "{user}", "groups": ["{group}"]}}']
    with (tmp_path_factory.mktemp("provider") / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    url = f"http://127.0.0.1:{port}"
    try:
        serving.wait_until(lambda: _answers(f"{url}/.well-known/openid-configuration"))
        yield url
    finally:
        serving.stop(process)  # type: ignore[arg-type] # its output is not read


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def served(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("server")
    flags = {"oidc_issuer": provider, "oidc_client_id": "driftline", "oidc_client_secret": "hush",
             "oidc_roles": "security=analyst", "oidc_clusters": "eu"}  # fmt: skip
    with serving.serve(directory, *(part for pair in flags.items() for part in ("--set", "=".join(pair)))) as running:
        yield running


@pytest.fixture
def browser(served: Served) -> httpx.Client:
    return served.anonymous()


def log_in(browser: httpx.Client, name: str) -> httpx.Response:
    """Log in at the provider, and follow it back."""
    leave = browser.get("/oidc/login")
    assert leave.status_code == 302, leave.text
    back = httpx.post(leave.headers["location"], data={"sub": name})
    return browser.get(back.headers["location"])


def test_a_user_of_the_provider_gets_the_role_of_the_group(browser: httpx.Client) -> None:
    answer = log_in(browser, "ada")

    me = browser.get("/whoami").json()

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (me["name"], me["role"], me["clusters"]) == ("ada", "analyst", ["eu"])


def test_a_second_login_finds_the_same_user(served: Served) -> None:
    ids = set()
    for _ in range(2):
        browser = served.anonymous()
        log_in(browser, "ada")
        ids.add(browser.get("/whoami").json()["id"])

    assert len(ids) == 1


def test_a_login_without_a_role_is_refused(browser: httpx.Client) -> None:
    answer = log_in(browser, "eve")

    assert (answer.status_code, answer.json()["detail"]) == (403, "none of your groups has a role here")
    assert browser.get("/whoami").status_code == 401


def test_a_callback_in_another_browser_is_refused(served: Served) -> None:
    victim, attacker = served.anonymous(), served.anonymous()
    leave = attacker.get("/oidc/login")
    back = httpx.post(leave.headers["location"], data={"sub": "ada"})

    answer = victim.get(back.headers["location"])

    assert (answer.status_code, "not started by this browser" in answer.json()["detail"]) == (401, True)


def test_a_callback_is_accepted_once(browser: httpx.Client) -> None:
    leave = browser.get("/oidc/login")
    back = httpx.post(leave.headers["location"], data={"sub": "ada"}).headers["location"]
    cookie = {"driftline_oidc": browser.cookies["driftline_oidc"]}
    browser.get(back)

    again = httpx.get(back, cookies=cookie)

    assert (again.status_code, "used already" in again.json()["detail"]) == (401, True)


def test_an_unknown_code_is_refused(browser: httpx.Client) -> None:
    browser.get("/oidc/login")
    state = browser.cookies["driftline_oidc"]

    answer = browser.get("/oidc/callback", params={"state": state, "code": "made-up"})

    assert (answer.status_code, answer.json()["detail"]) == (401, "the OpenID provider refuses the code")


def test_an_oidc_user_has_no_password(served: Served, browser: httpx.Client) -> None:
    log_in(browser, "ada")
    body = {"name": "ada", "password": ""}

    assert served.anonymous().post("/login", json=body).status_code == 401


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["dev", "sec"]}, "admin"),
        ({"groups": "dev"}, "viewer"),
        ({"groups": ["other"]}, None),
        ({"groups": {"sec": True}}, None),
        ({"groups": [["sec"], 1, None]}, None),
        ({}, None),
    ],
)
def test_the_highest_role_of_the_claim_is_chosen(claims: Mapping[str, Any], role: str | None) -> None:
    assert role_of(claims, load(flags={"oidc_roles": "dev=viewer,sec=admin"}).settings) == role


def test_the_default_role_is_given_without_a_match() -> None:
    assert role_of({}, load(flags={"oidc_default_role": "viewer"}).settings) == "viewer"
