"""The server's own certificate authority: who signs sensors' certificates, and the server's.

Keys are ECDSA P-256. The authority lies in ``ca.pem`` and ``ca.key`` of its directory, made at
the first start; its fingerprint goes into join tokens. A sensor's identity stands in one URI of
its certificate's alternative names; of its request only the key is taken.
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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from driftline.atomic_file import replace_file
from driftline.errors import InvalidInput, StateError, Unauthenticated

__all__ = ["Authority", "Identity", "Issued", "fingerprint", "identity_of", "key_hash", "open_authority"]

AUTHORITY_LIFE = datetime.timedelta(days=3650)
SERVER_LIFE = datetime.timedelta(days=365)
SENSOR_LIFE = datetime.timedelta(days=30)
_LEEWAY = datetime.timedelta(hours=1)  # a sensor's clock may be a little behind
_SCHEME = "driftline"
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_PEM = serialization.Encoding.PEM
_DER = serialization.Encoding.DER
_SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class Identity:
    """Which sensor it is, and the only cluster and node it may speak for."""

    sensor: str
    cluster: str
    node: str

    def uri(self) -> str:
        """Give the URI that stands in its certificate."""
        parts = (urllib.parse.quote(part, safe="") for part in (self.cluster, self.node, self.sensor))
        return f"{_SCHEME}://" + "/".join(parts)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, as PEM, with its serial number in hexadecimal."""

    pem: str
    serial: str
    expires: datetime.datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """The certificate authority; make it by ``open_authority``."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self.certificate.public_bytes(_PEM).decode()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate, in hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign_sensor(self, csr: str, identity: Identity, *, now: datetime.datetime) -> Issued:
        """Sign a sensor's request; raises ``InvalidInput`` for one that is none, or of a weak key."""
        key = _requested_key(csr)
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri())])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = _builder(f"sensor {identity.sensor}", now, SENSOR_LIFE).public_key(key)
        builder = builder.add_extension(names, critical=True).add_extension(usage, critical=True)
        return self._sign(builder)

    def issue_server(self, names: Sequence[str], *, now: datetime.datetime) -> tuple[str, str]:
        """Make a certificate chain and key, as PEM, for a server of these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = _builder("driftline server", now, SERVER_LIFE).public_key(key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(it) for it in names]), critical=False)
        return self._sign(builder.add_extension(usage, critical=False)).pem + self.pem, _private(key).decode()

    def _sign(self, builder: x509.CertificateBuilder) -> Issued:
        builder = builder.issuer_name(self.certificate.subject)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = builder.add_extension(issuer, critical=False).sign(self.key, hashes.SHA256())
        return Issued(made.public_bytes(_PEM).decode(), f"{made.serial_number:x}", made.not_valid_after_utc)


def open_authority(directory: Path, *, now: datetime.datetime) -> Authority:
    """Open the authority in a directory, making it if there is none; raises ``StateError``."""
    certificate, key = directory / "ca.pem", directory / "ca.key"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not certificate.exists():
            _make(certificate, key, now)
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StateError(f"the authority in {directory} cannot be read: {error}") from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != found.public_key():
        raise StateError(f"{key}: expected the key of {certificate}")
    return Authority(found, loaded)


# The certificate last: where it is, the key is.
def _make(certificate: Path, key: Path, now: datetime.datetime) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("driftline authority", now, AUTHORITY_LIFE).public_key(made.public_key())
    builder = builder.issuer_name(_subject("driftline authority"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_signs_certificates(), critical=True)
    subject = x509.SubjectKeyIdentifier.from_public_key(made.public_key())
    signed = builder.add_extension(subject, critical=False).sign(made, hashes.SHA256())
    replace_file(key, _private(made))
    replace_file(certificate, signed.public_bytes(_PEM))


def fingerprint(pem: str) -> str:
    """Give the SHA-256 of a certificate, in hexadecimal; raises ``InvalidInput`` if it is none."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()
    except ValueError as error:
        raise InvalidInput(f"expected a certificate in PEM: {error}") from error


def key_hash(csr: str) -> str:
    """Give the SHA-256 of the key that a request is for, in hexadecimal; raises ``InvalidInput``."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(_requested_key(csr).public_bytes(_DER, _SPKI))
    return digest.finalize().hex()


@functools.lru_cache(maxsize=4096)
def identity_of(der: bytes) -> tuple[Identity, str]:
    """Read identity and serial number from a certificate that TLS has verified.

    Raises ``Unauthenticated`` for one that names no sensor.
    """
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        scheme, cluster, node, sensor = uri.replace("://", "/", 1).split("/")
    except (x509.ExtensionNotFound, ValueError) as error:
        raise Unauthenticated("the client certificate names no sensor") from error
    if scheme != _SCHEME:
        raise Unauthenticated("the client certificate names no sensor")
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
        raise InvalidInput("csr: expected a request signed by its own key")
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


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
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
