"""The certificate authority: its files, the requests it signs, the identities in certificates."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from driftline.atomic_file import replace_file
from driftline.errors import InvalidInput, StateError, Unauthenticated
from driftline.server import pki
from tests.server.gateways import new_key, now, request_for


def test_the_authority_is_created_once_with_a_private_key_file(tmp_path: Path) -> None:
    made = pki.open_authority(tmp_path / "pki", now=now())

    assert pki.open_authority(tmp_path / "pki", now=now()).fingerprint == made.fingerprint
    assert (tmp_path / "pki" / "ca.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("names", [("c", "n"), ("a/b", "../n"), ("ü %2F", "driftline://x/y/z")])
def test_names_with_special_characters_survive_the_certificate(tmp_path: Path, names: tuple[str, str]) -> None:
    identity = pki.Identity("s", *names)
    issued = pki.open_authority(tmp_path, now=now()).sign_sensor(request_for(new_key()), identity, now=now())

    assert pki.identity_of(ssl.PEM_cert_to_DER_cert(issued.pem)) == (identity, issued.serial)


def test_a_certificate_of_a_server_is_no_sensor(tmp_path: Path) -> None:
    chain, _ = pki.open_authority(tmp_path, now=now()).issue_server(["localhost", "127.0.0.1"], now=now())
    with pytest.raises(Unauthenticated, match="not that of a sensor"):
        pki.identity_of(ssl.PEM_cert_to_DER_cert(chain[: chain.index("-----END") + 26]))


def test_a_weak_key_and_a_forged_request_are_refused(tmp_path: Path) -> None:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    weak = builder.sign(rsa.generate_private_key(65537, 1024), hashes.SHA256())
    authority = pki.open_authority(tmp_path, now=now())
    with pytest.raises(InvalidInput, match="P-256, P-384 or Ed25519"):
        pem = weak.public_bytes(serialization.Encoding.PEM).decode()
        authority.sign_sensor(pem, pki.Identity("s", "c", "n"), now=now())
    with pytest.raises(InvalidInput, match="expected a PKCS #10 request"):
        pki.key_hash("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")


def test_a_key_of_another_certificate_is_a_state_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pki.open_authority(tmp_path / name, now=now())
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(StateError, match="expected the key of"):
        pki.open_authority(tmp_path / "a", now=now())


def test_a_replaced_authority_is_trusted_for_30_days_and_replaced_no_sooner_again(tmp_path: Path) -> None:
    first = pki.open_authority(tmp_path, now=now())
    second = pki.rotate(tmp_path, now=now())
    later = now() + datetime.timedelta(days=31)

    assert pki.open_authority(tmp_path, now=now()).fingerprint == second.fingerprint != first.fingerprint
    assert second.trusted_pem == second.pem + first.pem
    with pytest.raises(InvalidInput, match="expected to wait until"):
        pki.rotate(tmp_path, now=now())
    assert pki.open_authority(tmp_path, now=later).trusted_pem == second.pem
    assert pki.rotate(tmp_path, now=later).former == second.certificate


def test_the_former_key_is_deleted(tmp_path: Path) -> None:
    former = pki.private_pem(pki.open_authority(tmp_path, now=now()).key)
    pki.rotate(tmp_path, now=now())

    assert all(former not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("steps", range(6))
def test_a_rotation_that_was_cut_short_leaves_an_authority(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pki.open_authority(tmp_path, now=now())
    left = iter(range(steps))

    def replace(path: Path, data: bytes) -> None:
        if next(left, None) is None:
            raise OSError("no space left on device")
        replace_file(path, data)

    monkeypatch.setattr(pki, "replace_file", replace)
    with contextlib.suppress(StateError):
        pki.rotate(tmp_path, now=now())
    found = pki.open_authority(tmp_path, now=now())

    assert (found.fingerprint == first.fingerprint, found.former is None) == (steps < 4, steps < 4)
    monkeypatch.undo()
    if steps < 4:
        assert pki.rotate(tmp_path, now=now()).former == first.certificate


def test_a_live_authority_follows_its_files(tmp_path: Path) -> None:
    live = pki.LiveAuthority(tmp_path, now=now)
    first = live.current

    assert live.current is first
    assert pki.rotate(tmp_path, now=now()).trusted_pem == live.current.trusted_pem
