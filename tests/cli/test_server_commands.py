"""``driftline policy`` and ``driftline alerts`` against a server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import raising, serving

RULE = "rules:\n- name: One\n  priority: 1\n  action: {}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    directory = tmp_path_factory.mktemp("server")
    raising.store(directory / "store", [raising.alert(cluster="eu")])
    with serving.serve(directory) as running:
        yield running


def run(served: serving.Served, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    token = served.admin.headers["Authorization"].removeprefix("Bearer ")
    login = {"DRIFTLINE_SERVER": served.url, "DRIFTLINE_TOKEN": token, "COLUMNS": "40"}
    command = (sys.executable, "-m", "driftline.cli", *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, env=login)


def read(served: serving.Served, *arguments: str) -> list[dict[str, Any]]:
    return list(json.loads(run(served, *arguments, "--output", "json").stdout))


def test_a_policy_is_pushed_read_and_rolled_back(served: serving.Served, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    for action in ("alert", "block"):
        file.write_text(RULE.format(action))
        assert run(served, "policy", "push", file, "--name", "eu", "--message", action).returncode == 0

    done = run(served, "policy", "rollback", "1", "--name", "eu")

    assert done.stdout.startswith("eu:3 is in force")
    assert run(served, "policy", "get", "eu").stdout == RULE.format("alert")
    assert run(served, "policy", "get", "eu", "--version", "2").stdout == RULE.format("block")
    versions = read(served, "policy", "history", "eu")
    assert [(it["version"], it["author"], it["message"]) for it in versions] == [
        (3, "root", "roll back to version 1"), (2, "root", "block"), (1, "root", "alert")]  # fmt: skip


def test_a_push_with_an_outdated_version_is_refused(served: serving.Served, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(RULE.format("alert"))
    run(served, "policy", "push", file, "--name", "us")

    done = run(served, "policy", "push", file, "--name", "us", "--if-version", "0")

    assert (done.returncode, "version 1 is in force" in done.stderr) == (1, True)


def test_an_invalid_policy_is_refused_with_its_place_before_it_is_sent(served: serving.Served, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules:\n- name: One\n")

    done = run(served, "policy", "push", file, "--name", "wrong")

    assert (done.returncode, f"{file}:2:" in done.stderr) == (2, True)
    assert run(served, "policy", "get", "wrong").returncode == 1


def test_an_alert_is_started_resolved_and_has_a_history(served: serving.Served) -> None:
    [alert] = serving.wait_until(lambda: read(served, "alerts", "list", "--cluster", "eu"))
    number = str(alert["id"])
    refused = run(served, "alerts", "act", number, "resolve")
    assert (refused.returncode, "classification" in refused.stderr) == (2, True)

    assert run(served, "alerts", "act", number, "start").stdout == f"{number}: in progress\n"
    done = run(served, "alerts", "act", number, "resolve", "--classification", "benign", "--comment", "our test")

    assert done.stdout == f"{number}: resolved\n"
    assert [it["action"] for it in read(served, "alerts", "history", number)] == ["start", "resolve"]
    assert read(served, "alerts", "list", "--status", "new") == []
    assert "our test" in run(served, "alerts", "history", number).stdout


def test_an_alert_is_shown_by_the_start_of_its_id(served: serving.Served) -> None:
    [alert] = serving.wait_until(lambda: read(served, "alerts", "list", "--cluster", "eu"))
    start = str(alert["id"])[:6]

    shown = run(served, "alerts", "show", start)

    assert (shown.returncode, f"id             {alert['id']}" in shown.stdout) == (0, True)
    assert "Deployment/web  web-1  node-1" in shown.stdout
    assert run(served, "alerts", "act", start, "comment", "--comment", "x").stdout.startswith(str(alert["id"]))
    assert read(served, "alerts", "history", start)[-1]["comment"] == "x"
    missing = run(served, "alerts", "show", "zz")
    assert (missing.returncode, "no alert with an id that begins with 'zz'" in missing.stderr) == (1, True)


def test_alerts_are_filtered_as_by_the_api(served: serving.Served) -> None:
    serving.wait_until(lambda: read(served, "alerts", "list"))
    kept = ("--namespace", "shop", "--pod", "web-1", "--severity", "high", "--text", "MINER", "--since", "1h")

    assert [alert["cluster"] for alert in read(served, "alerts", "list", *kept)] == ["eu"]
    assert read(served, "alerts", "list", "--node", "other") == []
    wrong = run(served, "alerts", "list", "--status", "resolvd")
    assert (wrong.returncode, "did you mean resolved?" in wrong.stderr) == (2, True)


def test_a_table_in_a_pipe_is_never_cut(served: serving.Served) -> None:
    [alert] = serving.wait_until(lambda: read(served, "alerts", "list", "--cluster", "eu"))

    lines = run(served, "alerts", "list").stdout.splitlines()

    assert len(lines) == 2
    assert lines[1].split()[0] == alert["id"]
