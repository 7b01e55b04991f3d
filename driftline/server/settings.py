"""The settings of the server, and the source of each value.

The precedence is the same for all settings: flag, environment, file, default. The environment variable of a
setting is ``DRIFTLINE_SERVER_`` and its name in capitals. In flags and variables, a list is comma-separated
and a mapping is ``key=value,key=value``; the file is YAML.

To add a setting, add a field to ``Settings``; its description appears in docs/reference/server-settings.md.
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


def _split_list(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_mapping(value: Any) -> Any:
    return dict(part.split("=", 1) for part in _split_list(value)) if isinstance(value, str) else value


Role = Literal["viewer", "analyst", "admin"]
Names = Annotated[tuple[str, ...], BeforeValidator(_split_list)]
Roles = Annotated[dict[str, Role], BeforeValidator(_split_mapping)]


def _check_tables(value: dict[str, int]) -> dict[str, int]:
    unknown = sorted(set(value) - set(TABLES))
    if unknown:
        raise ValueError(f"no table {', '.join(unknown)}; expected one of {', '.join(TABLES)}")
    return value


Days = Annotated[int, Field(ge=1, le=36_500)]
Retention = Annotated[dict[str, Days], BeforeValidator(_split_mapping), AfterValidator(_check_tables)]


def _parse_yaml(value: Any) -> Any:
    return yaml.safe_load(value) if isinstance(value, str) else value


class ServiceAccounts(BaseModel):
    """Parameters to verify the service-account tokens of the sensors of one cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str = Field(min_length=1, max_length=253)
    """Cluster name recorded in the events of the sensors."""
    issuer: str = Field(min_length=1)
    """Claim ``iss`` of the tokens: the API server's ``--service-account-issuer``."""
    keys: Path
    """JSON Web Key Set of the cluster: ``kubectl get --raw /openid/v1/jwks``."""
    audience: str = "driftline"
    """Value in the claim ``aud``: the ``audience`` of the pod's projected token volume."""
    subject: str = "system:serviceaccount:driftline:driftline-sensor"
    """Claim ``sub``: ``system:serviceaccount:NAMESPACE:NAME`` of the sensor's service account."""


Accounts = Annotated[tuple[ServiceAccounts, ...], BeforeValidator(_parse_yaml)]


class Settings(BaseModel):
    """All settings; the description of a field is its entry in the reference page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="IP address to listen on")
    port: int = Field(
        default=8460, ge=0, le=65535, description="TCP port to listen on; 0 lets the system choose a free one"
    )
    data: Path = Field(
        default=Path("/var/lib/driftline/server"),
        description="Directory of the server's own state: users, alerts, policies, keys",
    )
    store: Path = Field(default=Path("/var/lib/driftline/store"), description="Directory of the event store")
    retention: Retention = Field(
        default={}, description="Days to keep the rows of a hunting table: CloudProcessEvents=90,SensorHealth=14"
    )
    retention_days: int = Field(default=30, ge=1, description="Days to keep the rows of all other hunting tables")
    database: str = Field(
        default="", description="SQLAlchemy URL of the database for the state; empty: SQLite in `data`"
    )
    public_url: str = Field(default="", description="URL of the server for browsers, used in OIDC redirects")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file with the certificate chain for HTTPS; none: plain HTTP"
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the private key of `tls_certificate`")
    tls_client_ca: Path | None = Field(
        default=None, description="PEM file with the authorities whose client certificates are accepted"
    )
    sensor_names: Names = Field(
        default=(),
        description="Host names and IP addresses by which sensors reach the server; empty: no sensors are accepted."
        " If set, the server uses TLS, with a certificate of its own authority unless `tls_certificate` is set",
    )
    service_accounts: Accounts = Field(
        default=(),
        description="Clusters whose sensors enrol with the service-account token of their pod: a list of mappings with"
        " `cluster`, `issuer`, `keys` (path of the cluster's JSON Web Key Set), `audience` and `subject`",
    )
    sensor_silent_seconds: float = Field(
        default=120, gt=0, description="Seconds without a message after which a sensor is silent, which raises an alert"
    )
    sensor_clock_seconds: float = Field(
        default=30, gt=0, description="Clock skew of a sensor, in seconds, above which an alert is raised"
    )
    sensor_losses: int = Field(
        default=1,
        ge=1,
        description="Number of events lost by a sensor within ten minutes from which an alert is raised",
    )
    connections: int = Field(
        default=10_000,
        ge=16,
        description="Maximum number of connections. A further one takes the place of one without a request in progress;"
        " the limit of open files (`ulimit -n`) is raised for it, and bounds it",
    )
    connections_per_address: int = Field(
        default=5_000,
        ge=1,
        description="Maximum number of connections from one IP address, or of one sensor",
    )
    header_seconds: float = Field(
        default=15, gt=0, description="Seconds within which TLS and the headers of a request must have arrived"
    )
    body_seconds: float = Field(
        default=60, gt=0, description="Seconds within which the body of a request must have arrived after its headers"
    )
    alerts_per_minute: int = Field(
        default=10_000,
        ge=1,
        description="Maximum number of alerts a minute of one sensor; unused ones gather for six minutes",
    )
    disk_low: int = Field(
        default=2048,
        ge=0,
        description="MiB left on the disks of `data` and `store` below which an alert is raised, at most a tenth of the"
        " disk. Below an eighth of it no more rows of sensors are taken; the sensors keep them. 0: no limit",
    )
    shutdown_seconds: int = Field(
        default=10, ge=0, description="Seconds that requests in progress have to complete when the server stops"
    )
    session_hours: float = Field(default=12, gt=0, description="Hours until a session expires")
    token_days: int = Field(default=365, ge=1, description="Maximum lifetime of a personal token, in days")
    requests_per_minute: int = Field(
        default=1200, ge=1, description="Maximum number of requests a minute of one user or token"
    )
    logins_per_minute: int = Field(
        default=10, ge=1, description="Maximum number of login attempts a minute from one IP address"
    )
    hunts_per_minute: int = Field(default=30, ge=1, description="Maximum number of hunts a minute of one user")
    hunt_seconds: float = Field(default=60, gt=0, le=3600, description="Maximum duration of a hunt, in seconds")
    hunt_size: int = Field(default=256, ge=1, le=4096, description="Maximum size of the result of a hunt, in MiB")
    hunt_fetch_seconds: float = Field(
        default=300, gt=0, description="Seconds within which a client must have read the result of a hunt"
    )
    hunts_at_once: int = Field(
        default=2,
        ge=1,
        description="Maximum number of hunts that run at the same time; further ones wait or are refused",
    )
    late_hours: float = Field(
        default=168, gt=0, description="Maximum delay of an alert, in hours; an alert that arrives later is not shown"
    )
    oidc_issuer: str = Field(default="", description="Issuer URL of the OpenID provider; empty: no OIDC login")
    oidc_client_id: str = Field(default="", description="Client id at the OpenID provider")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Client secret at the OpenID provider")
    oidc_scopes: Names = Field(
        default=("openid", "profile", "email"), description="Scopes to request from the OpenID provider"
    )
    oidc_role_claim: str = Field(default="groups", description="Claim with the groups or roles of a user")
    oidc_roles: Roles = Field(
        default={}, description="Role for each value of `oidc_role_claim`: group=admin,other=viewer"
    )
    oidc_default_role: Role | None = Field(
        default=None, description="Role of users without a matching value; none: their login is refused"
    )
    oidc_clusters: Names = Field(
        default=("*",), description="Clusters granted to a user at the first OIDC login; `*`: all"
    )
    oidc_hours: float = Field(
        default=24,
        gt=0,
        description="Hours after an OIDC login for which the user's sessions and tokens are accepted; a new login "
        "starts them again",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Minimum level of log messages"
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Format of the log: text lines, or JSON objects"
    )

    def days(self, table: str) -> int:
        """Return the number of days to keep the rows of a hunting table."""
        return self.retention.get(table, self.retention_days)

    @property
    def speaks_tls(self) -> bool:
        """Whether the server itself speaks TLS: with a given certificate, or one of its own authority."""
        return self.tls_certificate is not None or bool(self.sensor_names)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database for the state."""
        return self.database or f"sqlite:///{self.data / 'state.db'}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and the source of each by name: ``flag``, a variable's name, a file's path, ``default``."""

    settings: Settings
    sources: Mapping[str, str]


def load(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Load the settings in the order of precedence: flags, environment, file, defaults.

    ``file`` is the path of the settings file; ``None`` means ``/etc/driftline/server.yaml``, if it exists. A flag
    with the value ``None`` counts as not given. Raises ``InvalidInput`` with all errors at once.
    """
    # From the lowest to the highest precedence: a later layer replaces the values of an earlier one.
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
