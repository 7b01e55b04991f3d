"""``driftline policy``: check and understand a drift policy before a sensor gets it."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from cyclopts import App, Parameter

from driftline import policy as policies
from driftline.cli import _explain
from driftline.errors import InvalidPolicy, Problem
from driftline.events import Container, text
from driftline.policy import Place
from driftline.sensor import switch

app = App(name="policy", help="Check, explain and show drift policies.")


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
    yaml.safe_dump(_load(file).model_dump(mode="json", by_alias=True), sys.stdout, sort_keys=False)


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
    print(json.dumps(policies.Policy.model_json_schema(by_alias=True), indent=2))


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
    provider: Literal["on-prem", "azure", "aws", "gcp"] = "on-prem",
    account: str = "",
    sha256: str = "",
    subject: Literal["binary", "script", "library", "loader"] = "binary",
    origin: Literal[
        "writable-layer", "image", "volume", "tmpfs", "memory", "deleted", "host", "unknown"
    ] = "writable-layer",
    content: Literal["added", "modified", "relocated", "unverified"] = "added",
    output: Literal["table", "json"] = "table",
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
    labels = _explain.labels_of(label or ())
    verdict = _explain.verdict_of(process, sha256=sha256, subject=subject, origin=origin, content=content)
    explanation = policies.explain(
        _load(file),
        Container(id="", name=container, namespace=namespace, pod=pod, image=image, pod_labels=labels),
        Place(cluster=cluster, cloud="" if provider == "on-prem" else provider, account=account),
        verdict=verdict,
        process_name=text(os.path.basename(verdict.path)),
        now=datetime.datetime.now(datetime.UTC),
    )
    if output == "json":
        print(msgspec.json.format(msgspec.json.encode(explanation)).decode())
    else:
        _explain.print_explanation(explanation)


def _load(file: Path | None) -> policies.Policy:
    return policies.load_file(file) if file else policies.DEFAULT
