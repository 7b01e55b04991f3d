"""XML as Kusto's ``parse_xml`` returns it (https://learn.microsoft.com/kusto/query/parse-xml-function).

The documents are untrusted: size and depth are bounded, and document types refused.
"""

from __future__ import annotations

import json
from typing import Any
from xml.parsers import expat

__all__ = ["parse_xml"]

_MOST_BYTES = 1 << 20
"""Bytes of the longest document, in UTF-8."""
_DEEPEST = 100
"""Elements within each other."""


class _Refused(Exception):
    pass


class _Builder:
    """Builds the JSON value of a document from the events of a parser."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[dict[str, Any]] = [self.root]
        self._names: list[str] = []
        self._texts: list[str] = [""]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _DEEPEST:
            raise _Refused
        self._settle()
        self._open.append({f"@{key}": value for key, value in attributes.items()})
        self._names.append(name)
        self._texts.append("")

    def text(self, data: str) -> None:
        self._texts[-1] += data

    def end(self, _: str) -> None:
        value: Any = self._open[-1]
        if value:
            self._settle()
        else:
            value = self._texts[-1] if self._texts[-1].strip() else None
        self._open.pop()
        self._texts.pop()
        _add(self._open[-1], self._names.pop(), value)

    def doctype(self, *_: object) -> None:
        # A document type may define entities, whose expansion has no bound (the "billion laughs" attack).
        raise _Refused  # entities come with it, and what they expand to may be without end

    # Text beside elements and attributes gets the name ``#text``, in the place where it begins.
    def _settle(self) -> None:
        text = self._texts[-1].strip()
        if text:
            _add(self._open[-1], "#text", text)
        self._texts[-1] = ""


# The second element of a name turns its value into an array.
def _add(to: dict[str, Any], name: str, value: Any) -> None:
    if name not in to:
        to[name] = value
    elif isinstance(to[name], list):
        to[name].append(value)
    else:
        to[name] = [to[name], value]


def parse_xml(text: str | None) -> str | None:
    """Return a document as JSON text.

    None if it is not well-formed, longer than 1 MiB in UTF-8, deeper than 100 elements, or has a
    document type. Attributes have names with ``@``.
    """
    if text is None or len(text.encode()) > _MOST_BYTES:
        return None
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.text, builder.doctype
    parser.buffer_text = True
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, _Refused, UnicodeEncodeError):
        return None
    return json.dumps(builder.root, ensure_ascii=False, separators=(",", ":"))
