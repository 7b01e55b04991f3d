"""Subscription to the server's policy, in the shipping process.

One thread polls over mutual TLS (long poll), writes each new version to the cache that the sensor watches
(``policy/cache``), and acknowledges to the server whether the sensor has accepted it. The sensor's answer is read
from its own ``SensorHealth`` rows as they pass through this process:

1. Poll with the label of the cached policy; the server answers when it has another one.
2. Write the new version to the cache. The version that the sensor runs is kept as the last good one.
3. Wait for the sensor's row ``PolicyChanged`` or ``PolicyRefused`` about that version.
4. Acknowledge it to the server, with the error if it was refused; poll again.
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
"""Seconds that the server holds a poll while there is no new version."""
_TIMEOUT_SECONDS = 80.0
_ACK_SECONDS = 10.0
"""Seconds to wait for the sensor's row about a version."""
_REST_SECONDS = 0.1  # between polls, for a server that answers at once
_ERROR_MAX = 4096  # characters
_IS_REFUSAL = {"SensorStarted": False, "PolicyChanged": False, "PolicyRefused": True}
"""Action types of rows about a policy, and whether they mean that it was refused."""
_log = logging.getLogger(__name__)


class PolicySubscriber:
    """Subscriber to the server's policy, until the process ends."""

    def __init__(self, directory: Path, url: str) -> None:
        """Take the state directory and the server's URL; raises ``InvalidInput`` without a certificate."""
        self._directory = directory
        self._url = url
        self._ack: PolicyAck | None = None
        self._sent_ack: PolicyAck | None = None
        self._ack_changed = threading.Condition()
        self._backoff = Backoff(_log, failing="the policy in force stays", fine="the server gives policies again")
        self._open()

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="policy", daemon=True).start()

    def observe(self, row: SensorHealth) -> None:
        """Read a health row of the sensor: it may say which policy is in force. Any thread may call it."""
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
            self._wait_for_ack("")  # the server should know what is in force before the first long poll
        while True:
            try:
                self._acknowledge()
                self._poll()
            except (httpx.HTTPError, OSError, ValueError, InvalidInput) as error:
                time.sleep(self._backoff.failed(f"{self._url}: {error or type(error).__name__}"))

    # Called again when the certificate is due for renewal: the sender has renewed it on disk.
    def _open(self) -> None:
        known = credentials.load(self._directory)
        if known is None:
            raise InvalidInput(f"{self._directory} holds no certificate; enrol first")
        self._renewed = known.renew_after
        self._http = httpx.Client(base_url=self._url, verify=known.context(), timeout=_TIMEOUT_SECONDS, trust_env=False)

    # If-None-Match with the label of the cached version lets the server hold the answer (RFC 9110, section 13.1.2).
    def _poll(self) -> None:
        if datetime.datetime.now(datetime.UTC) > self._renewed:
            self._http.close()
            self._open()
        kept = cache.read_intact(self._directory / cache.FILE)  # without an intact one, the server sends it again
        headers = {"If-None-Match": f'"{kept.label}"'} if kept else {}
        answer = self._http.get(POLICY_PATH, params={"wait": _WAIT_SECONDS}, headers=headers)
        if answer.status_code in {httpx.codes.NOT_MODIFIED, httpx.codes.NOT_FOUND}:  # 404: the server has no policy yet
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
            ack = self._ack
        if ack is None or ack == self._sent_ack:
            return
        answer = self._http.put(POLICY_PATH, json=ack.model_dump())
        if answer.is_success:
            self._sent_ack = ack
        else:
            self._refused(answer)


def _label(ack: PolicyAck) -> str:
    return f"{ack.name}:{ack.version}"
