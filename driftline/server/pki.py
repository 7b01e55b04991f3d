"""The server's own certificate authority, which signs the certificates of sensors and of the server.

Keys are ECDSA on the curve P-256. The authority is kept in ``ca.pem`` and ``ca.key`` of its directory and created at
the first start; join tokens have its fingerprint. ``rotate`` replaces it by one with a new key: for the 30 days of a
sensor's certificate, ``former.pem`` is trusted beside it, and ``cross.pem``, the new key signed by the former one, lets
sensors that know the former authority alone verify the server (RFC 4210, section 4.4). The former key is deleted at
once. The identity of a sensor is one URI in the subject alternative name
of its certificate (RFC 5280, section 4.2.1.6). Of a sensor's request only the key is used: the sensor cannot choose its
own name.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import urllib.parse
from collections.abc import Callable, Sequence
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

__all__ = [
    "CROSS",
    "FORMER",
    "Authority",
    "Identity",
    "Issued",
    "LiveAuthority",
    "fingerprint",
    "identity_of",
    "key_hash",
    "open_authority",
    "private_pem",
    "rotate",
]


AUTHORITY_LIFE = datetime.timedelta(days=3650)
"""Validity of the certificate of the authority."""
SERVER_LIFE = datetime.timedelta(days=365)
"""Validity of the server's certificate, which is made anew at each start."""
SENSOR_LIFE = datetime.timedelta(days=30)
"""Validity of a sensor's certificate, which the sensor renews itself."""
FORMER, CROSS = "former.pem", "cross.pem"
"""Names of the files of an authority that was replaced."""
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
    former: x509.Certificate | None = None
    """Certificate of the authority before, while it is trusted."""
    cross: x509.Certificate | None = None
    """This authority's key signed by the former one, while that is trusted."""

    @property
    def pem(self) -> str:
        """The certificate of the authority, PEM."""
        return self.certificate.public_bytes(_PEM).decode()

    @property
    def trusted_pem(self) -> str:
        """The certificates of this authority and of the former one that is still trusted, PEM, in this order."""
        return self.pem + (self.former.public_bytes(_PEM).decode() if self.former else "")

    @property
    def overlap_ends(self) -> datetime.datetime | None:
        """Time until which the former authority is trusted, UTC; None if there is none."""
        return self.cross.not_valid_after_utc if self.cross else None

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
        issuer = self.cross.public_bytes(_PEM).decode() if self.cross else self.pem
        return self._sign(builder.add_extension(usage, critical=False)).pem + issuer, private_pem(key).decode()

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
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        keys = _keys(key.read_bytes())
        former, cross = (_optional(directory / name) for name in (FORMER, CROSS))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise StateError(f"cannot open the certificate authority in {directory}: {error}") from error
    loaded = next((each for each in keys if each.public_key() == found.public_key()), None)
    if loaded is None:
        raise StateError(f"{key}: expected the key of {certificate}")
    if former and cross and cross.public_key() == found.public_key() and now < cross.not_valid_after_utc:
        return Authority(found, loaded, former, cross)
    return Authority(found, loaded)


def rotate(directory: Path, *, now: datetime.datetime) -> Authority:
    """Replace the authority in a directory by one with a new key, and return it; ``now`` is UTC.

    The former one stays trusted for 30 days. Raises ``InvalidInput`` while the one before it is still trusted, because
    sensors that know it alone would be lost, and ``StateError``.
    """
    former = open_authority(directory, now=now)
    if former.overlap_ends:
        raise InvalidInput(
            f"the authority was replaced before; expected to wait until {former.overlap_ends:%Y-%m-%d %H:%M} UTC,"
            " when all sensors know the present one"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _authority_builder(key, now, AUTHORITY_LIFE).sign(key, hashes.SHA256())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(former.key.public_key())
    builder = _authority_builder(key, now, SENSOR_LIFE).add_extension(issuer, critical=False)
    cross = builder.sign(former.key, hashes.SHA256())
    # After a crash between two of these steps, ca.key has the key of ca.pem.
    steps = (
        (FORMER, former.certificate.public_bytes(_PEM)),
        (CROSS, cross.public_bytes(_PEM)),
        ("ca.key", private_pem(key) + private_pem(former.key)),
        ("ca.pem", certificate.public_bytes(_PEM)),
        ("ca.key", private_pem(key)),
    )
    try:
        for name, data in steps:
            replace_file(directory / name, data)
    except OSError as error:
        raise StateError(f"cannot write the certificate authority in {directory}: {error}") from error
    return Authority(certificate, key, former.certificate, cross)


# The certificate is written last, so that a certificate that exists has its key, also after a crash.
def _make(certificate: Path, key: Path, now: datetime.datetime) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    signed = _authority_builder(made, now, AUTHORITY_LIFE).sign(made, hashes.SHA256())
    replace_file(key, private_pem(made))
    replace_file(certificate, signed.public_bytes(_PEM))


def _authority_builder(
    key: ec.EllipticCurvePrivateKey, now: datetime.datetime, life: datetime.timedelta
) -> x509.CertificateBuilder:
    builder = _builder("driftline authority", now, life).public_key(key.public_key())
    builder = builder.issuer_name(_subject("driftline authority"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_signs_certificates(), critical=True)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


# Two keys while ``rotate`` writes, otherwise one.
def _keys(pem: bytes) -> list[ec.EllipticCurvePrivateKey]:
    begin = b"-----BEGIN"
    found = [serialization.load_pem_private_key(begin + each, None) for each in pem.split(begin)[1:]]
    return [each for each in found if isinstance(each, ec.EllipticCurvePrivateKey)]


def _optional(path: Path) -> x509.Certificate | None:
    return x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None


class LiveAuthority:
    """The authority in a directory, read again when it is replaced or a former one ends. Any thread may use it."""

    def __init__(self, directory: Path, *, now: Callable[[], datetime.datetime]) -> None:
        """Open the authority; ``now`` returns the time in UTC. Raises ``StateError``."""
        self._directory = directory
        self._now = now
        self._found = (self._inode(), open_authority(directory, now=now()))

    @property
    def current(self) -> Authority:
        """The authority now; raises ``StateError``."""
        inode, authority = self._found
        ends = authority.overlap_ends
        if self._inode() != inode or (ends and self._now() >= ends):
            inode = self._inode()
            self._found = (inode, open_authority(self._directory, now=self._now()))
        return self._found[1]

    def _inode(self) -> tuple[int, int]:
        path = self._directory / "ca.pem"
        try:
            found = path.stat()
        except FileNotFoundError:  # before the authority is made
            return (0, 0)
        return found.st_ino, found.st_mtime_ns


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
