"""Lossless conversion between bytes from containers (paths, arguments) and text for hunting tables."""

from __future__ import annotations

__all__ = ["raw", "text"]


def text(data: bytes) -> str:
    r"""Decode UTF-8; other bytes become ``\xNN``, and a backslash is doubled.

    The text is valid UTF-8 and JSON for any bytes, and ``raw`` restores the bytes exactly.
    """
    # Nearly all texts have no backslash and are UTF-8: the fast path copies nothing else.
    try:
        return data.decode() if b"\\" not in data else data.replace(b"\\", b"\\\\").decode()
    except UnicodeDecodeError:
        return data.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


def raw(value: str) -> bytes:
    """Return the bytes that ``text`` converted. Raises ``ValueError`` for other texts with invalid escapes."""
    # Split at doubled backslashes first: all backslashes that remain begin an escape.
    parts = value.split("\\\\")
    return b"\\".join(_unescape(part) for part in parts)


def _unescape(part: str) -> bytes:
    first, *rest = part.split("\\x")
    return first.encode() + b"".join(bytes.fromhex(piece[:2]) + piece[2:].encode() for piece in rest)
