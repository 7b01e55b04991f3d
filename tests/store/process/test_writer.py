"""The sender's side of the store with processes that end in unusual ways."""

from __future__ import annotations

import sys
from pathlib import Path

from driftline.store.process.writer import Writer

# Reports that nothing is stored. The first run closes its output and reads on, as the kernel may close the files of
# a killed process; the next one confirms each line.
PROCESS = r"""
import os, sys
first = not os.path.exists(sys.argv[1])
open(sys.argv[1], "a").close()
os.write(1, (0).to_bytes(8, "little"))
if first:
    os.close(1)
    while os.read(0, 65536):
        pass
count = 0
while chunk := os.read(0, 65536):
    count += chunk.count(b"\n")
    os.write(1, count.to_bytes(8, "little"))
"""


def test_lines_to_a_process_that_closed_its_output_are_sent_again(tmp_path: Path) -> None:
    writer = Writer((sys.executable, "-c", PROCESS, str(tmp_path / "started")), name="a process")
    writer._acks.join()
    writer.write([b"a\n", b"b\n"])
    writer.close()

    assert writer.lost == 0
