"""The states of all sensors: changed in memory by every batch, and saved to the state database every few seconds."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from driftline.events import SensorHealth
from driftline.server.fleet import status
from driftline.server.fleet.status import Condition, SensorState, Thresholds
from driftline.server.pki import Identity
from driftline.server.state import State, sensors
from driftline.server.state.sensors import SensorRecord

__all__ = ["SensorStates"]

_ROWS_MAX = 1000


class SensorStates:
    """The states of the sensors that are not revoked. Thread-safe."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        with state.reading() as session:
            records = sensors.list_sensors(session)
        self._states = {it.identity.sensor: _loaded(it) for it in records if it.revoked is None}
        self._changed: set[str] = set()

    def record(
        self,
        identity: Identity,
        tables: Mapping[str, pa.Table],
        *,
        now: datetime.datetime,
        clock: datetime.datetime | None = None,
        version: str = "",
        refused: str = "",
    ) -> None:
        """Update the state of a sensor by a batch that was stored, or by one that was refused (without tables).

        ``now`` is the server's time and ``clock`` the sensor's, both UTC; ``None`` keeps the known clock skew.
        ``refused`` is the reason of a refusal, "" for a batch that was stored. Of the ``SensorHealth`` rows only the
        last thousand count, which bounds the time under the lock.
        """
        rows = _health(tables.get("SensorHealth"))
        with self._lock:
            state = self._states.get(identity.sensor) or status.new_state(identity)
            state = status.with_contact(state, now=now, clock=clock, version=version)
            state = status.with_refusal(state, refused, now=now) if refused else state
            self._states[identity.sensor] = status.with_rows(state, rows)
            self._changed.add(identity.sensor)

    def forget(self, sensor: str) -> None:
        """Remove a sensor that was revoked."""
        with self._lock:
            self._states.pop(sensor, None)
            self._changed.discard(sensor)

    def replace(self, identity: Identity) -> None:
        """Remove the other sensors of a node, which this one replaced: they are not silent but gone."""
        with self._lock:
            others = [
                state.sensor
                for state in self._states.values()
                if (state.cluster, state.node) == (identity.cluster, identity.node) and state.sensor != identity.sensor
            ]
        for sensor in others:
            self.forget(sensor)

    def states(self) -> list[SensorState]:
        """List the states by cluster and node."""
        with self._lock:
            return sorted(self._states.values(), key=lambda state: (state.cluster, state.node, state.sensor))

    def conditions(self, *, now: datetime.datetime, thresholds: Thresholds | None = None) -> Sequence[Condition]:
        """List the conditions of all sensors at ``now`` (UTC); without ``thresholds`` by the default ones."""
        return [found for state in self.states() for found in status.conditions(state, now=now, thresholds=thresholds)]

    def save(self) -> None:
        """Save the states that changed since the last call; raises ``StateError``."""
        # A batch that arrives while the states are written marks its sensor as changed again.
        with self._lock:
            changed = [self._states[sensor] for sensor in self._changed]
            self._changed.clear()
        reports = {it.sensor: (it.seen, msgspec.to_builtins(it)) for it in changed if it.seen}
        if reports:
            with self._state.writing() as session:
                sensors.save_reports(session, reports)


def _loaded(record: SensorRecord) -> SensorState:
    return msgspec.convert(record.report, SensorState) if record.report else status.new_state(record.identity)


def _health(rows: pa.Table | None) -> list[SensorHealth]:
    if rows is None:
        return []
    return [_row(values) for values in rows.slice(max(0, rows.num_rows - _ROWS_MAX)).to_pylist()]


def _row(values: dict[str, object]) -> SensorHealth:
    said = {name: value for name, value in values.items() if value is not None}
    bag = said.get("AdditionalFields")
    return SensorHealth(**said | {"AdditionalFields": msgspec.json.decode(bag) if isinstance(bag, str) else {}})  # type: ignore[arg-type] # the columns are of the record's types
