"""Coverage-guided fuzzing of the batch decoder: any input may raise ``InvalidBatch`` and nothing else.

``python -m bench.fuzz_wire [SECONDS]``. Starts from valid batches. Memory is bounded, so that a small
body that expands without limit is found as well.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris
import pyarrow as pa
import zstandard

with atheris.instrument_imports(include=["driftline.wire"]):
    from driftline import wire
from driftline.errors import InvalidBatch
from driftline.events import SensorHealth
from tests.wire import making

LIMITS = wire.Limits(decoded=1 << 20, rows=1000)


def decode(data: bytes) -> None:
    """Decode the bytes as a batch, and as the content of a zstd frame."""
    for body in (data, zstandard.compress(data)):
        try:
            tables = wire.decode(body, LIMITS)
        except InvalidBatch:
            continue
        for rows in tables.values():
            rows.validate(full=True)
            rows.to_pylist()


def main(seconds: int) -> None:
    """Fuzz for ``seconds``."""
    health = SensorHealth(Timestamp=making.NOW, ActionType="Heartbeat", AdditionalFields={"a": [1, {"b": None}]})
    valid = (making.events("a", "b"), {"SensorHealth": wire.table("SensorHealth", [health])})
    with tempfile.TemporaryDirectory() as corpus:
        for number, tables in enumerate(valid):
            body = wire.encode(tables)
            plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=1 << 20)
            Path(corpus, f"body-{number}").write_bytes(body)
            Path(corpus, f"plain-{number}").write_bytes(plain)
        pa.set_cpu_count(1)
        options = [f"-max_total_time={seconds}", "-max_len=16384", "-rss_limit_mb=1024", "-verbosity=1"]
        atheris.Setup([sys.argv[0], corpus, *options], decode)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
