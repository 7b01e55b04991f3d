"""Coverage-guided fuzzing of the KQL compiler: no text may do worse than ``InvalidQuery``.

``python -m bench.fuzz_kql [SECONDS]``. Starts from the fixtures' queries and the library's hunts,
and compiles for both engines; what parses is printed, and must mean the same then.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["driftline.kql"]):
    from driftline import kql
    from driftline.kql import functions, manual, printer
from driftline import hunts
from driftline.errors import InvalidQuery
from driftline.events import TABLES
from tests.kql.test_fixtures import CASES

SCHEMA = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}
WORDS = [*functions.FUNCTIONS, *functions.AGGREGATES, *manual.FORMS, *manual.SOURCE_FORMS, *manual.PLUGIN_FORMS]


def compile_text(data: bytes) -> None:
    """Compile the text the bytes say; if it is KQL, its printed form must give the same SQL."""
    text = data.decode(errors="replace")
    try:
        plain = {dialect: kql.compiled(text, SCHEMA, dialect).sql for dialect in ("duckdb", "clickhouse")}
    except InvalidQuery:
        return
    printed = printer.formatted(text)
    again = {dialect: kql.compiled(printed, SCHEMA, dialect).sql for dialect in plain}
    assert again == plain, printed


def mutate(data: bytes, size: int, seed: int) -> bytes:
    """Exchange words of the language, or let the fuzzer's own mutations work."""
    chance = random.Random(seed)
    words = data.decode(errors="replace").split(" ")
    if chance.random() < 0.5:
        return bytes(atheris.Mutate(data, size))
    place = chance.randrange(len(words))
    words[place : place + chance.randrange(2)] = [chance.choice([*WORDS, *words])]
    return " ".join(words).encode()[:size]


def main(seconds: int) -> None:
    queries = [case[1] for case in CASES] + [hunt.query for hunt in hunts.load().values()]
    with tempfile.TemporaryDirectory() as corpus:
        for number, query in enumerate(queries):
            Path(corpus, str(number)).write_text(query)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=2048", "-timeout=20", "-verbosity=1"]
        atheris.Setup([sys.argv[0], corpus, *options], compile_text, custom_mutator=mutate)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
