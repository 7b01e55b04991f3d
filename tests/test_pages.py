"""The documentation names files and pages that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "driftline"
PAGES = [
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent.name != "decisions"),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
]
NAMED = re.compile(r"`([\w./-]+/[\w.-]*?)(?:::\w+)?`")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINKED = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)\s]*)?\)")
TOP = {path.name for path in ROOT.iterdir()}
ROOMS = {path.name for path in PACKAGE.iterdir() if path.is_dir()}


def named_paths(page: Path) -> Iterator[Path]:
    """Paths of this repository between backticks; below driftline/ they may be named from there."""
    for name in NAMED.findall(page.read_text()):
        if "NNN" in name:  # a name to fill in
            continue
        top, *rest = name.split("/")
        if top in TOP:
            yield ROOT / name
        elif top in ROOMS and rest != [""]:
            yield PACKAGE / name


def test_every_named_path_exists() -> None:
    missing = [
        f"{page.name}: {path.relative_to(ROOT)}" for page in PAGES for path in named_paths(page) if not path.exists()
    ]

    assert missing == []


def test_every_link_leads_to_a_file() -> None:
    missing = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in LINKED.findall(FENCED.sub("", page.read_text()))
        if not (page.parent / link).exists()
    ]

    assert missing == []
