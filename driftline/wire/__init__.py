"""Batches of hunting-table rows between a sensor and its server: encode, decode, whose they are.

A batch is one zstd frame around Arrow IPC streams, one a table, one behind the other; the
metadata of each stream's schema names its table. Rows are numbered by their order in the body,
so ``first`` of a batch and the position say which row of the sensor's it is.

Pure: bytes in, Arrow tables out. ``decode`` is made for bytes from anybody.
"""

from driftline.wire.decode import Limits, decode
from driftline.wire.encode import encode, table
from driftline.wire.owner import check_owner
from driftline.wire.schema import SCHEMAS

__all__ = ["CONTENT_TYPE", "SCHEMAS", "Limits", "check_owner", "decode", "encode", "table"]

CONTENT_TYPE = "application/vnd.driftline.batch"
