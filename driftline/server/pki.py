"""The server's own certificate authority, which signs the certificates of sensors and of the server.

Keys are ECDSA on the curve P-256. The authority is kept in ``ca.pem`` and ``ca.key`` of its directory and created at
the first start; join tokens have its fingerprint. The identity of a sensor is one URI in the subject alternative name
of its certificate (RFC 5280, section 4.2.1.6). Of a sensor's request only the key is used: the sensor cannot choose its
own name.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from driftline.atomic_file import replace_file
from driftline.errors import InvalidInput, StateError, Unauthenticated

__all__ = ["Authority", "Identity", "Issued", "fingerprint", "identity_of", "key_hash", "open_authority", "private_pem"]

AUTHORITY_LIFE = datetime.timedelta(days=3650)
"""Validity of the certificate of the authority."""
SERVER_LIFE = datetime.timedelta(days=365)
"""Validity of the server's certificate, which is made anew at each start."""
SENSOR_LIFE = datetime.timedelta(days=30)
"""Validity of a sensor's certificate, which the sensor renews itself."""
_LEEWAY = datetime.timedelta(hours=1)  # before the present, because a sensor's clock may be behind
_SCHEME = "driftline"
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_PEM = serialization.Encoding.PEM
_DER = serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class Identity:
    """A sensor, and the only cluster and node whose rows it may send."""

    sensor: str
    cluster: str
    node: str

    def uri(self) -> str:
        """Return the URI in the sensor's certificate: ``driftline://CLUSTER/NODE/SENSOR``, percent-encoded."""
        parts = (urllib.parse.quote(part, safe="") for part in (self.cluster, self.node, self.sensor))
        return f"{_SCHEME}://" + "/".join(parts)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate (PEM), its serial number in hexadecimal, and its expiry in UTC."""

    pem: str
    serial: str
    expires: datetime.datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """The certificate authority; opened by ``open_authority``."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate of the authority, PEM."""
        return self.certificate.public_bytes(_PEM).decode()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate (DER), in hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign_sensor(self, csr: str, identity: Identity, *, now: datetime.datetime) -> Issued:
        """Sign the certificate request (PKCS #10, PEM) of a sensor, for client authentication only; ``now`` is UTC.

        Raises ``InvalidInput`` for an invalid request, or a key other than P-256, P-384 or Ed25519.
        """
        key = _requested_key(csr)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri())])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _builder(f"sensor {identity.sensor}", now, SENSOR_LIFE).public_key(key)
        builder = builder.add_extension(names, critical=True).add_extension(usage, critical=True)
        return self._sign(builder)

    def issue_server(self, names: Sequence[str], *, now: datetime.datetime) -> tuple[str, str]:
        """Create a key and a certificate for a server with these host names and IP addresses; ``now`` is UTC.

        Returns the certificate chain and the private key, both PEM.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = _builder("driftline server", now, SERVER_LIFE).public_key(key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(it) for it in names]), critical=False)
        return self._sign(builder.add_extension(usage, critical=False)).pem + self.pem, private_pem(key).decode()

    def _sign(self, builder: x509.CertificateBuilder) -> Issued:
        builder = builder.issuer_name(self.certificate.subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = builder.add_extension(issuer, critical=False).sign(self.key, hashes.SHA256())
        return Issued(made.public_bytes(_PEM).decode(), f"{made.serial_number:x}", made.not_valid_after_utc)


def open_authority(directory: Path, *, now: datetime.datetime) -> Authority:
    """Open the authority in a directory, creating it if there is none; ``now`` is UTC.

    Raises ``StateError`` if its files cannot be read or written, or do not belong together.
    """
    certificate, key = directory / "ca.pem", directory / "ca.key"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not certificate.exists():
            _make(certificate, key, now)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StateError(f"cannot open the certificate authority in {directory}: {error}") from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != found.public_key():
        raise StateError(f"{key}: expected the key of {certificate}")
    return Authority(found, loaded)


# The certificate is written last, so that a certificate that exists has its key, also after a crash.
def _make(certificate: Path, key: Path, now: datetime.datetime) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("driftline authority", now, AUTHORITY_LIFE).public_key(made.public_key())
    builder = builder.issuer_name(_subject("driftline authority"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_signs_certificates(), critical=True)
    subject = x509.SubjectKeyIdentifier.from_public_key(made.public_key())
    signed = builder.add_extension(subject, critical=False).sign(made, hashes.SHA256())
    replace_file(key, private_pem(made))
    replace_file(certificate, signed.public_bytes(_PEM))


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of a certificate (PEM), in hexadecimal; raises ``InvalidInput`` for an invalid one."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()
    except ValueError as error:
        raise InvalidInput(f"expected a certificate in PEM: {error}") from error


def key_hash(csr: str) -> str:
    """Return the SHA-256 of the public key in a certificate request, in hexadecimal; raises ``InvalidInput``."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_requested_key(csr).public_bytes(_DER, _SPKI))
    return digest.finalize().hex()


@functools.lru_cache(maxsize=4096)
def identity_of(der: bytes) -> tuple[Identity, str]:
    """Return the sensor and the serial number (hexadecimal) of a certificate (DER) that TLS has verified.

    Raises ``Unauthenticated`` for a certificate of another kind. Cached, because a sensor sends the same certificate
    with each request.
    """
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        scheme, cluster, node, sensor = uri.replace("://", "/", 1).split("/")
    except (x509.ExtensionNotFound, ValueError) as error:
        raise Unauthenticated("the client certificate is not that of a sensor") from error
    if scheme != _SCHEME:
        raise Unauthenticated("the client certificate is not that of a sensor")
    cluster, node, sensor = (urllib.parse.unquote(part) for part in (cluster, node, sensor))
    return Identity(sensor, cluster, node), f"{certificate.serial_number:x}"


def _requested_key(csr: str) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        is_signed = request.is_signature_valid
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"csr: expected a PKCS #10 request in PEM: {error}") from error
    if not is_signed:
        raise InvalidInput("csr: expected a request that is signed with its own key")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    raise InvalidInput("csr: expected a key of P-256, P-384 or Ed25519")


def _builder(name: str, now: datetime.datetime, life: datetime.timedelta) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(_subject(name)).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _LEEWAY).not_valid_after(now + life)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def private_pem(key: PrivateKeyTypes) -> bytes:
    """Return a private key as PKCS #8, PEM, not encrypted."""
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
