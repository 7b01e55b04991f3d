"""The server's settings on the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from driftline.errors import InvalidInput
from driftline.server import settings

__all__ = ["Flags", "load"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Flags:
    """Flags that set settings; they win over the environment, which wins over the file.

    Parameters
    ----------
    config
        File of settings; /etc/driftline/server.yaml if it is there.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    data
        Directory of the server's own state.
    store
        Directory of the event store.
    tls_certificate
        PEM certificate chain; without one, plain HTTP.
    tls_key
        PEM private key of the certificate.
    set
        Any other setting, as NAME=VALUE; may be given again.
    """

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    data: Path | None = None
    store: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    set: Annotated[list[str], Parameter(negative=())] | None = None


def load(flags: Flags | None) -> settings.Loaded:
    """Load the settings with these flags over them; raises ``InvalidInput``."""
    flags = flags or Flags()
    named = {name: getattr(flags, name) for name in ("host", "port", "data", "store", "tls_certificate", "tls_key")}
    given = {name: value for name, value in named.items() if value is not None} | dict(map(_pair, flags.set or ()))
    return settings.load(file=flags.config, environ=os.environ, flags=given)


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"--set: expected NAME=VALUE, got {text!r}")
    return name, value
