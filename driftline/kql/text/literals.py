"""Constants as KQL text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

__all__ = ["literal", "string"]

UNIT = re.compile(r"\d+(?:\.\d+)?(?:d|h|m|s|ms)")
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
TO_ESCAPE = re.compile(r'[\\"\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]')


def string(text: str) -> str:
    """Write a string constant; a verbatim one if that spares it its backslashes."""
    if "\\" in text and not TO_ESCAPE.search(text.replace("\\", "")):
        return f'@"{text}"'
    return '"' + TO_ESCAPE.sub(lambda match: ESCAPES.get(match[0], f"\\u{ord(match[0]):04x}"), text) + '"'


def literal(kind: str, value: Any) -> str:
    """Write a constant of the syntax tree."""
    if kind == "dynamic":
        return f"dynamic({_json(value)})"
    if value is None:
        return f"{kind}(null)"
    return FORMS[kind](value) if kind in FORMS else _worded(kind, value)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _long(value: int) -> str:
    return str(value) if value >= 0 else f"long({value})"


def _real(value: float) -> str:
    special = _special(value)
    return f"real({special or value})" if special or math.copysign(1, value) < 0 else repr(value)


def _special(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "" if math.isfinite(value) else "inf" if value > 0 else "-inf"


def _timespan(text: str) -> str:
    return text if UNIT.fullmatch(text) else _worded("timespan", text)


# The lexer cuts space, then quotes, from what stands in the brackets.
def _worded(kind: str, text: str) -> str:
    return f'{kind}("{text}")' if text != text.strip() or text == "null" else f"{kind}({text})"


FORMS: dict[str, Callable[[Any], str]] = {
    "bool": _bool,
    "int": lambda value: f"int({value})",
    "long": _long,
    "real": _real,
    "decimal": lambda value: f"decimal({_special(value) or repr(value)})",
    "timespan": _timespan,
    "string": string,
}


def _json(value: Any) -> str:
    if value is None:
        return "null"
    kind, inner = value
    if kind == "array":
        return f"[{', '.join(map(_json, inner))}]"
    if kind == "bag":
        return f"{{{', '.join(f'{string(name)}: {_json(each)}' for name, each in inner)}}}"
    if kind in {"long", "real"} and inner is not None and math.isfinite(inner):
        return repr(inner)
    return literal(kind, inner)
