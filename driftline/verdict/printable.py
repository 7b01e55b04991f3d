"""Names from a container, made safe to show."""

from __future__ import annotations

__all__ = ["printable"]

_LONGEST = 256


def printable(name: bytes, longest: int = _LONGEST) -> str:
    r"""Give a name as one line of plain text, of about ``longest`` characters at most.

    Printable UTF-8 stays as it is. Control characters, line ends, marks that turn the writing
    direction, invisible characters and bytes that are no UTF-8 become escapes (``\n``,
    ``\u202e``, ``\xff``), a backslash and a backtick too, so that no name can pose as other
    text or as another name.
    """
    text = name.decode("utf-8", "surrogateescape")
    if not (text.isprintable() and "\\" not in text and "`" not in text):
        text = "".join(map(_escape, text))
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}…{text[-half:]} ({len(name)} bytes)"


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as surrogateescape carries it
        return f"\\x{code - 0xDC00:02x}"
    if char in "\\`":
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
