"""The server's settings, and where each value came from.

One precedence holds for all: a flag, else the environment, else the file, else the default.
The variable of a setting is ``DRIFTLINE_SERVER_`` and its name in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from driftline.errors import InvalidInput, Problem
from driftline.events import TABLES

__all__ = ["DEFAULT_FILE", "PREFIX", "Loaded", "ServiceAccounts", "Settings", "load"]

DEFAULT_FILE = Path("/etc/driftline/server.yaml")
PREFIX = "DRIFTLINE_SERVER_"


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _mapped(value: Any) -> Any:
    return dict(part.split("=", 1) for part in _listed(value)) if isinstance(value, str) else value


Role = Literal["viewer", "analyst", "admin"]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Roles = Annotated[dict[str, Role], BeforeValidator(_mapped)]


def _check_tables(value: dict[str, int]) -> dict[str, int]:
    unknown = sorted(set(value) - set(TABLES))
    if unknown:
        raise ValueError(f"no table {', '.join(unknown)}; expected one of {', '.join(TABLES)}")
    return value


Days = Annotated[int, Field(ge=1, le=36_500)]
Retention = Annotated[dict[str, Days], BeforeValidator(_mapped), AfterValidator(_check_tables)]


def _parsed(value: Any) -> Any:
    return yaml.safe_load(value) if isinstance(value, str) else value


class ServiceAccounts(BaseModel):
    """How the service-account tokens of one cluster's sensors are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str = Field(min_length=1, max_length=253)
    issuer: str = Field(min_length=1)
    keys: Path
    """JSON Web Key Set of the cluster: ``kubectl get --raw /openid/v1/jwks``."""
    audience: str = "driftline"
    subject: str = "system:serviceaccount:driftline:driftline-sensor"


Accounts = Annotated[tuple[ServiceAccounts, ...], BeforeValidator(_parsed)]


class Settings(BaseModel):
    """Everything that can be set; each field's description is its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=8460, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    data: Path = Field(default=Path("/var/lib/driftline/server"), description="Directory of the server's own state")
    store: Path = Field(default=Path("/var/lib/driftline/store"), description="Directory of the event store")
    retention: Retention = Field(
        default={}, description="Days that rows are kept, by hunting table: CloudProcessEvents=90,SensorHealth=14"
    )
    retention_days: int = Field(default=30, ge=1, description="Days that rows of any other table are kept")
    database: str = Field(default="", description="SQLAlchemy URL of the state; empty: SQLite in `data`")
    public_url: str = Field(default="", description="URL under which people reach the server; for OIDC redirects")
    tls_certificate: Path | None = Field(default=None, description="PEM certificate chain; without one, plain HTTP")
    tls_key: Path | None = Field(default=None, description="PEM private key of `tls_certificate`")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM authorities whose client certificates are accepted"
    )
    sensor_names: Names = Field(
        default=(),
        description="Host names and addresses by which sensors reach the server; empty: it takes in none. With them"
        " it speaks TLS, by a certificate of its own unless `tls_certificate` is given",
    )
    service_accounts: Accounts = Field(
        default=(),
        description="Clusters whose sensors join by the service-account token of their pod: a list of `cluster`,"
        " `issuer`, `keys` (file of the cluster's JSON Web Key Set), `audience` and `subject`",
    )
    sensor_silent_seconds: float = Field(
        default=120, gt=0, description="A sensor that says nothing for so long has fallen silent"
    )
    sensor_clock_seconds: float = Field(
        default=30, gt=0, description="So far off a sensor's clock may be before there is an alert"
    )
    sensor_losses: int = Field(
        default=1, ge=1, description="So many events lost by a sensor within ten minutes are worth an alert"
    )
    shutdown_seconds: int = Field(default=10, ge=0, description="How long requests may take to end on a stop")
    session_hours: float = Field(default=12, gt=0, description="How long a login lasts")
    token_days: int = Field(default=365, ge=1, description="Longest life of a personal token")
    requests_per_minute: int = Field(default=1200, ge=1, description="Requests of one user or token a minute")
    logins_per_minute: int = Field(default=10, ge=1, description="Login attempts from one address a minute")
    hunts_per_minute: int = Field(default=30, ge=1, description="Hunts of one user a minute")
    hunt_seconds: float = Field(default=60, gt=0, le=3600, description="Longest a hunt may take")
    hunt_size: int = Field(default=256, ge=1, le=4096, description="MiB an answer to a hunt may have")
    hunt_fetch_seconds: float = Field(
        default=300, gt=0, description="Within which time an answer to a hunt must be fetched"
    )
    hunts_at_once: int = Field(
        default=2, ge=1, description="Hunts that run at the same time; others wait or are refused"
    )
    late_hours: float = Field(
        default=168, gt=0, description="How late after its time an alert may still arrive and be shown"
    )
    oidc_issuer: str = Field(default="", description="URL of the OpenID provider; empty: no OIDC login")
    oidc_client_id: str = Field(default="", description="Client id at the provider")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Client secret at the provider")
    oidc_scopes: Names = Field(default=("openid", "profile", "email"), description="Scopes asked for")
    oidc_role_claim: str = Field(default="groups", description="Claim that holds a user's groups or roles")
    oidc_roles: Roles = Field(default={}, description="Role by value of that claim: group=admin,other=viewer")
    oidc_default_role: Role | None = Field(default=None, description="Role of whom no value matches; none: refused")
    oidc_clusters: Names = Field(
        default=("*",), description="Clusters granted to users who come by OIDC for the first time"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level that is logged"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Lines for people, or JSON objects")

    def days(self, table: str) -> int:
        """Give how many days the rows of a table are kept."""
        return self.retention.get(table, self.retention_days)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the state."""
        return self.database or f"sqlite:///{self.data / 'state.db'}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and by name where each came from: ``flag``, a variable's name, a file's, ``default``."""

    settings: Settings
    sources: Mapping[str, str]


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Put settings together by the one precedence; raises ``InvalidInput`` with every problem.

    Without ``file``, ``/etc/driftline/server.yaml`` is read if it is there.
    """
    layers = [
        _from_file(file),
        _from_environment(environ or {}),
        {name: (value, "flag") for name, value in (flags or {}).items() if value is not None},
    ]
    chosen: dict[str, tuple[Any, str]] = {}
    for layer in layers:
        chosen |= layer
    try:
        settings = Settings.model_validate({name: value for name, (value, _) in chosen.items()})
    except (pydantic.ValidationError, ValueError) as error:
        raise InvalidInput(*_problems(error, chosen)) from error
    sources = {name: chosen[name][1] if name in chosen else "default" for name in Settings.model_fields}
    return Loaded(settings, sources)


def _from_file(path: Path | None) -> dict[str, tuple[Any, str]]:
    if path is None and not DEFAULT_FILE.exists():
        return {}
    path = path or DEFAULT_FILE
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"cannot read the settings {path}: {error}") from error
    if not isinstance(found, dict):
        raise InvalidInput(Problem("expected a mapping of settings", 1, 1, str(path)))
    return {str(name): (value, str(path)) for name, value in found.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found = ((name, PREFIX + name.upper()) for name in Settings.model_fields)
    return {name: (environ[variable], variable) for name, variable in found if variable in environ}


def _problems(error: Exception, chosen: Mapping[str, tuple[Any, str]]) -> list[Problem]:
    if not isinstance(error, pydantic.ValidationError):
        return [Problem(str(error))]
    return [_problem(item, chosen) for item in error.errors(include_url=False, include_input=False)]


def _problem(item: Any, chosen: Mapping[str, tuple[Any, str]]) -> Problem:
    name = str(item["loc"][0]) if item["loc"] else ""
    source = chosen[name][1] if name in chosen else ""
    return Problem(f"{name}: {item['msg']}", source=source)
