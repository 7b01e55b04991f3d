"""Format of the server's log: text lines, or one JSON object a line."""

from __future__ import annotations

import datetime
import json
import logging

__all__ = ["configure"]


class JsonFormatter(logging.Formatter):
    """A formatter that writes a record as one JSON object, with the time in UTC to the millisecond."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        fields = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


_REPEATING = ("asyncio", "uvicorn.error", "driftline.server.http.listener")
"""Loggers whose messages clients can cause at will."""


class Once(logging.Filter):
    """Lets each message pass once a minute, with the number of its repeats."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.msg)[:200]
        passed, repeats = self._passed.get(text, (float("-inf"), 0))
        if record.created - passed < _QUIET_SECONDS:
            self._passed[text] = (passed, repeats + 1)
            return False
        if len(self._passed) >= _MOST_TEXTS:
            self._passed.clear()
        self._passed[text] = (record.created, 0)
        if repeats:
            record.msg = f"{record.msg} (and {repeats} times since it was last logged)"
        return True


_QUIET_SECONDS = 60.0
_MOST_TEXTS = 1000


def configure(level: str, style: str) -> None:
    """Log to standard error, records of ``level`` and above.

    ``level`` is a name of ``logging`` such as ``INFO``; ``style`` is ``text`` or ``json``. Replaces the handlers
    that the root logger has.
    """
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s driftline: %(levelname)s: %(message)s")
    handler.setFormatter(JsonFormatter() if style == "json" else plain)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # At INFO, uvicorn logs its start and stop, which the server logs in its own words.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    for name in _REPEATING:
        logging.getLogger(name).addFilter(Once())
