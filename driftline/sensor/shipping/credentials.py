"""The sensor's client certificate: requested with a join token, kept on disk, renewed before it expires.

``DIR/sensor.pem`` has key and certificate in one file, which is replaced atomically; ``DIR/ca.pem`` has the server's
certificate authority. ``python -m driftline.sensor.shipping.credentials DIR URL NODE``, with the join token in
``DRIFTLINE_JOIN``, enrols unless the directory has a certificate, and prints the identity as JSON. It is a process
of its own so that the sensor's process does not load an HTTP client.

Trust at the first contact: a join token contains the fingerprint of the server's authority. The authority is fetched
over an unverified connection, compared with the fingerprint, and only then is the token sent, over a connection that
this authority verifies. A token without a fingerprint, or a service-account token, is sent only to a server that the
system's authorities verify.
"""

from __future__ import annotations

import datetime
import os
import ssl
import sys
import urllib.parse
from pathlib import Path

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import driftline
from driftline.atomic_file import replace_file
from driftline.errors import DriftlineError, InvalidInput, Refused, ServerUnreachable
from driftline.private_files import keep_private
from driftline.sensor.shipping.identity import SensorIdentity
from driftline.wire import protocol
from driftline.wire.protocol import Enrolled, JoinToken

__all__ = ["Credentials", "Enrolled", "enrol", "error_detail", "load", "renew"]

ACCOUNT_TOKEN = Path("/var/run/secrets/driftline/token")
"""File of the service-account token (audience ``driftline``) that the DaemonSet projects into the pod."""

_FIRST_KEY = "first.key"  # name of the file
_RENEW_AT = 2 / 3  # fraction of the certificate's lifetime
_TIMEOUT_SECONDS = 20.0
_PEM = serialization.Encoding.PEM


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Client certificate of a sensor, with its identity and lifetime."""

    identity: SensorIdentity
    """The identity that the certificate names, in its URI."""
    certificate: Path
    """PEM file of certificate and key."""
    authority: Path
    """PEM file of the server's certificate authority; empty if the system's authorities are used."""
    renew_after: datetime.datetime
    """Time from which the certificate should be renewed, UTC."""
    expires: datetime.datetime
    """End of its validity, UTC."""

    def context(self) -> ssl.SSLContext:
        """Return a TLS context with the client certificate.

        It trusts the server's authority alone, or the system's authorities if ``authority`` is empty.
        """
        context = ssl.create_default_context(cafile=str(self.authority) if self.authority.stat().st_size else None)
        context.load_cert_chain(self.certificate)
        return context


def load(directory: Path) -> Credentials | None:
    """Return the credentials in a directory; ``None`` if no sensor was enrolled there.

    Raises ``InvalidInput`` if the file is not a sensor's certificate.
    """
    path = directory / "sensor.pem"
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise InvalidInput(f"{path} is not a certificate of a sensor; remove it to enrol again: {error}") from error
    cluster, node, sensor = (urllib.parse.unquote(part) for part in uri.partition("://")[2].split("/"))
    begins, expires = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Credentials(
        identity=SensorIdentity(sensor=sensor, cluster=cluster, node=node),
        certificate=path,
        authority=directory / "ca.pem",
        renew_after=begins + (expires - begins) * _RENEW_AT,
        expires=expires,
    )


def enrol(directory: Path, url: str, *, token: str, node: str) -> Credentials:
    """Enrol the sensor at the server ``url``; return the existing credentials if ``directory`` has some.

    With an empty ``token``, the service-account token of the pod is sent. Raises ``InvalidInput``, ``Refused`` with
    the server's message, and ``ServerUnreachable``.
    """
    known = load(directory)
    if known:
        return known
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    join = JoinToken.parse(token) if token else None
    authority = _authority(url, join) if join and join.fingerprint else ""
    key = _first_key(directory)
    now = datetime.datetime.now(datetime.UTC)
    body = {"csr": _request(key), "node": node, "token": token, "time": now.isoformat()}
    body["version"] = driftline.__version__
    headers = {} if join else {"Authorization": f"Bearer {_account_token()}"}
    with _client(url, ssl.create_default_context(cadata=authority or None)) as http:
        said = _posted(http, protocol.ENROL_PATH, body, headers)
    replace_file(directory / "ca.pem", said.authority.encode() if authority else b"")
    credentials = _keep(directory, key, said)
    (directory / _FIRST_KEY).unlink()
    return credentials


def renew(directory: Path, url: str, credentials: Credentials) -> Credentials:
    """Obtain the next certificate, for a new key, and store it with the server's authority; raises as ``enrol``.

    The authority may be another one than before: the server is trusted by the present one, and names the next.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    with _client(url, credentials.context()) as http:
        said = _posted(http, protocol.RENEW_PATH, {"csr": _request(key)}, {})
    if credentials.authority.stat().st_size:  # otherwise the authorities of the system
        replace_file(credentials.authority, said.authority.encode())
    return _keep(directory, key, said)


def error_detail(answer: httpx.Response) -> str:
    """Return the message of an error response: ``detail`` of its problem document (RFC 9457), else its status."""
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"


# Stored until the server has answered: the server accepts a used join token again with the same key, so a lost answer
# does not use the token up.
def _first_key(directory: Path) -> ec.EllipticCurvePrivateKey:
    path = directory / _FIRST_KEY
    if not path.exists():
        replace_file(path, _private(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # as written
    return key


# Fetched over an unverified connection; trusted because its fingerprint equals the one in the join token.
def _authority(url: str, token: JoinToken) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _client(url, context) as http:
        pem = _asked(http, "GET", protocol.AUTHORITY_PATH).text
    try:
        found = x509.load_pem_x509_certificates(pem.encode())  # two after the authority was replaced
    except ValueError as error:
        raise ServerUnreachable(f"{url} gives no certificate authority; is it a driftline server?") from error
    named = next((each for each in found if each.fingerprint(hashes.SHA256()).hex() == token.fingerprint), None)
    if named is None:
        raise Refused(f"{url} is not the server of the join token: its authority has another fingerprint")
    return named.public_bytes(_PEM).decode()


def _client(url: str, context: ssl.SSLContext) -> httpx.Client:
    if not url.startswith("https://"):
        raise InvalidInput(f"--server: expected https://HOST[:PORT], got {url!r}")
    return httpx.Client(base_url=url, verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False)


def _posted(http: httpx.Client, path: str, body: dict[str, str], headers: dict[str, str]) -> Enrolled:
    answer = _asked(http, "POST", path, json=body, headers=headers)
    try:
        return Enrolled.model_validate_json(answer.content)
    except ValueError as error:
        raise ServerUnreachable(f"{http.base_url}{path}: the answer is not a certificate") from error


def _asked(http: httpx.Client, method: str, path: str, **more: object) -> httpx.Response:
    try:
        answer = http.request(method, path, **more)  # type: ignore[arg-type] # as given by the callers above
    except httpx.TransportError as error:
        raise ServerUnreachable(f"{http.base_url}: {error or type(error).__name__}") from error
    if answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise ServerUnreachable(f"{http.base_url}: {error_detail(answer)}")
    if not answer.is_success:
        raise Refused(f"the server refused: {error_detail(answer)}")
    return answer


def _account_token() -> str:
    try:
        return ACCOUNT_TOKEN.read_text().strip()
    except OSError as error:
        raise InvalidInput(f"--join: expected a join token, or a service-account token at {ACCOUNT_TOKEN}") from error


def _request(key: ec.EllipticCurvePrivateKey) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(_PEM).decode()


def _keep(directory: Path, key: ec.EllipticCurvePrivateKey, said: Enrolled) -> Credentials:
    replace_file(directory / "sensor.pem", said.certificate.encode() + _private(key))
    found = load(directory)
    assert found  # it was just written
    return found


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


if __name__ == "__main__":
    keep_private()
    try:
        enrolled = enrol(Path(sys.argv[1]), sys.argv[2], token=os.environ.get("DRIFTLINE_JOIN", ""), node=sys.argv[3])
    except DriftlineError as failure:
        sys.exit(str(failure))
    sys.stdout.buffer.write(msgspec.json.encode(enrolled.identity))
