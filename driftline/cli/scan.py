"""``driftline scan``: differences between the files of running containers and their images."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

from driftline import cluster
from driftline.cli._shared import file_writers, line_table
from driftline.cli._shared.file_writers import Writers
from driftline.cli._shared.options import DEFAULT_IMAGES, DEFAULT_STORE, Flag, Images, NodeRuntime
from driftline.errors import DriftlineError, InvalidInput, InvalidReference
from driftline.events import Container, text
from driftline.image import Entry, capabilities_text
from driftline.printable import printable
from driftline.sensor.scan import compare as scans
from driftline.sensor.scan.findings import Change, Finding, Times
from driftline.sensor.verdicts.indexes import ImageIndexes

app = App(
    name="scan",
    help_epilogue="Needs root; give a container or --all. Exit codes: 0 if all containers were scanned, 1 if a "
    "container could not be scanned, 3 with --fail-on-findings if any file differs.",
)

ScannedStore = Annotated[
    Path,
    Parameter(
        env_var="DRIFTLINE_STORE",
        help="Directory of the event store of this node's sensor, which knows who wrote a file that ran. It may be "
        "missing.",
    ),
]

_EXIT_FINDINGS = 3
_MAX_PATH_LENGTH = 1 << 16  # more than a path of 4,096 bytes (PATH_MAX) whose bytes are all escaped
_MAX_PIDS = 3
_Row = tuple[Text, Text, Text]
_STYLES = {
    Change.ADDED: "bold red",
    Change.MODIFIED: "bold red",
    Change.KIND: "red",
    Change.DELETED: "yellow",
    Change.UNVERIFIED: "magenta",
}


@app.default
def scan(
    container: str = "",
    *,
    all_containers: Annotated[Flag, Parameter(name="--all")] = False,
    executables: Flag = False,
    fail_on_findings: Flag = False,
    output: Literal["table", "json"] = "table",
    runtime: NodeRuntime = "",
    images: Images = DEFAULT_IMAGES,
    store: ScannedStore = DEFAULT_STORE,
) -> None:
    """List the files that differ from the image, and which of them run now; needs root.

    A file is added, modified or deleted, or has another mode, owner or capabilities.

    Parameters
    ----------
    container
        Container to scan: the start of its id, POD, POD/CONTAINER or NAMESPACE/POD/CONTAINER.
    all_containers
        Scan all running containers.
    executables
        Show only files that can be executed: programs, libraries and scripts.
    fail_on_findings
        Exit with code 3 if any file differs.
    output
        Output format: table for people, json for one object a line.
    """
    if bool(container) == all_containers:
        raise InvalidInput("expected either a container or --all")
    with closing(cluster.Runtime(runtime)) as node, closing(ImageIndexes(images)) as indexes:
        chosen = _choose(node.containers(), container)
        outcomes = [_scan_one(one, indexes, store=store, executables=executables, output=output) for one in chosen]
    if None in outcomes:
        sys.exit(1)
    if fail_on_findings and any(outcomes):
        sys.exit(_EXIT_FINDINGS)


# A name must match exactly one container; pods often have several, and their names repeat in other namespaces.
def _choose(running: Sequence[Container], wanted: str) -> Sequence[Container]:
    # A pod's sandbox (pause container) runs no program of the user.
    candidates = [container for container in running if not container.sandbox]
    if not wanted:
        return candidates
    found = [container for container in candidates if _has_name(container, wanted)]
    if len(found) == 1:
        return found
    names = ", ".join(_name(container) for container in found or candidates) or "none"
    problem = "names more than one container" if found else "names no running container; there are"
    raise InvalidReference(f"{wanted!r} {problem}: {names}")


def _has_name(container: Container, wanted: str) -> bool:
    full = (container.namespace, container.pod, container.name)
    return container.id.startswith(wanted) or wanted in (
        container.pod,
        "/".join(full[1:]),
        "/".join(full),
    )


def _name(container: Container) -> str:
    parts = (container.namespace, container.pod, container.name)
    return f"{'/'.join(filter(None, parts)) or 'container'} ({container.id[:12]})"


# Returns the number of findings; None if the container could not be scanned, so that the others still are.
def _scan_one(
    container: Container, indexes: ImageIndexes, *, store: Path, executables: bool, output: str
) -> int | None:
    try:
        found = _findings(container, indexes, executables=executables)
        writers = file_writers.read_writers(store, container.id)
        return (_print_json if output == "json" else _print_table)(container, found, writers)
    except DriftlineError as error:
        print(f"driftline: error: {_name(container)}: {error}", file=sys.stderr)
        return None


# A finding that is executable matters for drift; other files are shown unless --executables is given.
def _findings(container: Container, indexes: ImageIndexes, *, executables: bool) -> Iterator[Finding]:
    index = indexes.of(container).result()
    for finding in scans.scan(container, index):
        if finding.is_executable or not executables:
            yield finding


def _print_json(container: Container, findings: Iterator[Finding], writers: Writers) -> int:
    place = {
        "container": container.id,
        "namespace": container.namespace,
        "pod": container.pod,
        "name": container.name,
        "image": container.image,
        "image_digest": container.image_digest,
    }
    count = 0
    for count, finding in enumerate(findings, 1):  # noqa: B007  # the last count is the result
        writer = file_writers.writer_facts(_writer(finding, writers))
        print(json.dumps(place | _facts(finding) | {"writer": writer}))
    return count


def _facts(finding: Finding) -> dict[str, Any]:
    return {
        "path": _text(finding.path),
        "changes": [str(change) for change in finding.changes],
        "running": bool(finding.pids),
        "pids": list(finding.pids),
        "executable": finding.is_executable,
        "derived": finding.is_derived,
        "content": str(finding.content) if finding.content is not None else "",
        "note": finding.note,
        **_times(finding.times),
        "before": _entry_facts(finding.before),
        "after": _entry_facts(finding.after),
    }


# The event must be of the same bytes: a file can have been written again since.
def _writer(finding: Finding, writers: Writers) -> Mapping[str, Any] | None:
    return writers.get((text(finding.path), finding.after.sha256)) if finding.after else None


# The kernel's names of the times (inode(7)); whole microseconds are what ISO 8601 readers take.
def _times(times: Times | None) -> dict[str, str | None]:
    found = times or Times(0, 0)
    return {"mtime": _utc(found.mtime_ns), "ctime": _utc(found.ctime_ns), "btime": _utc(found.birth_ns)}


# The owner may have set a time that no calendar has.
def _utc(ns: int) -> str | None:
    try:
        time = datetime.datetime.fromtimestamp(ns // 10**9, datetime.UTC) if ns else None
    except (ValueError, OverflowError, OSError):
        return None
    return time.replace(microsecond=ns // 1000 % 10**6).isoformat() if time else None


def _entry_facts(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    facts = {"kind": str(entry.kind), "mode": f"{entry.mode:04o}", "uid": entry.uid, "gid": entry.gid}
    content = {"size": entry.size, "sha256": entry.sha256} if entry.sha256 else {}
    content |= {"capabilities": capabilities_text(entry.capabilities)} if entry.capabilities else {}
    return facts | content | ({"target": _text(entry.target)} if entry.target else {})


def _print_table(container: Container, findings: Iterator[Finding], writers: Writers) -> int:
    rows: tuple[list[_Row], list[_Row]] = [], []
    for finding in findings:
        what = ", ".join(filter(None, (_what(finding), file_writers.writer_text(_writer(finding, writers)))))
        rows[finding.is_derived].append((_changes(finding), Text(_text(finding.path)), Text(what)))
    count = len(rows[0]) + len(rows[1])
    title = f"{_name(container)} of {container.image or 'an image without a name'}"
    how_many = f"paths that differ: {count}" if count else "nothing differs from its image"
    _print_rows(f"{printable(title.encode())}: {how_many}", rows[0])
    if rows[1]:
        _print_rows(f"bytecode that Python derived from unchanged sources of the image: {len(rows[1])}", rows[1])
    return count


def _print_rows(title: str, rows: Sequence[_Row]) -> None:
    Console(highlight=False, soft_wrap=True).print(Text(title))
    if rows:
        line_table.print_table(("change", "path", "what"), rows)


def _changes(finding: Finding) -> Text:
    # Only executables are coloured.
    style = _STYLES.get(finding.changes[0], "") if finding.is_executable else ""
    return Text(", ".join(str(change) for change in finding.changes), style=style)


def _what(finding: Finding) -> str:
    before, after = finding.before, finding.after
    parts = [_runs(finding.pids), "executable" if finding.is_executable else ""]
    if before and after and Change.DELETED not in finding.changes:
        pairs = {Change.KIND: (before.kind, after.kind), Change.MODE: (f"{before.mode:04o}", f"{after.mode:04o}")}
        pairs[Change.OWNER] = (f"{before.uid}:{before.gid}", f"{after.uid}:{after.gid}")
        pairs[Change.CAPABILITIES] = (_capabilities(before), _capabilities(after))
        parts += [f"{old} → {new}" for change, (old, new) in pairs.items() if change in finding.changes]
    else:
        entry = after or before
        parts.append(str(entry.kind) if entry else "")
        parts.append(capabilities_text(entry.capabilities) if entry else "")
    # The ctime is shown, since no program in the container can set it.
    parts.append(f"changed {(_utc(finding.times.ctime_ns) or '')[:19]}Z" if finding.times else "")
    return ", ".join(filter(None, (*parts, finding.note)))


def _capabilities(entry: Entry) -> str:
    return capabilities_text(entry.capabilities) or "no capabilities"


# A worker pool can have thousands of processes.
def _runs(pids: Sequence[int]) -> str:
    if not pids:
        return ""
    more = f" and {len(pids) - _MAX_PIDS} more" if len(pids) > _MAX_PIDS else ""
    return f"runs now (process {' '.join(map(str, pids[:_MAX_PIDS]))}{more})"


def _text(raw: bytes) -> str:
    return printable(raw, _MAX_PATH_LENGTH)
