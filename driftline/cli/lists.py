"""``driftline lists``: lists that hunts read with ``_GetWatchlist`` and ``externaldata``."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from driftline import errors
from driftline.cli._shared import http_client

app = App(name="lists")


@app.command
def put(name: str, file: Path, *, search_key: str = "") -> None:
    """Upload a CSV file with a header as a list, in place of the list of this name.

    Hunts read it with _GetWatchlist('NAME') or externaldata (…) ["…/NAME.csv"]. Values are texts. For administrators.

    Parameters
    ----------
    name
        Name of the list.
    file
        CSV file in UTF-8.
    search_key
        Column that the column SearchKey repeats; the first one by default.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.InvalidInput(f"{file}: {error}") from error
    with http_client.connect() as client:
        made = client.call("PUT", f"/hunts/lists/{name}", body={"csv": text, "search_key": search_key})
    print(f"uploaded; hunts read it with _GetWatchlist('{made['name']}')")


@app.command
def remove(name: str) -> None:
    """Remove a list that you have uploaded."""
    with http_client.connect() as client:
        client.call("DELETE", f"/hunts/lists/{name}")
    print("removed")
