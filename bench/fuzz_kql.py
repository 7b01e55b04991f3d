"""Coverage-guided fuzzing of the KQL compiler: any text may raise ``InvalidQuery`` and nothing else.

``python -m bench.fuzz_kql [SECONDS] [KEEP]``. Starts from the test fixtures and the library's hunts,
and writes a text that fails into the folder KEEP. Each text is translated for both dialects; a text
that parses is printed, and printing the result again must give the same text. libFuzzer bounds the
time and memory of one text.
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
MAX_BYTES = 2048  # longer texts find the same failures, more slowly


def seeds() -> Iterator[str]:
    """Yield the queries of all fixtures, of the corpus that must parse, and of the library's hunts."""
    for path in sorted((ROOT / "tests/kql/fixtures").rglob("*.kql")):
        for block in path.read_text().split("\n---\n"):
            yield block.partition("\n")[2].partition("\n=>\n")[0]
    for path in sorted((ROOT / "tests/kql/queries").glob("*.kql")):
        yield from path.read_text().split("\n---\n")
    yield from (hunt.query for hunt in hunts.load().values())


def translated(text: str) -> None:
    """Translate for both dialects; ``InvalidQuery`` is the only expected error."""
    for dialect in ("duckdb", "clickhouse"):
        with contextlib.suppress(InvalidQuery):
            kql.compiled(text, SCHEMA, dialect)


def printed(text: str) -> None:
    """Print a text that parses; the result must parse and print as itself."""
    try:
        once = printer.formatted(text)
    except InvalidQuery:
        return
    assert printer.formatted(once) == once, text


def one(data: bytes) -> None:
    """Run all checks on one text."""
    text = data.decode("utf-8", "ignore")
    translated(text)
    printed(text)


def main(seconds: int, keep: str) -> None:
    """Fuzz for ``seconds`` and write a text that fails into the folder ``keep``."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, f"{number}").write_text(seed)
        bounds = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-rss_limit_mb=2048", "-timeout=10"]
        atheris.Setup([sys.argv[0], corpus, *bounds, f"-artifact_prefix={keep}/", "-verbosity=1"], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, sys.argv[2] if len(sys.argv) > 2 else ".")
