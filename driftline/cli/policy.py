"""``driftline policy``: check a drift policy before a sensor gets it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml
from cyclopts import App

from driftline import policy as policies
from driftline.errors import InvalidPolicy, Problem

app = App(name="policy", help="Check and show drift policies.")


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
    policy = policies.load_file(file) if file else policies.DEFAULT
    yaml.safe_dump(policy.model_dump(mode="json", by_alias=True), sys.stdout, sort_keys=False)


@app.command
def schema() -> None:
    """Print the JSON schema of policy files, for editors."""
    print(json.dumps(policies.Policy.model_json_schema(by_alias=True), indent=2))
