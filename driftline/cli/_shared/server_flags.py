"""Flags of the server's settings, shared by ``driftline server`` and ``driftline config show``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from driftline.cli._shared.options import Repeated
from driftline.errors import InvalidInput
from driftline.server import settings

__all__ = ["Flags", "load"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Flags:
    """Flags that set settings; they take precedence over the environment and the settings file.

    A flag that is not given (``None``) leaves its setting to them.

    Parameters
    ----------
    config
        Settings file in YAML. Default: /etc/driftline/server.yaml, if it exists.
    host
        IP address to listen on.
    port
        TCP port to listen on; 0 lets the system choose a free one.
    data
        Directory of the server's own state: users, alerts, policies, keys.
    store
        Directory of the event store.
    tls_certificate
        PEM file with the certificate chain for HTTPS. Default: none, plain HTTP.
    tls_key
        PEM file with the private key of the certificate.
    set
        Any other setting as NAME=VALUE; may be given several times.
    """

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    data: Path | None = None
    store: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    set: Repeated = None


def load(flags: Flags | None) -> settings.Loaded:
    """Load the settings from the flags, the environment and the settings file, in this order of precedence.

    Raises ``InvalidInput`` for an unknown setting or an invalid value.
    """
    flags = flags or Flags()
    # --set comes last: it can also set what has a flag of its own.
    own_flags = {name: getattr(flags, name) for name in ("host", "port", "data", "store", "tls_certificate", "tls_key")}
    given = {name: value for name, value in own_flags.items() if value is not None} | dict(map(_pair, flags.set or ()))
    return settings.load(file=flags.config, environ=os.environ, flags=given)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--set: expected NAME=VALUE, got {text!r}")
    return name, value
