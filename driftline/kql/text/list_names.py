"""Names of lists: the table that ``_GetWatchlist('name')`` and ``externaldata (…) ["…/name.csv"]`` mean.

An administrator uploads a list, or a hunt over files is given one, under a plain name; no hunt reads an address.
"""

from __future__ import annotations

import re

__all__ = ["list_name"]

STEM = re.compile(r"(?:.*/)?([^/?#]*?)(?:\.(?:csv|tsv|txt|json|jsonl|gz|zip|parquet))*(?:[?#].*)?", re.DOTALL)


def list_name(text: str) -> str:
    """Return the name of the table for a list's name or address: ``https://example.com/a-b.csv`` is ``a_b``."""
    found = STEM.fullmatch(text)
    name = re.sub(r"\W", "_", found[1] if found else text, flags=re.ASCII)
    return f"_{name}" if name[:1].isdigit() else name
