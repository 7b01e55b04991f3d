"""What is refused again and again is logged once, not a thousand times."""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from driftline.errors import DriftlineError

__all__ = ["Complaints"]

QUIET = datetime.timedelta(minutes=10)
_KEPT = 10_000
_log = logging.getLogger(__name__)


class Complaints:
    """Logs each reason of each sender, then is quiet about it for ten minutes. Any thread may use it."""

    def __init__(self, now: Callable[[], datetime.datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str], tuple[datetime.datetime, int]] = OrderedDict()

    @contextlib.contextmanager
    def of(self, sender: str) -> Iterator[None]:
        """Log our errors that leave the block."""
        try:
            yield
        except DriftlineError as error:
            self.tell(sender, str(error))
            raise

    def tell(self, sender: str, reason: str) -> None:
        """Log a reason unless that was done a little while ago."""
        count = self._count((sender, reason[:80]))
        if count is not None:
            more = f" (and {count} times since it was told last)" if count else ""
            _log.warning("%s was refused: %s%s", _printable(sender), _printable(reason), more)

    # How often it came since it was told, or None if it should not be told now.
    def _count(self, key: tuple[str, str]) -> int | None:
        now = self._now()
        with self._lock:
            told, count = self._told.get(key, (None, 0))
            if told is not None and now - told < QUIET:
                self._told[key] = (told, count + 1)
                return None
            self._told[key] = (now, 0)
            while len(self._told) > _KEPT:
                self._told.popitem(last=False)
        return count


# What a sender named must not begin lines of its own in the log.
def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode()
