"""A hunt in a process of its own: ``python -m driftline.store.query.sandbox``.

DuckDB counts neither the arrays nor the texts of the 2,048 values of a column it computes at once,
and hears that it shall stop only in between. Where values may grow (``rewrite.growth``) the system
keeps the limits therefore: a process cannot have more memory than it is given, and can be killed.

The process gets a job on its standard input, rows as Arrow streams in memory it inherits, and gives
its answer as an Arrow stream; what is wrong it says on standard error.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pyarrow as pa

from driftline import errors
from driftline.store.query.environment import Environment, open_environment
from driftline.store.query.limits import Limits, Stop, out_of_memory_message, run, run_in_time

__all__ = ["run_sandboxed"]

COMMAND = (sys.executable, "-P", "-m", "driftline.store.query.sandbox")
FAILED, REFUSED = 1, 3  # exit codes: Python's for an exception; an error of ours, in words
SLACK = 256 << 20
SLACK_SECONDS = 5


class Job(msgspec.Struct, frozen=True):
    """A hunt as it crosses; ``rows`` are file descriptors by the table's name."""

    sql: str
    limits: Limits
    rows: Mapping[str, int]
    views: Sequence[str]
    files: Sequence[str]


def run_sandboxed(environment: Environment, sql: str, limits: Limits, stop: Stop | None = None) -> pa.Table:
    """Run a hunt's SQL in a process of its own, and give its rows; raises ``StoreError``."""
    return run_in_time(lambda stop: _asked(environment, sql, limits, stop), limits, stop)


def _asked(environment: Environment, sql: str, limits: Limits, stop: Stop) -> pa.Table:
    with ExitStack() as stack:
        rows = {name: stack.enter_context(_handed(each)) for name, each in environment.rows.items()}
        said = stack.enter_context(tempfile.TemporaryFile())
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-hunt-"))
        job = Job(sql, limits, rows, environment.views, environment.files)
        process = stack.enter_context(_started(tuple(rows.values()), said.fileno(), scratch))
        with stop.on_stop(process.kill):
            answer = _answer(process, msgspec.msgpack.encode(job))
        if answer is None:
            said.seek(0)
            raise errors.StoreError(stop.reason or _reason(process.returncode, said.read().decode(), limits))
        return answer


@contextlib.contextmanager
def _handed(rows: pa.Table) -> Iterator[int]:
    memory = os.memfd_create("rows")
    try:
        with os.fdopen(os.dup(memory), "wb") as file, pa.ipc.new_stream(file, rows.schema) as stream:
            stream.write_table(rows)
        yield memory
    finally:
        os.close(memory)


@contextlib.contextmanager
def _started(inherited: tuple[int, ...], said: int, scratch: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        pass_fds=inherited,
        env=os.environ | {"TMPDIR": scratch},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


# None if it did not come to its end.
def _answer(process: subprocess.Popen[bytes], job: bytes) -> pa.Table | None:
    assert isinstance(process.stdin, io.IOBase) and isinstance(process.stdout, io.IOBase)
    answer = None
    with contextlib.suppress(OSError, pa.ArrowException), process.stdout as stdout:
        with process.stdin as stdin:
            stdin.write(job)
        with pa.ipc.open_stream(pa.PythonFile(stdout, "r")) as stream:
            answer = stream.read_all()
    return answer if process.wait() == 0 else None


def _reason(code: int, said: str, limits: Limits) -> str:
    if code == REFUSED:
        return said
    if code == FAILED and "MemoryError" not in said:
        return f"the hunt failed: {said.strip().splitlines()[-1]}"
    return out_of_memory_message(limits)


# The other side


def main() -> None:
    """Answer the job on standard input."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    try:
        answer = _answered(job)
    except errors.DriftlineError as error:
        sys.stderr.write(str(error))
        sys.exit(REFUSED)
    with os.fdopen(1, "wb", closefd=False) as stdout, pa.ipc.new_stream(stdout, answer.schema) as stream:
        stream.write_table(answer)


def _answered(job: Job) -> pa.Table:
    environment = Environment({name: _mapped(memory) for name, memory in job.rows.items()}, job.views, job.files)
    _bound(job.limits)
    with open_environment(environment, job.limits) as connection:
        return run(connection, job.sql, job.limits)


def _mapped(memory: int) -> pa.Table:
    return pa.ipc.open_stream(pa.memory_map(f"/proc/self/fd/{memory}")).read_all()


def _bound(limits: Limits) -> None:
    memory = _data_bytes() + SLACK + (limits.memory + limits.size << 20)
    seconds = int(limits.seconds * limits.threads) + SLACK_SECONDS
    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (most, most))


# What RLIMIT_DATA counts: private memory that may be written to.
def _data_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()
    return int(pages[5]) * resource.getpagesize()


if __name__ == "__main__":
    main()
