"""The policy commands: what they print, and what they refuse."""

import json
from pathlib import Path

import pytest

from driftline.cli import policy
from driftline.errors import InvalidInput

POLICY = """
rules:
  - {name: first, priority: 1, action: block, resourceScope: [{field: namespace, values: [other]}]}
  - {name: second, priority: 2, action: alert}
  - {name: third, priority: 3, action: ignore}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_explain_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(file, process="/tmp/x", namespace="shop")

    *_, last = capsys.readouterr().out.splitlines()
    assert last == "alert: second decides (matched second); 1 later rule not asked"


def test_explain_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(file, process="/tmp/x", namespace="shop", output="json")

    found = json.loads(capsys.readouterr().out)
    assert (found["decision"]["rule"], found["decision"]["action"], found["not_asked"]) == ("second", "alert", 1)
    assert [trace["rule"] for trace in found["rules"]] == ["first", "second"]


def test_explain_looks_at_labels_and_cloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    scope = "cloudScope: [{provider: aws}], resourceScope: [{field: podLabel, label: app, values: [web]}]"
    file.write_text(f"rules:\n  - {{name: a, priority: 1, action: block, {scope}}}\n")
    policy.explain(file, process="/tmp/x", label=["tier=x", "app=web"], provider="aws", output="json")

    assert json.loads(capsys.readouterr().out)["decision"]["rule"] == "a"


def test_explain_without_a_file_is_about_the_default_policy(capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(process="/tmp/x", namespace="kube-system", output="json")

    assert json.loads(capsys.readouterr().out)["decision"]["rule"] == "Alert on kube-system"


def test_explain_cannot_steer_the_terminal(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(file, process="/tmp/\x1b[2J", namespace="\x1b[2J[red]")

    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "[red]" in out


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"process": "x"}, "--process: expected the absolute path"),
        ({"label": ["x"]}, "--label: expected key=value, got 'x'"),
        ({"sha256": "AB"}, "--sha256: expected 64 lower-case hexadecimal digits, got 'AB'"),
    ],
)
def test_explain_refuses_what_is_not_an_execution(more: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        policy.explain(**({"process": "/x"} | more))  # type: ignore[arg-type] # a table of options
