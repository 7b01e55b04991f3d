"""Sources of settings and their precedence."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.errors import InvalidInput
from driftline.server.settings import Settings, load


def test_precedence_is_flag_environment_file_default(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("host: file\nport: 1\ndatabase: 'sqlite://'\n")
    environ = {"DRIFTLINE_SERVER_HOST": "environment", "DRIFTLINE_SERVER_PORT": "2"}

    loaded = load(file=file, environ=environ, flags={"host": "flag"})

    settings = loaded.settings
    assert (settings.host, settings.port, settings.database, settings.log_level) == ("flag", 2, "sqlite://", "INFO")
    assert [loaded.sources[name] for name in ("host", "port", "database", "log_level")] == [
        "flag", "DRIFTLINE_SERVER_PORT", str(file), "default"]  # fmt: skip


def test_lists_and_mappings_from_the_environment() -> None:
    environ = {"DRIFTLINE_SERVER_OIDC_SCOPES": "openid, groups", "DRIFTLINE_SERVER_OIDC_ROLES": "sec=admin,dev=viewer"}

    settings = load(environ=environ).settings

    assert settings.oidc_scopes == ("openid", "groups")
    assert settings.oidc_roles == {"sec": "admin", "dev": "viewer"}


def test_retention_is_set_by_table() -> None:
    settings = load(environ={"DRIFTLINE_SERVER_RETENTION": "SensorHealth=7"}, flags={"retention_days": 90}).settings

    assert (settings.days("SensorHealth"), settings.days("CloudProcessEvents")) == (7, 90)


@pytest.mark.parametrize("value", ["Events=7", "SensorHealth=0", "SensorHealth=soon"])
def test_retention_of_an_unknown_table_or_invalid_days_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="retention"):
        load(flags={"retention": value})


def test_every_error_is_reported_with_its_source(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("prot: 1\n")

    with pytest.raises(InvalidInput) as caught:
        load(file=file, environ={"DRIFTLINE_SERVER_PORT": "high"})

    assert [(problem.source, problem.message.split(":")[0]) for problem in caught.value.problems] == [
        ("DRIFTLINE_SERVER_PORT", "port"), (str(file), "prot")]  # fmt: skip


@pytest.mark.parametrize("text", ["[1]", "{", "\udcff"])
def test_a_file_without_a_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "server.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(InvalidInput, match=r"server\.yaml"):
        load(file=file)


def test_a_mapping_without_equals_is_refused() -> None:
    with pytest.raises(InvalidInput):
        load(environ={"DRIFTLINE_SERVER_OIDC_ROLES": "admin"})


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_secrets_are_masked() -> None:
    settings = load(flags={"oidc_client_secret": "hush"}).settings

    assert "hush" not in settings.model_dump_json()
