"""Escaping of file names and other bytes from containers, for messages and terminals."""

from __future__ import annotations

__all__ = ["escape_unprintable", "printable"]

_MAX_LENGTH = 256


def printable(name: bytes, max_length: int = _MAX_LENGTH) -> str:
    r"""Return a name as one line of printable text.

    Printable UTF-8 stays as it is. Control characters, line ends, characters that change the writing
    direction, invisible characters and bytes that are not UTF-8 become escapes (``\n``, ``\u202e``,
    ``\xff``). A backslash and a backtick are escaped, too, so that different names look different and no
    name can imitate the text around it.

    A text of more than ``max_length`` characters is shortened in the middle, and its length in bytes is
    appended.
    """
    text = name.decode("utf-8", "surrogateescape")
    # Most names need no escapes: the common case is tested first.
    if not (text.isprintable() and "\\" not in text and "`" not in text):
        text = "".join(map(_escape, text))
    if len(text) <= max_length:
        return text
    half = max_length // 2
    return f"{text[:half]}…{text[-half:]} ({len(name)} bytes)"


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as decoded by surrogateescape (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    if char in "\\`":
        return f"\\{char}"
    return escape_unprintable(char)


def escape_unprintable(text: str) -> str:
    r"""Return a text with an escape (``\n``, ``\x1b``, ``\u202e``) in place of each unprintable character.

    The text can then not send control sequences to a terminal, span several lines or change the writing
    direction. Unlike ``printable`` it keeps backslashes, backticks and its full length.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
