"""Reference pages of the server: the API, from its OpenAPI document; the settings, from their model."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from driftline.server.alerts.states import CLASSIFICATIONS, TRANSITIONS
from driftline.server.app import create_app
from driftline.server.auth import PERMISSIONS
from driftline.server.settings import PREFIX, Settings

API_HEAD = """# HTTP API

Made from the server's OpenAPI document by `python -m scripts.docs`; a running server serves the
document itself, with schemas and examples of all bodies, at `/api/v1/openapi.json`.

Send credentials as `Authorization: Bearer TOKEN`. A browser's session cookie works as well, but a
write with it also needs the header `X-Driftline`. Every error is an `application/problem+json`
document (RFC 9457): `type` for programs, `detail` for people, `errors` with the invalid fields. Lists
are paged; `next` of one page is the `cursor` of the following.
"""
SETTINGS_HEAD = f"""# Settings of the server

Made from `driftline/server/settings.py` by `python -m scripts.docs`. A flag takes precedence
over the environment (`{PREFIX}` and the setting's name in capitals), the environment over the file
(`/etc/driftline/server.yaml`, or `--config`), the file over the default. `driftline config show`
shows each value with its source. Lists are comma-separated in flags and variables, mappings
`key=value,key=value`.

| setting | default | meaning |
| --- | --- | --- |
"""


def api() -> str:
    """Return the page of the API, by tag, with the permissions and the life of an alert."""
    document = _document()
    sections: dict[str, list[str]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            line = operation["description"].splitlines()[0]
            sections[operation["tags"][0]].append(f"| `{method.upper()} {path}` | {line} |")
    parts = [API_HEAD, _permissions(), _lifecycle()]
    for tag, lines in sections.items():
        parts.append(
            "\n".join([f"## {tag.capitalize()}", "", "| endpoint | what it does |", "| --- | --- |", *lines, ""])
        )
    return "\n".join(parts)


def _document() -> dict[str, Any]:
    """Return the OpenAPI document of a server that takes in sensors, made for it and never started."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.model_validate({"data": folder, "sensor_names": ["localhost"]}))
        return app.openapi()


def _permissions() -> str:
    """Return the section of roles and permissions."""
    rows = [f"| `{name}` | {role} | {about} |" for name, (role, about) in PERMISSIONS.items()]
    head = ["## Roles and permissions", "", "A role has the permissions of those before it: viewer, analyst, admin.",
            "A token's scopes are permissions, and limit those of its owner.", "",
            "| permission | least role | allows to |", "| --- | --- | --- |"]  # fmt: skip
    return "\n".join([*head, *rows, ""])


def _lifecycle() -> str:
    """Return the section of alert states and classifications."""
    rows = [f"| {status} | {action} | {target} |" for (status, action), target in TRANSITIONS.items()]
    head = ["## States of an alert", "", "| status | action | new status |", "| --- | --- | --- |"]
    reasons = [f"| {name} | {', '.join(each)} |" for name, each in CLASSIFICATIONS.items()]
    more = ["", "| classification | determinations |", "| --- | --- |", *reasons, ""]
    return "\n".join([*head, *rows, *more])


def settings() -> str:
    """Return the page of the settings."""
    fields = Settings.model_fields.items()
    rows = [f"| `{name}` | {_default(field.default)} | {field.description} |" for name, field in fields]
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    """Return a default value as Markdown; "" for an empty one."""
    if value is None or str(value) == "" or value == {}:
        return ""
    return f"`{', '.join(value) if isinstance(value, tuple) else value}`"


PAGES = {"api.md": api, "server-settings.md": settings}


def pages(folder: Path) -> dict[Path, Any]:
    """Return the function that makes each page, by the page's path."""
    return {folder / name: make for name, make in PAGES.items()}
