"""The register: tokens, sensors, certificates."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
import sqlalchemy

from driftline.errors import NotFound, StateError, Unauthenticated
from driftline.server.pki import Identity, Issued
from driftline.server.sensors import Sensors
from tests.wire.making import NOW

LATER = NOW + datetime.timedelta(days=1)


@pytest.fixture
def sensors(tmp_path: Path) -> Sensors:
    return Sensors(sqlalchemy.create_engine(f"sqlite:///{tmp_path}/state.db"))


def test_a_token_is_listed_with_its_use_and_without_its_secret(sensors: Sensors) -> None:
    token = sensors.make_token(fingerprint="", cluster="c", made_by="ann", expires=LATER)
    identity = sensors.enrol(token, node="n", key="k", now=NOW)
    (listed,) = sensors.tokens()

    assert (listed.made_by, listed.expires, listed.used, listed.sensor) == ("ann", LATER, NOW, identity.sensor)
    assert token.secret not in repr(listed)


def test_a_removed_token_is_worthless(sensors: Sensors) -> None:
    token = sensors.make_token(fingerprint="", cluster="c", expires=LATER)
    sensors.remove_token(token.id)

    with pytest.raises(Unauthenticated, match="not known"):
        sensors.enrol(token, node="n", key="k", now=NOW)
    with pytest.raises(NotFound):
        sensors.remove_token(token.id)


def test_a_dead_nodes_name_is_free_again(sensors: Sensors) -> None:
    tokens = [sensors.make_token(fingerprint="", cluster="c", expires=LATER) for _ in range(2)]
    sensors.enrol(tokens[0], node="n", key="k", now=NOW)
    second = sensors.enrol(tokens[1], node="n", key="l", now=NOW + datetime.timedelta(hours=1))

    assert [it.identity for it in sensors.sensors() if it.revoked is None] == [second]


def test_a_certificate_speaks_until_its_end_for_its_own_sensor(sensors: Sensors) -> None:
    one, two = (sensors.enrol_account(cluster="c", node=node, subject="s", now=NOW) for node in "ab")
    sensors.add_certificate(one, Issued("", "5", LATER))

    sensors.check(one, "5", now=NOW)
    with pytest.raises(Unauthenticated, match="ended at"):
        sensors.check(one, "5", now=LATER + datetime.timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="not known"):
        sensors.check(two, "5", now=NOW)


def test_nobody_to_revoke(sensors: Sensors) -> None:
    with pytest.raises(NotFound):
        sensors.revoke("x", reason="", now=NOW)


def test_a_database_that_fails_is_said_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"no database" * 100)
    with pytest.raises(StateError, match="the server's database failed"):
        Sensors(sqlalchemy.create_engine(f"sqlite:///{tmp_path}/state.db"))


def test_identities_differ_by_sensor(sensors: Sensors) -> None:
    identity = sensors.enrol_account(cluster="c", node="n", subject="s", now=NOW)

    assert identity == Identity(identity.sensor, "c", "n")
    assert sensors.enrol_account(cluster="c", node="n", subject="s", now=NOW).sensor != identity.sensor
