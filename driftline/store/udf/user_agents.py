"""``parse_user_agent``: browser, operating system and device of a user agent, by the patterns of uap-core.

https://learn.microsoft.com/kusto/query/parse-user-agent-function, https://github.com/ua-parser/uap-core
"""

from __future__ import annotations

import json
from typing import Any

import ua_parser

__all__ = ["parsed"]

LONGEST = 4096  # characters of a user agent that are read: the patterns are many
UNKNOWN = "Other"


def parsed(text: str | None, sought: str | None) -> str | None:
    """Return the parts of a user agent that a JSON array names (browser, os, device), as JSON."""
    if text is None or not sought:
        return None
    wanted = json.loads(sought)
    found = {PARTS[part][0]: PARTS[part][1](text[:LONGEST]) for part in PARTS if part in wanted}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _browser(text: str) -> dict[str, str]:
    found: Any = ua_parser.parse_user_agent(text)
    return _fields(found, Family="family", MajorVersion="major", MinorVersion="minor", Patch="patch")


def _system(text: str) -> dict[str, str]:
    found: Any = ua_parser.parse_os(text)
    versions = {"MajorVersion": "major", "MinorVersion": "minor", "Patch": "patch", "PatchMinor": "patch_minor"}
    return _fields(found, Family="family", **versions)


def _device(text: str) -> dict[str, str]:
    return _fields(ua_parser.parse_device(text), Family="family", Brand="brand", Model="model")


def _fields(found: Any, **names: str) -> dict[str, str]:
    unknown = {"Family": UNKNOWN}
    return {name: getattr(found, field, None) or unknown.get(name, "") for name, field in names.items()}


PARTS = {"browser": ("Browser", _browser), "os": ("OperatingSystem", _system), "device": ("Device", _device)}
