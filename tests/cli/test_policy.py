"""``driftline policy``: output of the commands that need no server, and the input that they refuse."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline import policy as policies
from driftline.cli import policy
from driftline.cli._shared import policy_replay
from driftline.errors import InvalidInput
from driftline.events import CloudProcessEvent, stream
from driftline.store.process.writer import start_writer

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


def test_explain_prints_the_decision_last(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(file, process="/tmp/x", namespace="shop")

    *_, last = capsys.readouterr().out.splitlines()
    assert last == "alert: second decides (matched second); 1 later rule not asked"


def test_explain_as_json_has_the_decision_and_the_rules(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(file, process="/tmp/x", namespace="shop", output="json")

    found = json.loads(capsys.readouterr().out)
    assert (found["decision"]["rule"], found["decision"]["action"], found["not_asked"]) == ("second", "alert", 1)
    assert [trace["rule"] for trace in found["rules"]] == ["first", "second"]


def test_explain_evaluates_labels_and_cloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    scope = "cloudScope: [{provider: aws}], resourceScope: [{field: podLabel, label: app, values: [web]}]"
    file.write_text(f"rules:\n  - {{name: a, priority: 1, action: block, {scope}}}\n")
    policy.explain(file, process="/tmp/x", label=["tier=x", "app=web"], provider="aws", output="json")

    assert json.loads(capsys.readouterr().out)["decision"]["rule"] == "a"


@pytest.mark.parametrize(
    ("condition", "described"),
    [
        ("field: ownerKind, values: [Deployment]", {"owner": "Deployment/web"}),
        ("field: imageDigest, values: ['shop/web@sha256:1']", {"image": "shop/web:1", "image_digest": "sha256:1"}),
        ("field: namespaceLabel, label: env, values: [prod]", {"namespace_label": ["env=prod"]}),
    ],
)
def test_explain_evaluates_owner_digest_and_namespace(
    condition: str, described: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"rules:\n  - {{name: a, priority: 1, action: block, resourceScope: [{{{condition}}}]}}\n")
    rules = []
    for options in (described, {}):
        policy.explain(file, process="/tmp/x", output="json", **options)  # type: ignore[arg-type] # a table of options
        rules.append(json.loads(capsys.readouterr().out)["decision"]["rule"])

    assert rules == ["a", "Default"]


def test_explain_without_a_file_uses_the_default_policy(capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(process="/tmp/x", namespace="kube-system", output="json")

    assert json.loads(capsys.readouterr().out)["decision"]["rule"] == "Alert on kube-system"


def test_explain_escapes_control_characters(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.explain(file, process="/tmp/\x1b[2J", namespace="\x1b[2J[red]")

    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "[red]" in out


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"process": "x"}, "--process: expected the absolute path"),
        ({"label": ["x"]}, "--label: expected key=value, got 'x'"),
        ({"namespace_label": ["x"]}, "--namespace-label: expected key=value, got 'x'"),
        ({"sha256": "AB"}, "--sha256: expected 64 lower-case hexadecimal digits, got 'AB'"),
    ],
)
def test_explain_refuses_invalid_options(more: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        policy.explain(**({"process": "/x"} | more))  # type: ignore[arg-type] # a table of options


def test_diff_prints_added_changed_removed_and_moved_rules(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(POLICY.replace("second", "2nd").replace("name: first, priority: 1", "name: first, priority: 9"))
    policy.diff(file, new)

    assert capsys.readouterr().out.splitlines() == [
        "+ 2nd",
        "    priority: + 2",
        "    action: + alert",
        "~ first",
        "    priority: 1 -> 9",
        "- second",
        "    priority: - 2",
        "    action: - alert",
        "> first: asked as number 3, was 1",
    ]


def test_diff_of_equal_policies_prints_no_difference(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.diff(file, file)

    assert capsys.readouterr().out == "no difference\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with three executions of one program, in three pods, that raised alerts."""
    now = datetime.datetime.now(datetime.UTC)
    writer = start_writer(tmp_path / "store")
    for number in range(3):
        ran = CloudProcessEvent(
            Timestamp=now, KubernetesNamespace="shop", KubernetesPodName=f"web-{number}",
            KubernetesResource="Deployment/web", ContainerName="web", ContainerId=str(number), FileName="update\x1b",
            FolderPath="/opt", SHA256="ab" * 32, PodLabels={"app": "web"}, Drift="yes", DriftSubject="binary",
            DriftOrigin="writable-layer", DriftContent="added", PolicyRule="first", PolicyAction="alert",
            DriftReason="/opt/update was written at 12:00:00 by pid 41 `updater`; no layer of web contains it",
        )  # fmt: skip
        writer.write([stream.encode(ran)])
    writer.write([stream.encode(CloudProcessEvent(Timestamp=now, FileName="ls", Drift="no"))])
    writer.close()
    return tmp_path / "store"


def test_simulate_prints_changed_outcomes_and_totals(
    file: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = "resourceScope: [{field: podLabel, label: app, values: [web]}]"
    file.write_text(f"rules: [{{name: draft, priority: 1, action: block, {scope}}}]")
    policy.simulate(file, store=store)

    assert capsys.readouterr().out.splitlines() == [
        "3 executions: 0 would lose protection, 3 would be blocked, 0 would alert, 0 would go silent, "
        "0 stay as they are",
        "outcome           workload                   programs  executions  was          rule",
        "would be blocked  shop/Deployment/web (web)  1         3           alert first  draft",
    ]

    policy.simulate(file, store=store, details=True)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "outcome           workload                   program          content  count  was          rule",
        r"would be blocked  shop/Deployment/web (web)  /opt/update\x1b  added    3      alert first  draft",
    ]


def test_simulate_sets_a_loss_of_protection_apart(capsys: pytest.CaptureFixture[str]) -> None:
    was = {"alert": "/opt/a", "block": "/opt/b"}
    events = [
        CloudProcessEvent(
            Timestamp=datetime.datetime.now(datetime.UTC),
            ContainerName="web",
            FileName=path[5:],
            FolderPath="/opt",
            Drift="yes",
            DriftSubject="binary",
            DriftOrigin="tmpfs",
            DriftContent="added",
            PolicyAction=action,
        )
        for action, path in was.items()
    ]
    found = policies.simulate(policies.load("rules: []", source="p"), events, now=events[0].Timestamp)
    policy_replay.print_simulation(found, details=True)

    assert found.protection_lost == 1
    rows = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert rows[1:] == ["outcome", "would lose protection", "would go silent"]


def test_simulate_reads_what_rules_refer_to(tmp_path: Path) -> None:
    """Rows that differ in a property that rules refer to stay apart; all others are counted together."""
    now = datetime.datetime.now(datetime.UTC)
    writer = start_writer(tmp_path / "store")
    facts: list[dict[str, Any]] = [{}, {"ProcessId": 2}, {"SHA256": "ab" * 32}, {"PodLabels": {"a": "b"}}]
    facts += [{"AdditionalFields": more} for more in ({"UserId": 1}, {"ImageNames": ["a"]}, {"ImageNames": ["b"]})]
    for number, more in enumerate(facts):
        ran = CloudProcessEvent(
            Timestamp=now + datetime.timedelta(microseconds=number), Drift="yes", DriftSubject="binary",
            DriftOrigin="tmpfs", DriftContent="added", **more,
        )  # fmt: skip
        writer.write([stream.encode(ran)])
    writer.close()

    found = list(policy_replay.read_alike(tmp_path / "store", "1h", ""))
    assert sorted(count for _, count in found) == [1, 1, 1, 1, 3]
    assert {tuple(each.AdditionalFields.get("ImageNames", ())) for each, _ in found} == {(), ("a",), ("b",)}


def test_simulate_as_json_has_totals_and_effects(file: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("rules: []")
    policy.simulate(file, store=store, output="json")

    found = json.loads(capsys.readouterr().out)
    assert found["totals"] == {"blocked": 0, "alerts": 0, "silent": 3, "same": 0}
    assert found["effects"][0]["program"] == "/opt/update\x1b"


def test_suggest_prints_allow_lists_as_yaml(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.suggest(store=store)

    out = capsys.readouterr().out
    assert yaml.safe_load(out) == {"rules": [{"name": "first", "allow": [{"sha256": "ab" * 32}]}]}
    assert "# /opt/update\\x1b in shop/Deployment/web (web), 3 times" in out
    assert "was written at 12:00:00 by pid 41" in out


def test_suggest_prints_the_programs_that_it_leaves_out(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.suggest(store=store, at_least=4)

    assert capsys.readouterr().out.splitlines() == [
        "# No recurring execution has a known reason.",
        "# Left out:",
        "#   /opt/update\\x1b in shop/Deployment/web (web), 3 times: it ran less than 4 times",
    ]


def test_simulate_starts_at_since(file: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.simulate(file, store=store, since="0s", output="json")

    assert json.loads(capsys.readouterr().out)["executions"] == 0


def test_crd_prints_the_custom_resource_definition(capsys: pytest.CaptureFixture[str]) -> None:
    policy.crd()

    found = yaml.safe_load(capsys.readouterr().out)
    assert (found["kind"], found["metadata"]["name"]) == ("CustomResourceDefinition", "driftpolicies.driftline.dev")


def test_show_prints_an_equivalent_policy(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.show(file)
    (tmp_path / "shown.yaml").write_text(capsys.readouterr().out)
    policy.diff(file, tmp_path / "shown.yaml")

    assert capsys.readouterr().out == "no difference\n"
