"""Coverage-guided fuzzing of the compiler: no text may do worse than ``InvalidQuery``.

``python -m bench.fuzz_kql [SECONDS] [KEEP]``. Starts from the fixtures and the hunts of the
library, and writes the text that broke something into the folder KEEP. Texts are translated for
both dialects; what parses is printed, and printing what was printed gives
the same text. libFuzzer itself bounds the time and memory of one text.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["driftline.kql"]):
    from driftline import kql
    from driftline.kql.print import printer
from driftline import hunts
from driftline.errors import InvalidQuery

TYPES = ["long", "string", "datetime", "dynamic", "real", "bool", "timespan", "int", "guid", "decimal"]
SCHEMA = {
    "T": dict(zip("astdrbpigm", TYPES, strict=True)),
    "CloudProcessEvents": {"Timestamp": "datetime", "ProcessCommandLine": "string", "AdditionalFields": "dynamic"},
}
ROOT = Path(__file__).parents[1]
LONGEST = 2048  # longer texts only repeat what short ones find


def seeds() -> Iterator[str]:
    """Give the queries of all fixtures, of the corpus that must parse, and of the library's hunts."""
    for path in sorted((ROOT / "tests/kql/fixtures").rglob("*.kql")):
        for block in path.read_text().split("\n---\n"):
            yield block.partition("\n")[2].partition("\n=>\n")[0]
    for path in sorted((ROOT / "tests/kql/queries").glob("*.kql")):
        yield from path.read_text().split("\n---\n")
    yield from (hunt.query for hunt in hunts.load().values())


def translated(text: str) -> None:
    """Translate for both engines; raises what a text must not raise."""
    for dialect in ("duckdb", "clickhouse"):
        with contextlib.suppress(InvalidQuery):
            kql.compiled(text, SCHEMA, dialect)


def printed(text: str) -> None:
    """Print what parses; what was printed parses, and prints as itself."""
    try:
        once = printer.formatted(text)
    except InvalidQuery:
        return
    assert printer.formatted(once) == once, text


def one(data: bytes) -> None:
    """Do all that is done with a query's text."""
    text = data.decode("utf-8", "ignore")
    translated(text)
    printed(text)


def main(seconds: int, keep: str) -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, f"{number}").write_text(seed)
        bounds = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-rss_limit_mb=2048", "-timeout=10"]
        atheris.Setup([sys.argv[0], corpus, *bounds, f"-artifact_prefix={keep}/", "-verbosity=1"], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, sys.argv[2] if len(sys.argv) > 2 else ".")
