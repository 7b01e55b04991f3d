"""The login by a real OpenID provider in its own process; the browser is a client with cookies."""

from __future__ import annotations

import contextlib
import json
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
    assert httpx.get(str(answer.url.copy_with(path="/", query=None))).status_code == 200
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


@contextlib.contextmanager
def command_line(served: Served, directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start ``driftline login --oidc``; yields the process and the URL for the browser."""
    command = (sys.executable, "-m", "driftline.cli", "login", "--server", served.url, "--oidc", "--no-browser")
    environment = {**os.environ, "DRIFTLINE_CREDENTIALS": str(directory / "credentials.json")}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as found:
        assert found.stderr
        try:
            yield found, found.stderr.readline().split(": ", 1)[1].strip()
        finally:
            found.kill()


def leave_for(browser: httpx.Client, url: str, name: str) -> str:
    """Log in at the provider from a URL of the command line, and return the address to which the browser is sent."""
    back = httpx.post(browser.get(url).headers["location"], data={"sub": name}).headers["location"]
    answer = browser.get(back)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def test_the_command_line_takes_over_the_login_of_a_browser(
    served: Served, browser: httpx.Client, tmp_path: Path
) -> None:
    with command_line(served, tmp_path) as (process, url):
        address = leave_for(browser, url, "ada")
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(address).status_code == 200
        out, _ = process.communicate(timeout=serving.SECONDS)

    assert out == f"logged in to {served.url} as ada (analyst)\n"
    token = json.loads((tmp_path / "credentials.json").read_text())["token"]
    assert served.bearer(token).get("/whoami").json()["name"] == "ada"
    assert "driftline_session" not in browser.cookies


def test_a_code_of_another_login_is_useless_to_the_command_line(
    served: Served, browser: httpx.Client, tmp_path: Path
) -> None:
    challenge = "A" * 43
    stolen = leave_for(browser, f"{served.url}/api/v1/oidc/login?port=9&challenge={challenge}", "ada")
    code = stolen.partition("code=")[2]
    with command_line(served, tmp_path) as (process, url):
        port = httpx.URL(url).params["port"]
        httpx.get(f"http://127.0.0.1:{port}/?code={code}")
        _, error = process.communicate(timeout=serving.SECONDS)

    assert (process.returncode, "belongs to another login" in error) == (1, True)
    again = served.anonymous().post("/oidc/token", json={"code": code, "verifier": "x"})
    assert again.status_code == 401


def test_beginning_a_login_needs_both_port_and_challenge(browser: httpx.Client) -> None:
    assert browser.get("/oidc/login", params={"port": 8000}).status_code == 400
    assert browser.get("/oidc/login", params={"port": 8000, "challenge": "x"}).status_code == 400


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
