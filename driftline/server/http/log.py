"""The server's log: lines for people, or a JSON object a line."""

from __future__ import annotations

import datetime
import json
import logging

__all__ = ["configure"]


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        told = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def configure(level: str, style: str) -> None:
    """Log to standard error from ``level`` on; ``style`` is ``text`` or ``json``."""
    handler = logging.StreamHandler()
    plain = logging.Formatter("%(asctime)s driftline: %(levelname)s: %(message)s")
    handler.setFormatter(JsonFormatter() if style == "json" else plain)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
