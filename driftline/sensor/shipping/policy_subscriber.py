"""The policy's way from the server to the sensor, in the process that ships.

One thread asks over mutual TLS and waits for the answer (a long poll), keeps what comes where the
sensor looks for it (``keptpolicy``), and tells the server what the sensor made of it: that is
read from the sensor's own rows as they pass by.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from pathlib import Path

import httpx

from driftline.errors import InvalidInput
from driftline.events import SensorHealth
from driftline.sensor.policy import cache
from driftline.sensor.policy.cache import CachedPolicy
from driftline.sensor.shipping import credentials
from driftline.sensor.shipping.backoff import Backoff
from driftline.wire.protocol import POLICY_PATH, Delivered, PolicyAck

__all__ = ["PolicySubscriber"]

_WAIT_SECONDS = 50
_TIMEOUT_SECONDS = 80.0
_ACK_SECONDS = 10.0
_REST_SECONDS = 0.1  # between polls that had to wait anyway
_ERROR_MAX = 4096
_IS_REFUSAL = {"SensorStarted": False, "PolicyChanged": False, "PolicyRefused": True}
"""Rows that say what became of a policy, and whether it was refused."""
_log = logging.getLogger(__name__)


class PolicySubscriber:
    """Follows the server's policy until the process ends."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory
        self._url = url
        self._ack: PolicyAck | None = None
        self._sent_ack: PolicyAck | None = None
        self._ack_changed = threading.Condition()
        self._backoff = Backoff(_log, failing="the policy in force stays", fine="the server gives policies again")
        self._open()

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._run, name="policy", daemon=True).start()

    def observe(self, row: SensorHealth) -> None:
        """Take what the sensor says of itself. Any thread may call it."""
        label = str(row.AdditionalFields.get("Policy", ""))
        name, _, version = label.rpartition(":")
        if row.ActionType not in _IS_REFUSAL or not name or not version.isdecimal():
            return
        error = row.Reason[:_ERROR_MAX] if _IS_REFUSAL[row.ActionType] else ""
        with self._ack_changed:
            self._ack = PolicyAck(name=name, version=int(version), error=error)
            self._ack_changed.notify()

    def _run(self) -> None:
        if cache.read_intact(self._directory / cache.FILE):
            self._wait_for_ack("")  # the sensor's first, so that the server knows before the first long wait
        while True:
            try:
                self._acknowledge()
                self._ask()
            except (httpx.HTTPError, OSError, ValueError, InvalidInput) as error:
                time.sleep(self._backoff.failed(f"{self._url}: {error or type(error).__name__}"))

    # The connection is made anew when the certificate was renewed.
    def _open(self) -> None:
        known = credentials.load(self._directory)
        if known is None:
            raise InvalidInput(f"{self._directory} holds no certificate; enrol first")
        self._renewed = known.renew_after
        self._http = httpx.Client(base_url=self._url, verify=known.context(), timeout=_TIMEOUT_SECONDS, trust_env=False)

    def _ask(self) -> None:
        if datetime.datetime.now(datetime.UTC) > self._renewed:
            self._http.close()
            self._open()
        kept = cache.read_intact(self._directory / cache.FILE)  # what was tampered with comes again
        headers = {"If-None-Match": f'"{kept.label}"'} if kept else {}
        answer = self._http.get(POLICY_PATH, params={"wait": _WAIT_SECONDS}, headers=headers)
        if answer.status_code in {httpx.codes.NOT_MODIFIED, httpx.codes.NOT_FOUND}:  # nobody made one yet
            self._backoff.succeeded()
            time.sleep(_REST_SECONDS)
            return
        if not answer.is_success:
            self._refused(answer)
            return
        found = Delivered.model_validate_json(answer.content)
        policy = CachedPolicy(name=found.name, version=found.version, text=found.text)
        cache.write(self._directory, policy, runs=self._runs())
        self._backoff.succeeded()
        self._wait_for_ack(policy.label)

    def _wait_for_ack(self, label: str) -> None:
        with self._ack_changed:
            self._ack_changed.wait_for(lambda: self._ack and label in {"", _label(self._ack)}, _ACK_SECONDS)

    def _refused(self, answer: httpx.Response) -> None:
        time.sleep(self._backoff.failed(f"the server said {answer.status_code}: {credentials.error_detail(answer)}"))

    def _runs(self) -> str:
        with self._ack_changed:
            return _label(self._ack) if self._ack and not self._ack.error else ""

    def _acknowledge(self) -> None:
        with self._ack_changed:
            said = self._ack
        if said is None or said == self._sent_ack:
            return
        answer = self._http.put(POLICY_PATH, json=said.model_dump())
        if answer.is_success:
            self._sent_ack = said
        else:
            self._refused(answer)


def _label(ack: PolicyAck) -> str:
    return f"{ack.name}:{ack.version}"
