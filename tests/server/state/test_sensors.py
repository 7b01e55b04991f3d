"""Join tokens, sensors, certificates."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from driftline.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from driftline.server.pki import Identity, Issued
from driftline.server.state import Session, State, sensors
from driftline.wire.protocol import JoinToken
from tests.wire.making import NOW

LATER = NOW + datetime.timedelta(days=1)


@pytest.fixture
def session(state: State) -> Iterator[Session]:
    with state.writing() as entered:
        yield entered


def add_token(session: Session) -> JoinToken:
    return sensors.add_join_token(session, fingerprint="", cluster="c", made_by="ann", expires=LATER)


def enrol_account(session: Session, node: str = "n") -> Identity:
    return sensors.enrol_account(session, cluster="c", node=node, subject="s", now=NOW)


def test_a_token_is_listed_with_its_use_and_without_its_secret(session: Session) -> None:
    token = add_token(session)
    identity = sensors.enrol(session, token, node="n", key="k", now=NOW)
    (listed,) = sensors.list_join_tokens(session)

    assert (listed.made_by, listed.expires, listed.used, listed.sensor) == ("ann", LATER, NOW, identity.sensor)
    assert token.secret not in str(vars(listed))


def test_a_removed_token_is_refused(session: Session) -> None:
    token = add_token(session)
    sensors.remove_join_token(session, token.id)

    with pytest.raises(Unauthenticated, match="not known"):
        sensors.enrol(session, token, node="n", key="k", now=NOW)
    with pytest.raises(NotFound):
        sensors.remove_join_token(session, token.id)


def test_a_node_whose_sensor_is_silent_may_enrol_with_a_token_of_the_cluster(session: Session) -> None:
    tokens = [add_token(session) for _ in range(2)]
    sensors.enrol(session, tokens[0], node="n", key="k", now=NOW)
    second = sensors.enrol(session, tokens[1], node="n", key="l", now=NOW + datetime.timedelta(hours=1))

    assert [it.identity for it in sensors.list_sensors(session) if it.revoked is None] == [second]


def test_a_certificate_is_accepted_until_it_expires_for_its_own_sensor_only(session: Session) -> None:
    one, two = (enrol_account(session, node) for node in "ab")
    sensors.add_certificate(session, one, Issued("", "5", LATER))

    sensors.check_certificate(session, one, "5", now=NOW)
    with pytest.raises(Unauthenticated, match="expired at 2026-"):
        sensors.check_certificate(session, one, "5", now=LATER + datetime.timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="not known"):
        sensors.check_certificate(session, two, "5", now=NOW)


def test_revoking_an_unknown_sensor_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        sensors.revoke(session, "x", reason="", now=NOW)


def test_of_many_enrolments_at_once_one_uses_the_token(tmp_path: Path) -> None:
    """Each thread has a state of its own, as a process has: only SQLite's lock is between them."""
    states = [State(f"sqlite:///{tmp_path}/state.db") for _ in range(8)]
    states[0].migrate()
    with states[0].writing() as session:
        token = add_token(session)

    def enrol(number: int) -> bool:
        try:
            with states[number].writing() as session:
                sensors.enrol(session, token, node=f"n{number}", key=f"k{number}", now=NOW)
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(len(states)) as pool:
        assert sum(pool.map(enrol, range(len(states)))) == 1
    with states[0].reading() as session:
        assert len(sensors.list_sensors(session)) == 1


def test_reports_of_unknown_sensors_are_ignored(session: Session) -> None:
    known = enrol_account(session)
    sensors.save_reports(session, {known.sensor: (LATER, {"version": "1"}), "unknown": (LATER, {})})
    session.expire_all()

    (record,) = sensors.list_sensors(session)
    assert (record.seen, record.report) == (LATER, {"version": "1"})


def test_each_enrolment_of_a_node_gets_another_id(session: Session) -> None:
    identity = enrol_account(session)

    assert identity == Identity(identity.sensor, "c", "n")
    assert enrol_account(session).sensor != identity.sensor


def test_of_two_tokens_at_once_one_enrols_the_node(state: State) -> None:
    with state.writing() as session:
        tokens = [add_token(session) for _ in range(8)]
    ready = threading.Barrier(len(tokens))

    def enrol(token: JoinToken) -> str:
        ready.wait()
        try:
            with state.writing() as session:
                return sensors.enrol(session, token, node="n", key=token.id, now=NOW).sensor
        except Conflict:
            return ""

    with ThreadPoolExecutor(len(tokens)) as pool:
        enrolled = list(pool.map(enrol, tokens))
    with state.reading() as session:
        active = [it.identity.sensor for it in sensors.list_sensors(session) if it.revoked is None]

    assert active == [each for each in enrolled if each]
    assert len(active) == 1


def test_of_two_accounts_at_once_one_sensor_is_active(state: State) -> None:
    ready = threading.Barrier(6)

    def enrol(_: int) -> None:
        ready.wait()
        with state.writing() as session:
            enrol_account(session)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(enrol, range(6)))
    with state.reading() as session:
        assert sum(it.revoked is None for it in sensors.list_sensors(session)) == 1


@pytest.mark.parametrize(("cluster", "node"), [("..", ""), ("a/../b", ""), ("c", "../../etc"), ("c", "a b")])
def test_tokens_for_names_that_are_paths_are_refused(session: Session, cluster: str, node: str) -> None:
    with pytest.raises(InvalidInput, match="expected a"):
        sensors.add_join_token(session, fingerprint="", cluster=cluster, node=node, expires=LATER)
