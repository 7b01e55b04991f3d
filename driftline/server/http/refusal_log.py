"""A log of refused senders that does not repeat itself.

A misconfigured sensor tries again every few seconds; without this its errors would fill the log.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from driftline.errors import DriftlineError

__all__ = ["RefusalLog"]

QUIET = datetime.timedelta(minutes=10)
_MAX_ENTRIES = 10_000  # bounds the memory that senders with ever new names can take
_log = logging.getLogger(__name__)


class RefusalLog:
    """Logs each reason of each sender once in ten minutes, with the number of repeats since. Thread-safe.

    ``now`` returns the present time in UTC.
    """

    def __init__(self, now: Callable[[], datetime.datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._logged: OrderedDict[tuple[str, str], tuple[datetime.datetime, int]] = OrderedDict()

    @contextlib.contextmanager
    def logging(self, sender: str) -> Iterator[None]:
        """Log a ``DriftlineError`` that leaves the block, and raise it again; other errors pass unlogged."""
        try:
            yield
        except DriftlineError as error:
            self.log(sender, str(error))
            raise

    def log(self, sender: str, reason: str) -> None:
        """Log a reason unless it was logged for this sender in the last ten minutes."""
        count = self._count((sender, reason[:80]))
        if count is not None:
            more = f" (and {count} times since it was last logged)" if count else ""
            _log.warning("%s was refused: %s%s", _printable(sender), _printable(reason), more)

    # Returns the number of repeats since the last log line, or None if the reason is not to be logged now.
    def _count(self, key: tuple[str, str]) -> int | None:
        now = self._now()
        with self._lock:
            logged, count = self._logged.get(key, (None, 0))
            if logged is not None and now - logged < QUIET:
                self._logged[key] = (logged, count + 1)
                return None
            self._logged[key] = (now, 0)
            while len(self._logged) > _MAX_ENTRIES:
                self._logged.popitem(last=False)
        return count


# Names and reasons come from the sender: escape line breaks, with which it could forge lines of the log.
def _printable(text: str) -> str:
    return text.encode("unicode_escape").decode()
