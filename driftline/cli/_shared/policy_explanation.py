"""The input and the output of ``driftline policy explain``: labels, a verdict, the explanation as a table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline.errors import InvalidInput
from driftline.events import Content, Drift, Origin, Subject, Verdict
from driftline.policy import Explanation, Finding, RuleTrace
from driftline.printable import escape_unprintable

__all__ = ["labels_of", "print_explanation", "verdict_of"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


def labels_of(option: str, given: Sequence[str]) -> Mapping[str, str]:
    """Return labels by key from the ``key=value`` words of an option; raises ``InvalidInput`` for other words."""
    pairs = [word.partition("=") for word in given]
    for word, (key, equals, _) in zip(given, pairs, strict=True):
        if not key or not equals:
            raise InvalidInput(f"{option}: expected key=value, got {word!r}")
    return {key: value for key, _, value in pairs}


def verdict_of(process: str, *, sha256: str, subject: str, origin: str, content: str) -> Verdict:
    """Return the verdict of a hypothetical execution.

    ``process`` is the absolute path of the program as the container sees it; ``sha256`` is 64 lower-case
    hexadecimal digits or empty; ``subject``, ``origin`` and ``content`` are values of the enums.
    Raises ``InvalidInput`` for another path or digest.
    """
    if not process.startswith("/"):
        raise InvalidInput(f"--process: expected the absolute path of a program in the container, got {process!r}")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise InvalidInput(f"--sha256: expected 64 lower-case hexadecimal digits, got {sha256!r}")
    # Content that could not be verified leaves the drift open, as in ``driftline.verdict.decide``.
    is_unverified = content == Content.UNVERIFIED.value
    return Verdict(
        subject=Subject(subject),
        origin=Origin(origin),
        content=Content(content),
        drift=Drift.UNKNOWN if is_unverified else Drift.YES,
        reason="",
        path=os.fsencode(process),
        sha256=sha256,
    )


def print_explanation(explanation: Explanation) -> None:
    """Print a table of the evaluated rules with their checks, then the decision."""
    console = Console(soft_wrap=True, highlight=False)
    shown = Table(box=None, header_style="dim")
    for name in ("priority", "rule", "", "check", "expected", "actual"):
        shown.add_column(name, overflow="fold")
    for trace in explanation.rules:
        _add_rule(shown, trace)
    console.print(shown)
    console.print(Text(_decision(explanation), style="bold"))


def _add_rule(shown: Table, trace: RuleTrace) -> None:
    lines = [*_lines(trace.checks, must_hold=True), *_lines(trace.allow, must_hold=False)] or [("", "", "", "")]
    decides = trace.outcome == "decides"
    for number, cells in enumerate(lines):
        head = ("" if trace.priority is None else str(trace.priority), trace.rule) if number == 0 else ("", "")
        shown.add_row(*(Text(escape_unprintable(cell)) for cell in (*head, *cells)), style="bold" if decides else "")


# Check, expected and actual value of each finding, with a mark for whether it matches.
def _lines(findings: Iterable[Finding], *, must_hold: bool) -> list[tuple[str, str, str, str]]:
    # Every check of a rule must hold; an allow entry that does not match is no failure.
    refusal = "no" if must_hold else "-"
    return [("ok" if each.holds else refusal, each.what, each.expected, each.actual) for each in findings]


def _decision(explanation: Explanation) -> str:
    decision, behind = explanation.decision, explanation.not_asked
    unasked = f"; {behind} later rule{'s' if behind > 1 else ''} not asked" if behind else ""
    return escape_unprintable(f"{decision.action}: {decision.rule} decides ({decision.reason}){unasked}")
