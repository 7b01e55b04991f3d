r"""The forms of a stored text in which a hunt may compare it.

A JSON document is compared as it is stored, or rewritten with characters in place of ``\uXXXX``
escapes; the text of a property has no escapes at all. A few letters beyond ASCII become ASCII letters
when their case is changed or ignored.

A term must be in the index in every form, or a hunt for it would skip its row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["text_forms"]

# Letters beyond ASCII with an ASCII letter as their other case: I with dot, dotless i, long s, the Kelvin sign
# (https://www.unicode.org/Public/UCD/latest/ucd/CaseFolding.txt).
_FOLDED = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ANY_ESCAPE = r"(?s)\\(?:u[0-9A-Fa-f]{4}|.)"
# Escapes of ASCII letters and digits, and of the letters above.
_LETTER_ESCAPE = r"(?i)\\u(?:003[0-9]|004[1-9a-f]|005[0-9a]|006[1-9a-f]|007[0-9a]|013[01]|017f|212a)"


def text_forms(column: pa.Array[Any]) -> Iterator[pa.Array[Any]]:
    """Yield the distinct texts of a column, in each of their forms.

    ``column`` is a dictionary-encoded column of texts, or a column of JSON. Each array is ``pa.string``.
    """
    if isinstance(column, pa.DictionaryArray):
        yield _folded(column.dictionary)
        return
    documents = column.cast(pa.string()).dictionary_encode().dictionary
    for form in (documents, *_unescaped(documents)):
        yield _folded(form)


# An escape that writes no letter or digit separates terms, as a space does. Where letters are escaped they are decoded,
# and the other escapes kept in one form and made spaces in another.
def _unescaped(documents: pa.Array[Any]) -> Iterator[pa.Array[Any]]:
    escaped = documents.filter(pc.match_substring(documents, "\\"))
    if len(escaped):
        yield pc.replace_substring_regex(escaped, _ANY_ESCAPE, " ")
    odd = escaped.filter(pc.match_substring_regex(escaped, _LETTER_ESCAPE)).to_pylist()
    if odd:
        yield pa.array([_ESCAPE.sub(lambda found: _letter(found[0], found[0]), str(text)) for text in odd], pa.string())
        yield pa.array([_ESCAPE.sub(lambda found: _letter(found[0], " "), str(text)) for text in odd], pa.string())


def _letter(escape: str, other: str) -> str:
    return bytes(escape, "ascii").decode("unicode_escape") if re.fullmatch(_LETTER_ESCAPE, escape) else other


def _folded(texts: pa.Array[Any]) -> pa.Array[Any]:
    if pc.all(pc.string_is_ascii(texts)).as_py():
        return texts
    for letter, plain in _FOLDED.items():
        texts = pc.replace_substring(texts, letter, plain)
    return texts
