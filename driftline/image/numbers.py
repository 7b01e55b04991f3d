"""Numbers as tar headers write them: octal, GNU's base-256, and decimal in PAX records."""

from __future__ import annotations

from driftline import errors

__all__ = ["decimal", "octal"]


def octal(field: bytes, what: str = "sparse map") -> int:
    """Read a header field: octal digits, or base-256 when the first byte has its top bit set.

    Raises ``CorruptImage`` for anything else, for negative numbers and for 2**63 and above.
    """
    if field[0] & 0x80:
        return _base_256(field, what)
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise errors.CorruptImage(f"not an octal number in the field {what!r}: {field!r}")
    return int(digits, 8)


def decimal(text: bytes) -> int:
    """Read a number of a PAX record; raises ``CorruptImage`` for anything but 1 to 18 digits."""
    if not text.isdigit() or len(text) > 18:
        raise errors.CorruptImage(f"not a decimal number in an extended header: {text[:40]!r}")
    return int(text)


def _base_256(field: bytes, what: str) -> int:
    # 0x80 begins a positive number; the next bit is the sign.
    value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    if field[0] & 0x40 or value >= 1 << 63:
        raise errors.CorruptImage(f"a negative or huge number in the field {what!r}: {field!r}")
    return value
