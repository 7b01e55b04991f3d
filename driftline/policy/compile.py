"""What a container's drift rules come down to for a program that must decide alone and at once.

For each subject the first rule in force decides, allow list and all, so the rules become a few
masks and tables. What an allow list asks beyond names and paths (a digest, a pattern in the
middle of a path) cannot be told before the file is read: its rule is *undecidable* there, and
the decision falls afterwards.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping

import msgspec

from driftline.events import Action, Subject
from driftline.policy.decide import ContainerPolicy
from driftline.policy.model import AllowedProcess, Rule

__all__ = ["Blocking", "compile_blocking"]

_WILDCARD = re.compile(r"[*?[]")

Subjects = frozenset[Subject]


class Blocking(msgspec.Struct, frozen=True, kw_only=True):
    """The blocking rules of one container; each set holds the subjects it is true for."""

    subjects: Subjects = frozenset()
    """What is blocked at all; the other sets are subsets."""
    fail_closed: Subjects = frozenset()
    first_process: Subjects = frozenset()
    undecidable: Subjects = frozenset()
    relocated: Subjects = frozenset()
    """Image content under other paths is allowed."""
    names: Mapping[str, Subjects] = {}
    """Allowed file names."""
    paths: Mapping[str, Subjects] = {}
    directories: Mapping[str, Subjects] = {}
    """Allowed with all below them; without the slash at the end."""
    changes_at: datetime.datetime | None = None
    """When the next of the rules expires, so that this has to be compiled again; UTC."""


def compile_blocking(policy: ContainerPolicy, now: datetime.datetime) -> Blocking:
    """Compile the rules that apply to a container. ``now`` is UTC and aware."""
    deciding = {subject: rule for subject in Subject if (rule := policy.rule_for(subject, now))}
    by_default = [s for s in Subject if s not in deciding and policy.default_action == Action.BLOCK]
    rules = {subject: rule for subject, rule in deciding.items() if rule.action == Action.BLOCK}
    return Blocking(
        subjects=frozenset((*rules, *by_default)),
        fail_closed=frozenset(subject for subject, rule in rules.items() if rule.fail_closed),
        first_process=frozenset(subject for subject, rule in rules.items() if rule.first_process),
        undecidable=frozenset(subject for subject, rule in rules.items() if any(map(_is_undecidable, rule.allow))),
        relocated=frozenset(subject for subject, rule in rules.items() if any(e.relocated for e in rule.allow)),
        names=_table((entry.name, subject) for entry, subject in _entries(rules) if entry.name),
        paths=_table((entry.path, subject) for entry, subject in _entries(rules) if _is_plain(entry.path)),
        directories=_table((entry.path[:-2], subject) for entry, subject in _entries(rules) if _is_tree(entry.path)),
        changes_at=min((rule.expires for rule in deciding.values() if rule.expires), default=None),
    )


def _entries(rules: Mapping[Subject, Rule]) -> Iterator[tuple[AllowedProcess, Subject]]:
    return ((entry, subject) for subject, rule in rules.items() for entry in rule.allow)


def _table(pairs: Iterator[tuple[str, Subject]]) -> Mapping[str, Subjects]:
    table: dict[str, Subjects] = {}
    for key, subject in pairs:
        table[key] = table.get(key, frozenset()) | {subject}
    return table


def _is_plain(path: str) -> bool:
    return bool(path) and not _WILDCARD.search(path)


# In fnmatch a star also matches slashes: "/opt/agent/*" is all below /opt/agent.
def _is_tree(path: str) -> bool:
    return path.endswith("/*") and _is_plain(path[:-2])


def _is_undecidable(entry: AllowedProcess) -> bool:
    return bool(entry.sha256) or bool(entry.path and not _is_plain(entry.path) and not _is_tree(entry.path))
