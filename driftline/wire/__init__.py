"""Batches of hunting-table rows that a sensor sends to its server: encoding, decoding, ownership.

A batch is one zstd frame that contains Arrow IPC streams, one for each table, one after the other;
the metadata of each stream's schema names its table. Rows are numbered by their order in the
batch: the header ``Driftline-First`` is the number of the first row.

No I/O: bytes in, Arrow tables out. ``decode`` accepts untrusted bytes.
"""

from driftline.wire.decode import Limits, decode
from driftline.wire.encode import encode, table
from driftline.wire.owner import check_owner
from driftline.wire.schema import SCHEMAS

__all__ = ["CONTENT_TYPE", "SCHEMAS", "Limits", "check_owner", "decode", "encode", "table"]

CONTENT_TYPE = "application/vnd.driftline.batch"
"""Media type of a batch, for the header ``Content-Type``."""
