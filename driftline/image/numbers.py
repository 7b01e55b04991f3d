"""Numbers in tar headers: octal, GNU base-256, and decimal in PAX records."""

from __future__ import annotations

from driftline import errors

__all__ = ["decimal", "octal"]


def octal(field: bytes, label: str = "sparse map") -> int:
    """Read a numeric header field: octal digits, or base-256 if its first byte has the top bit set.

    ``field`` is the raw field; ``label`` names it in error messages. An empty field is 0, as in
    GNU tar. Raises ``CorruptImage`` for any other text, for negative numbers and for numbers of
    2**63 or more.
    """
    if field[0] & 0x80:
        return _base_256(field, label)
    # POSIX ends a field with a space or NUL; old writers pad with leading spaces as well.
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise errors.CorruptImage(f"not an octal number in the field {label!r}: {field!r}")
    return int(digits, 8)


def decimal(text: bytes) -> int:
    """Read a decimal number of a PAX record (pax(1), "pax Extended Header").

    Raises ``CorruptImage`` unless the text is 1 to 18 digits, which always fit into 63 bits.
    """
    if not text.isdigit() or len(text) > 18:
        raise errors.CorruptImage(f"not a decimal number in an extended header: {text[:40]!r}")
    return int(text)


def _base_256(field: bytes, label: str) -> int:
    # GNU tar manual, "Extensions to the archive format": a big-endian two's complement number
    # whose first byte has the marker bit 0x80; the next bit is the sign.
    value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    if field[0] & 0x40 or value >= 1 << 63:
        raise errors.CorruptImage(f"a negative or huge number in the field {label!r}: {field!r}")
    return value
