"""Values of an enumeration in a request: in any case, and with the nearest one named when unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

__all__ = ["any_case", "nearest"]


def any_case(literal: Any) -> BeforeValidator:
    """Return the validator of a ``Literal`` of texts, for ``Annotated``, that ignores case.

    Blanks, hyphens and underscores count as equal. Another value is refused with the expected ones.
    """
    values = {_plain(value): value for value in get_args(literal)}

    def validate(given: Any) -> Any:
        if not isinstance(given, str):
            return given  # refused by the Literal itself
        if not given:
            return None  # an empty filter, where none is allowed
        found = values.get(_plain(given))
        if found is None:
            told = {"names": ", ".join(values.values()), "given": repr(given), "hint": nearest(given, values.values())}
            raise PydanticCustomError("enumeration", "expected one of {names}; got {given}{hint}", told)
        return found

    return BeforeValidator(validate)


def nearest(given: str, names: Iterable[str]) -> str:
    """Return ``; did you mean NAME?`` for the nearest of some names; empty if none is near."""
    by_plain = {_plain(name): name for name in names}
    begun = [name for name in by_plain if _plain(given) and name.startswith(_plain(given))]
    close = begun or difflib.get_close_matches(_plain(given), by_plain, n=1)
    return f"; did you mean {by_plain[close[0]]}?" if close else ""


def _plain(text: str) -> str:
    return text.strip().casefold().replace("_", " ").replace("-", " ")
