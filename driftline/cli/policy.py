"""``driftline policy``: check and understand a drift policy before a sensor gets it."""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import yaml
from cyclopts import App, Parameter

from driftline import policy as policies
from driftline.cli._shared import policy_explanation, policy_replay, server_policies
from driftline.cli._shared.store_rows import DEFAULT_STORE, Store
from driftline.errors import InvalidPolicy, Problem
from driftline.events import Container, text
from driftline.policy import NodeLocation
from driftline.policy import schema as schemas
from driftline.policy.suggest import AT_LEAST
from driftline.sensor.enforcement import switch

app = App(name="policy", help="Check, explain and show drift policies; put them in force on a server.")
server_policies.add_to(app)

Output = Literal["table", "json"]
Provider = Literal["on-prem", "azure", "aws", "gcp"]


@app.command
def check(*files: Path) -> None:
    """Say all that is wrong with policy files; exits 2 if anything is.

    Parameters
    ----------
    files
        The policy files.
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
    """Print a policy with its defaults spelt out; without a file, the one that holds by default.

    Parameters
    ----------
    file
        The policy file.
    """
    yaml.safe_dump(_load(file).model_dump(mode="json", by_alias=True, exclude_none=True), sys.stdout, sort_keys=False)


@app.command
def disarm(*, reason: str = "by hand") -> None:
    """Turn all blocking on this node off at once, whatever the policy says; needs root.

    Alerts go on. It stays off, over restarts too, until `driftline policy arm`.

    Parameters
    ----------
    reason
        Why, for those who find it off.
    """
    switch.disarm(reason)
    print(f"blocking is off until {switch.SWITCH} is removed (driftline policy arm)")


@app.command
def arm() -> None:
    """Turn blocking on this node on again, as far as the policy says; needs root."""
    switch.arm()
    print("blocking is on")


@app.command
def schema() -> None:
    """Print the JSON schema of policy files, for editors."""
    print(json.dumps(schemas.json_schema(), indent=2))


@app.command
def crd() -> None:
    """Print the custom resource definition of drift policies, for kubectl apply."""
    yaml.safe_dump(schemas.custom_resource_definition(), sys.stdout, sort_keys=False)


@app.command
def explain(
    file: Path | None = None,
    *,
    process: str,
    pod: str = "",
    namespace: str = "",
    container: str = "",
    image: str = "",
    label: Annotated[list[str] | None, Parameter(negative=())] = None,
    cluster: str = "",
    provider: Provider = "on-prem",
    account: str = "",
    sha256: str = "",
    subject: Literal["binary", "script", "library", "loader"] = "binary",
    origin: Literal[
        "writable-layer", "image", "volume", "tmpfs", "memory", "deleted", "host", "unknown"
    ] = "writable-layer",
    content: Literal["added", "modified", "relocated", "unverified"] = "added",
    output: Output = "table",
) -> None:
    """Say which rule decides on an execution, and why each earlier one did not match.

    Parameters
    ----------
    file
        The policy file; without one, the policy that holds by default.
    process
        Absolute path of what runs, as the container sees it.
    pod, namespace, container, image
        Where it runs: names and image reference.
    label
        A label of the pod, as key=value; may be given several times.
    cluster, provider, account
        Where the cluster is: its name, its cloud, its subscription, AWS account or GCP project.
    sha256
        Digest of what runs.
    subject
        What it is.
    origin
        Where its bytes lie.
    content
        How they relate to the image.
    output
        For people or for programs.
    """
    labels = policy_explanation.labels_of(label or ())
    verdict = policy_explanation.verdict_of(process, sha256=sha256, subject=subject, origin=origin, content=content)
    explanation = policies.explain(
        _load(file),
        Container(id="", name=container, namespace=namespace, pod=pod, image=image, pod_labels=labels),
        NodeLocation(cluster=cluster, cloud="" if provider == "on-prem" else provider, account=account),
        verdict=verdict,
        process_name=text(os.path.basename(verdict.path)),
        now=datetime.datetime.now(datetime.UTC),
    )
    _show(explanation, output, policy_explanation.print_explanation)


@app.command
def diff(old: Path, new: Path, *, output: Output = "table") -> None:
    """Say what differs between two policies: rules added, removed, changed field by field, moved.

    Parameters
    ----------
    old, new
        The policy files.
    output
        For people or for programs.
    """
    _show(policies.diff(policies.load_file(old), policies.load_file(new)), output, policy_replay.print_difference)


@app.command
def simulate(
    file: Path,
    *,
    since: str = "7d",
    until: str = "",
    store: Store = DEFAULT_STORE,
    provider: Provider = "on-prem",
    account: str = "",
    output: Output = "table",
) -> None:
    """Replay stored executions against a draft: what would alert, be blocked, go silent, by workload.

    Parameters
    ----------
    file
        The draft.
    since
        From then on: a span back from now (``15m``, ``1h``, ``7d``) or an ISO time.
    until
        Only before then.
    store
        Directory of the event store.
    provider, account
        Where a cluster is whose events do not say so.
    output
        For people or for programs.
    """
    draft = policies.load_file(file)
    location = NodeLocation(cloud="" if provider == "on-prem" else provider, account=account)
    events = policy_replay.read_events(store, since, until)
    now = datetime.datetime.now(datetime.UTC)
    _show(policies.simulate(draft, events, now=now, location=location), output, policy_replay.print_simulation)


@app.command
def suggest(
    *,
    since: str = "7d",
    until: str = "",
    store: Store = DEFAULT_STORE,
    at_least: int = AT_LEAST,
    output: Literal["yaml", "json"] = "yaml",
) -> None:
    """Suggest allow lists for what keeps drifting for a known reason; says what it leaves out, and why.

    Parameters
    ----------
    since
        From then on: a span back from now (``15m``, ``1h``, ``7d``) or an ISO time.
    until
        Only before then.
    store
        Directory of the event store.
    at_least
        How often a program must have run.
    output
        Lists to put into a policy, or for programs.
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
