"""The server's certificate while it runs: renewed before it ends, and read again when its files are replaced.

A TLS context uses a certificate that is loaded later for all further handshakes; connections that stand go on.
"""

from __future__ import annotations

import datetime
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from driftline.errors import DriftlineError
from driftline.server.failure_log import FailureLog

__all__ = ["LiveCertificate", "is_due"]

_RENEW_AT = 2 / 3  # of the lifetime, as sensors do
_log = logging.getLogger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]


class LiveCertificate:
    """The certificate of a TLS context, and the files it came from. For one thread."""

    def __init__(
        self,
        context: ssl.SSLContext,
        certificate: Path,
        key: Path,
        *,
        renew: Callable[[], object] | None = None,
        authorities: Callable[[], str] = str,
        now: Callable[[], datetime.datetime],
    ) -> None:
        """Watch the files, which the context has loaded.

        ``renew`` writes new files for a certificate that is the server's own; ``None`` for one that is given.
        ``authorities`` returns the certificates, PEM, of the authorities of clients, which the context trusts; after a
        change the server's own certificate is renewed. ``now`` returns the time in UTC.
        """
        self._context = context
        self._certificate = certificate
        self._key = key
        self._renew = renew
        self._authorities = authorities
        self._trusted = authorities()
        self._now = now
        self._loaded = self._stamp()
        self._failures = FailureLog(_log, "the server goes on with its present certificate")

    def refresh(self) -> bool:
        """Renew the certificate if it is due, and load files that changed; return whether a certificate was loaded.

        Errors are logged once, and the present certificate stays in use.
        """
        try:
            trusted = self._authorities()
            changed = trusted != self._trusted
            if changed:  # a context cannot forget the former ones, whose keys are deleted and whose certificates end
                self._context.load_verify_locations(cadata=trusted)
            if self._renew and (changed or is_due(self._certificate.read_bytes(), self._now())):
                self._renew()
            self._trusted = trusted
            stamp = self._stamp()
            if stamp == self._loaded:
                return False
            # First on a context of no use: a certificate without its key would spoil the one in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key)
            self._context.load_cert_chain(self._certificate, self._key)
        except (OSError, ValueError, DriftlineError) as error:  # ssl.SSLError is an OSError
            self._failures.failed(DriftlineError(f"{self._certificate}, {self._key}: {error}"))
            return False
        self._loaded = stamp
        self._failures.succeeded()
        ends = x509.load_pem_x509_certificate(self._certificate.read_bytes()).not_valid_after_utc
        _log.info("the server's certificate was replaced by one that is valid until %s", ends.isoformat())
        return True

    def _stamp(self) -> _Stamp:
        found = (path.stat() for path in (self._certificate, self._key))
        return tuple((it.st_ino, it.st_mtime_ns, it.st_size) for it in found)


def is_due(pem: bytes, now: datetime.datetime) -> bool:
    """Return whether two thirds of a certificate's lifetime (PEM) have passed at ``now`` (UTC)."""
    certificate = x509.load_pem_x509_certificate(pem)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= begins + (ends - begins) * _RENEW_AT
