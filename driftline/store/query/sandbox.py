"""A hunt in a process of its own: ``python -m driftline.store.query.sandbox``.

DuckDB does not count the arrays and texts of the 2,048 values of a column that it computes at once,
and checks for interrupts only between such vectors. So where values may grow (``rewrite.growth``) the
operating system enforces the limits: RLIMIT_DATA and RLIMIT_CPU (setrlimit(2)) bound the process,
and SIGKILL ends it at once.

The process reads a job from standard input and rows as Arrow streams from memory files that it
inherits (memfd_create(2)). It writes its answer to standard output as an Arrow stream, and an
error's message to standard error.
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
FAILED, REFUSED = 1, 3  # exit codes: an exception, as Python has it; a DriftlineError, whose message is on stderr
# Beyond the hunt's own memory and time, for all else that the process does.
SLACK_BYTES = 256 << 20
SLACK_SECONDS = 5


class Job(msgspec.Struct, frozen=True):
    """A hunt on its way to the sandbox process."""

    sql: str
    """Statement in DuckDB's dialect."""
    limits: Limits
    """Limits of the hunt; the process enforces them together with its own resource limits."""
    rows: Mapping[str, int]
    """Inherited file descriptor by table name; each holds an Arrow IPC stream."""
    views: Sequence[str]
    """Statements that make the views which the SQL reads."""
    files: Sequence[str]
    """Paths that the views may read."""


def run_sandboxed(environment: Environment, sql: str, limits: Limits, stop: Stop | None = None) -> pa.Table:
    """Run a hunt's SQL in a process of its own, and return its rows.

    Raises ``StoreError`` when a limit is reached, the hunt is stopped, or the process fails.
    """
    return run_in_time(lambda stop: _run_process(environment, sql, limits, stop), limits, stop)


def _run_process(environment: Environment, sql: str, limits: Limits, stop: Stop) -> pa.Table:
    with ExitStack() as stack:
        rows = {name: stack.enter_context(_memory_file(table)) for name, table in environment.rows.items()}
        messages = stack.enter_context(tempfile.TemporaryFile())
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-hunt-"))
        job = Job(sql, limits, rows, environment.views, environment.files)
        process = stack.enter_context(_start(tuple(rows.values()), messages.fileno(), scratch))
        with stop.on_stop(process.kill):
            answer = _exchange(process, msgspec.msgpack.encode(job))
        if answer is None:
            messages.seek(0)
            message = _failure_message(process.returncode, messages.read().decode(), limits)
            raise errors.StoreError(stop.reason or message)
        return answer


@contextlib.contextmanager
def _memory_file(rows: pa.Table) -> Iterator[int]:
    memory = os.memfd_create("rows")
    try:
        with os.fdopen(os.dup(memory), "wb") as file, pa.ipc.new_stream(file, rows.schema) as stream:
            stream.write_table(rows)
        yield memory
    finally:
        os.close(memory)


# Temporary files go into a directory that this process removes: a killed process cannot.
@contextlib.contextmanager
def _start(inherited: tuple[int, ...], messages: int, scratch: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=messages,
        pass_fds=inherited,
        env=os.environ | {"TMPDIR": scratch},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


# None if the process failed or was killed; a broken pipe or a cut stream tells no more than its exit code does.
def _exchange(process: subprocess.Popen[bytes], job: bytes) -> pa.Table | None:
    assert isinstance(process.stdin, io.IOBase) and isinstance(process.stdout, io.IOBase)
    answer = None
    with contextlib.suppress(OSError, pa.ArrowException), process.stdout as stdout:
        with process.stdin as stdin:
            stdin.write(job)
        with pa.ipc.open_stream(pa.PythonFile(stdout, "r")) as stream:
            answer = stream.read_all()
    return answer if process.wait() == 0 else None


# A process that ends otherwise than by an exception most likely got no more memory: an allocation that fails in
# native code may abort the process without a message.
def _failure_message(code: int, message: str, limits: Limits) -> str:
    if code == REFUSED:
        return message
    if code == FAILED and "MemoryError" not in message:
        return f"the hunt failed: {message.strip().splitlines()[-1]}"
    return out_of_memory_message(limits)


# In the sandbox process


def main() -> None:
    """Run the job on standard input and write its rows to standard output."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    try:
        answer = _run_job(job)
    except errors.DriftlineError as error:
        sys.stderr.write(str(error))
        sys.exit(REFUSED)
    with os.fdopen(1, "wb", closefd=False) as stdout, pa.ipc.new_stream(stdout, answer.schema) as stream:
        stream.write_table(answer)


def _run_job(job: Job) -> pa.Table:
    rows = {name: _map_rows(memory) for name, memory in job.rows.items()}
    environment = Environment(rows, job.views, job.files)
    _set_resource_limits(job.limits)
    with open_environment(environment, job.limits) as connection:
        return run(connection, job.sql, job.limits)


def _map_rows(memory: int) -> pa.Table:
    return pa.ipc.open_stream(pa.memory_map(f"/proc/self/fd/{memory}")).read_all()


# What the process has already (Python, DuckDB, Arrow) does not count against the hunt's memory. The answer does
# not either, for ``Limits.size`` bounds it. CPU time is that of all threads together. No core dump: it would
# hold rows.
def _set_resource_limits(limits: Limits) -> None:
    memory = _data_bytes() + SLACK_BYTES + (limits.memory + limits.size << 20)
    seconds = int(limits.seconds * limits.threads) + SLACK_SECONDS
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))


# The bytes that RLIMIT_DATA counts: private writable memory. Field 6 of statm is data + stack, in pages (proc(5)).
def _data_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()
    return int(pages[5]) * resource.getpagesize()


if __name__ == "__main__":
    main()
