"""Composition and check of hunts with saved hunts, as tasks for the process that translates hunts.

A user may save hundreds of hunts that refer to each other, of 64 KiB each: reading them takes seconds, which the
server must not spend in its own process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from driftline.hunts import functions
from driftline.hunts.functions import SavedHunt
from driftline.store.query.translation import Checked, CompiledHunt, Composed, Rows

__all__ = ["Check", "Composition"]


class Composition(msgspec.Struct, frozen=True):
    """A hunt to compose with the saved hunts that it may use, by name."""

    text: str
    saved: Mapping[str, SavedHunt]

    def answer(self, _: Callable[[CompiledHunt], Rows]) -> Composed:
        """Put the saved hunts to which the hunt refers before its text; raises ``InvalidQuery``."""
        whole = functions.compose(self.text, self.saved)
        return Composed(whole.text, whole.starts)


class Check(msgspec.Struct, frozen=True):
    """A hunt to validate before it is saved, and the saved hunts that it may use, by name."""

    new: SavedHunt
    others: Mapping[str, SavedHunt]

    def answer(self, _: Callable[[CompiledHunt], Rows]) -> Checked:
        """Validate the hunt; raises ``InvalidInput`` and ``InvalidQuery``."""
        functions.check(self.new, self.others)
        return Checked()
