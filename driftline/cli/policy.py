"""``driftline policy``: drift policies in files, on this node, and on a server."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml
from cyclopts import App, Parameter

from driftline import policy as policies
from driftline.cli._shared import http_client, item_list, policy_explanation, policy_replay
from driftline.cli._shared.options import (
    DEFAULT_STORE,
    Flag,
    ItemOutput,
    ObjectOutput,
    Repeated,
    Since,
    Store,
    Until,
)
from driftline.errors import InvalidPolicy, Problem
from driftline.events import Container, text
from driftline.policy import NodeLocation
from driftline.policy import schema as schemas
from driftline.policy.suggest import AT_LEAST
from driftline.sensor.enforcement import switch

app = App(name="policy")

Provider = Annotated[
    Literal["on-prem", "azure", "aws", "gcp"],
    Parameter(help="Cloud provider of the cluster, for rules with a cloudScope."),
]
Account = Annotated[
    str, Parameter(help="Azure subscription, AWS account or GCP project of the cluster. Default: none.")
]
PolicyName = Annotated[
    str, Parameter(help='Name of a cluster, or "default" for all clusters without a policy of their own.')
]
Message = Annotated[str, Parameter(help="Reason for the change, shown in the history. Default: none.")]

_VERSION_COLUMNS = ("version", "created_at", "author", "message", "digest")


@app.command
def check(*files: Path) -> None:
    """Check policy files and print all their errors; exits 2 if there are any.

    Parameters
    ----------
    files
        Policy files in YAML.
    """
    problems: list[Problem] = []
    for file in files:
        try:
            policies.load_file(file)
        except InvalidPolicy as error:
            problems += error.problems
    if problems:
        raise InvalidPolicy(*problems)
    print(f"{len(files)} files: all right")


@app.command
def show(file: Path | None = None) -> None:
    """Print a policy as YAML with all defaults filled in.

    Parameters
    ----------
    file
        Policy file in YAML. Default: the built-in policy.
    """
    yaml.safe_dump(_load(file).model_dump(mode="json", by_alias=True, exclude_none=True), sys.stdout, sort_keys=False)


# Blocking on this node


@app.command
def disarm(*, reason: str = "by hand") -> None:
    """Stop all blocking on this node immediately, whatever the policy says; needs root.

    Alerts continue. Blocking stays off, also after a restart, until `driftline policy arm`.

    Parameters
    ----------
    reason
        Reason to record in the switch file, for the next administrator.
    """
    switch.disarm(reason)
    print(f"blocking is off until {switch.SWITCH} is removed (driftline policy arm)")


@app.command
def arm() -> None:
    """Let the policy block on this node again after `driftline policy disarm`; needs root."""
    switch.arm()
    print("blocking is on")


# Schemas


@app.command
def schema() -> None:
    """Print the JSON schema of policy files, for editors."""
    print(json.dumps(schemas.json_schema(), indent=2))


@app.command
def crd() -> None:
    """Print the Kubernetes custom resource definition of drift policies as YAML, for kubectl apply."""
    yaml.safe_dump(schemas.custom_resource_definition(), sys.stdout, sort_keys=False)


# Tests of a policy before a sensor gets it


@app.command
def explain(
    file: Path | None = None,
    *,
    process: str,
    pod: str = "",
    namespace: str = "",
    container: str = "",
    image: str = "",
    image_digest: str = "",
    owner: str = "",
    label: Repeated = None,
    namespace_label: Repeated = None,
    cluster: str = "",
    provider: Provider = "on-prem",
    account: Account = "",
    sha256: str = "",
    subject: Literal["binary", "script", "library", "loader"] = "binary",
    origin: Literal[
        "writable-layer", "image", "volume", "tmpfs", "memory", "deleted", "host", "unknown"
    ] = "writable-layer",
    content: Literal["added", "modified", "relocated", "unverified"] = "added",
    output: ObjectOutput = "table",
) -> None:
    """Explain which rule decides on an execution, and why each rule before it does not match.

    The options describe a hypothetical execution; nothing is run.

    Parameters
    ----------
    file
        Policy file in YAML. Default: the built-in policy.
    process
        Absolute path of the program as the container sees it.
    pod
        Name of the pod. Default: none.
    namespace
        Kubernetes namespace of the pod. Default: none.
    container
        Name of the container in the pod. Default: none.
    image
        Image reference of the container. Default: none.
    image_digest
        Digest of the image's manifest, as sha256:HEX. Default: none.
    owner
        Controller of the pod as Kind/name, such as Deployment/web. Default: none.
    label
        Label of the pod as key=value; may be given several times.
    namespace_label
        Label of the namespace as key=value; may be given several times. Default: not known.
    cluster
        Name of the cluster. Default: none.
    sha256
        SHA-256 digest of the program: 64 lower-case hexadecimal digits. Default: none.
    subject
        Kind of program.
    origin
        Place of the program's content.
    content
        Relation of the program's content to the image.
    """
    described = Container(
        id="",
        name=container,
        namespace=namespace,
        namespace_labels=policy_explanation.labels_of("--namespace-label", namespace_label or ()) or None,
        pod=pod,
        pod_labels=policy_explanation.labels_of("--label", label or ()),
        workload=owner,
        image=image,
        image_digest=image_digest,
    )
    verdict = policy_explanation.verdict_of(process, sha256=sha256, subject=subject, origin=origin, content=content)
    explanation = policies.explain(
        _load(file),
        described,
        NodeLocation(cluster=cluster, cloud="" if provider == "on-prem" else provider, account=account),
        verdict=verdict,
        process_name=text(os.path.basename(verdict.path)),
        now=datetime.datetime.now(datetime.UTC),
    )
    _show(explanation, output, policy_explanation.print_explanation)


@app.command
def diff(old: Path, new: Path, *, output: ObjectOutput = "table") -> None:
    """Compare two policies: rules added, removed, moved, and changed field by field.

    Parameters
    ----------
    old
        Policy file in YAML to compare with.
    new
        Policy file in YAML with the changes.
    """
    _show(policies.diff(policies.load_file(old), policies.load_file(new)), output, policy_replay.print_difference)


@app.command
def simulate(
    file: Path,
    *,
    since: Since = "7d",
    until: Until = "",
    store: Store = DEFAULT_STORE,
    provider: Provider = "on-prem",
    account: Account = "",
    details: Flag = False,
    output: ObjectOutput = "table",
) -> None:
    """Replay stored executions against a draft policy, and show by workload and rule what it would change.

    An execution would lose protection (it was blocked and would run), be blocked, alert, go silent (no alert any
    more), or stay as it is. --provider and --account apply to executions that were recorded without them.

    Parameters
    ----------
    file
        Draft policy file in YAML.
    details
        Show a line for each program instead of one for each workload and rule.
    """
    draft = policies.load_file(file)
    location = NodeLocation(cloud="" if provider == "on-prem" else provider, account=account)
    events = policy_replay.read_alike(store, since, until)
    now = datetime.datetime.now(datetime.UTC)
    found = policies.simulate_counted(draft, events, now=now, location=location)
    _show(found, output, partial(policy_replay.print_simulation, details=details))


@app.command
def suggest(
    *,
    since: Since = "7d",
    until: Until = "",
    store: Store = DEFAULT_STORE,
    at_least: int = AT_LEAST,
    output: Literal["yaml", "json"] = "yaml",
) -> None:
    """Suggest allow lists for recurring drift with a known reason; name the rest, with the reason for leaving it out.

    Parameters
    ----------
    at_least
        Minimum number of executions of a suggested program.
    output
        Output format: yaml for lists to copy into a policy, json for one object.
    """
    events = policy_replay.read_events(store, since, until)
    _show(policies.suggest(events, at_least=at_least), output, policy_replay.print_suggestions)


Record = TypeVar("Record", bound=msgspec.Struct)


def _show(found: Record, output: str, show: Callable[[Record], None]) -> None:
    if output == "json":
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        show(found)


def _load(file: Path | None) -> policies.Policy:
    return policies.load_file(file) if file else policies.DEFAULT


# Policies of the server


@app.command
def push(file: Path, *, name: PolicyName = "default", message: Message = "", if_version: int | None = None) -> None:
    """Put a policy file in force on the server, as a new version; sensors apply it within seconds.

    Parameters
    ----------
    file
        Policy file in YAML.
    if_version
        Refuse the change unless this version is in force; 0: unless there is no policy of this name yet.
    """
    policies.load_file(file)
    body = {"text": file.read_text(encoding="utf-8"), "message": message, "if_version": if_version}
    with http_client.connect() as client:
        _print_version(client.call("PUT", f"/policies/{name}", body=body))


@app.command
def get(name: PolicyName = "default", *, version: int | None = None) -> None:
    """Print the text of a policy on the server.

    Parameters
    ----------
    version
        Number of the version. Default: the version in force.
    """
    with http_client.connect() as client:
        path = f"/policies/{name}" if version is None else f"/policies/{name}/versions/{version}"
        print(client.call("GET", path)["text"], end="")


@app.command
def history(name: PolicyName = "default", *, output: ItemOutput = "table") -> None:
    """List the versions of a policy on the server, the newest first, with author, time and reason."""
    with http_client.connect() as client:
        item_list.print_items(list(client.items(f"/policies/{name}/versions")), _VERSION_COLUMNS, output)


@app.command
def rollback(version: int, *, name: PolicyName = "default", message: Message = "") -> None:
    """Put the text of an earlier version in force again, as a new version.

    Parameters
    ----------
    version
        Number of the version to return to.
    """
    with http_client.connect() as client:
        body = {"version": version, "message": message}
        _print_version(client.call("POST", f"/policies/{name}/rollback", body=body))


def _print_version(version: dict[str, Any]) -> None:
    note = version.get("note")
    told = f"but {note}" if note else "see driftline fleet sensors for the sensors that run it"
    print(f"{version['name']}:{version['version']} is in force{',' if note else ';'} {told}")
