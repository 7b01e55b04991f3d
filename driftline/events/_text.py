"""Bytes from containers as text, without losing any."""

from __future__ import annotations

__all__ = ["raw", "text"]


def text(data: bytes) -> str:
    r"""Decode UTF-8; a byte that is none becomes ``\xNN``, and a backslash is doubled.

    So the text tells the bytes exactly (``raw`` gives them back), and is valid JSON and UTF-8
    whatever a container calls its files.
    """
    try:
        return data.decode() if b"\\" not in data else data.replace(b"\\", b"\\\\").decode()
    except UnicodeDecodeError:
        return data.replace(b"\\", b"\\\\").decode(errors="backslashreplace")


def raw(value: str) -> bytes:
    """Give back the bytes that ``text`` was made from."""
    parts = value.split("\\\\")
    return b"\\".join(_unescape(part) for part in parts)


def _unescape(part: str) -> bytes:
    first, *rest = part.split("\\x")
    return first.encode() + b"".join(bytes.fromhex(piece[:2]) + piece[2:].encode() for piece in rest)
