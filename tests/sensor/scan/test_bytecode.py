"""Python's bytecode, written by a real import on a real overlay."""

import os
import py_compile
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.events import Container
from driftline.image import ImageIndex
from driftline.sensor.scan.bytecode import source_path
from driftline.sensor.scan.compare import scan
from driftline.sensor.scan.findings import Change, Finding
from tests.sensor.overlays import Overlay, mounted, put
from tests.sensor.scan.test_compare import index_of

pytestmark = pytest.mark.kernel

TAG = sys.implementation.cache_tag
PYC = f"/app/__pycache__/module.{TAG}.pyc"


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Overlay]:
    layers = {"app/module.py": b"x = 1\n", "app/other.py": b"y = 1\n"}, {"app/module.py": b"older"}
    with mounted(tmp_path / "o", *layers) as found:
        yield found


@pytest.fixture
def index(overlay: Overlay, tmp_path: Path) -> Iterator[ImageIndex]:
    with index_of(overlay, tmp_path / "cache") as found:
        yield found


def import_module(overlay: Overlay, name: str = "module") -> Path:
    """Import a module from the container's files; return its bytecode."""
    writing = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""}
    subprocess.run((sys.executable, "-c", f"import {name}"), cwd=overlay.root / "app", env=writing, check=True)
    return overlay.root / f"app/__pycache__/{name}.{TAG}.pyc"


def findings(overlay: Overlay, index: ImageIndex) -> dict[str, Finding]:
    lowerdirs = tuple(map(str, overlay.lower))
    container = Container(id="c", upperdir=str(overlay.upper), lowerdirs=lowerdirs)
    return {os.fsdecode(found.path): found for found in scan(container, index)}


def test_bytecode_of_an_image_source_is_derived_with_its_directory(overlay: Overlay, index: ImageIndex) -> None:
    import_module(overlay)
    put(overlay.root / "etc/last", b"", 0o644)
    found = findings(overlay, index)

    assert [(path, each.is_derived) for path, each in found.items()] == [
        ("/etc", False),
        ("/etc/last", False),
        (PYC, True),
        ("/app/__pycache__", True),
    ]
    assert (found[PYC].note, found[PYC].is_executable) == ("bytecode of /app/module.py", False)


def test_bytecode_is_derived_from_a_source_that_was_only_touched_by_its_mode(
    overlay: Overlay, index: ImageIndex
) -> None:
    (overlay.root / "app/module.py").chmod(0o600)
    import_module(overlay)
    found = findings(overlay, index)

    assert (found["/app/module.py"].changes, found[PYC].is_derived) == ((Change.MODE,), True)


def do_touch(overlay: Overlay) -> None:
    os.utime(overlay.root / "app/module.py", (1, 1))


def do_write_source(overlay: Overlay) -> None:
    (overlay.root / "app/module.py").write_bytes(b"x = 2\n")
    import_module(overlay)


def do_delete_source(overlay: Overlay) -> None:
    (overlay.root / "app/module.py").unlink()


def do_change_header(overlay: Overlay) -> None:
    pyc = import_module(overlay)
    data = pyc.read_bytes()
    pyc.write_bytes(data[:12] + (99).to_bytes(4, "little") + data[16:])


def do_hash_in_place_of_time(overlay: Overlay) -> None:
    source = overlay.root / "app/module.py"
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def do_replace_source_by_a_link(overlay: Overlay) -> None:
    (overlay.root / "app/module.py").unlink()
    (overlay.root / "app/module.py").symlink_to("other.py")


@pytest.mark.parametrize(
    "change",
    [
        do_touch,
        do_write_source,
        do_delete_source,
        do_change_header,
        do_hash_in_place_of_time,
        do_replace_source_by_a_link,
    ],
)
def test_bytecode_that_its_source_does_not_explain_is_executable(
    overlay: Overlay, index: ImageIndex, change: object
) -> None:
    import_module(overlay)
    assert callable(change)
    change(overlay)
    found = findings(overlay, index)

    assert (found[PYC].is_derived, found[PYC].is_executable) == (False, True)
    assert not found["/app/__pycache__"].is_derived


def test_bytecode_of_a_hidden_source_is_executable(overlay: Overlay, index: ImageIndex) -> None:
    """The directory was made anew, so the image's source below it is not there any more."""
    import_module(overlay)
    pyc = (overlay.root / PYC.lstrip("/")).read_bytes()
    subprocess.run(("rm", "-r", overlay.root / "app"), check=True)
    put(overlay.root / PYC.lstrip("/"), pyc, 0o644)
    found = findings(overlay, index)

    assert (found[PYC].is_derived, found[PYC].is_executable) == (False, True)


def test_bytecode_without_a_source_in_the_image_is_executable(overlay: Overlay, index: ImageIndex) -> None:
    put(overlay.root / "app/dropped.py", b"z = 1\n", 0o644)
    import_module(overlay, "dropped")
    import_module(overlay)
    os.link(overlay.root / PYC.lstrip("/"), overlay.root / "app/direct.pyc")
    found = findings(overlay, index)

    assert found[PYC].is_derived
    assert found[f"/app/__pycache__/dropped.{TAG}.pyc"].is_executable
    assert found["/app/direct.pyc"].is_executable
    assert not found["/app/__pycache__"].is_derived


@pytest.mark.parametrize(("age", "is_derived"), [(0, False), (5, True)], ids=["right header", "outdated header"])
def test_bytecode_of_the_image_is_derived_again_only_if_outdated(
    overlay: Overlay, index: ImageIndex, tmp_path: Path, age: int, is_derived: bool
) -> None:
    """Other code behind the right header of the image is no work of Python."""
    source = overlay.lower[0] / "app/module.py"
    now = source.stat().st_mtime
    os.utime(source, (now - age, now - age))
    py_compile.compile(str(source))
    os.utime(source, (now, now))
    with index_of(overlay, tmp_path / "other") as own:
        pyc = import_module(overlay)
        if not age:
            pyc.write_bytes(pyc.read_bytes() + b"code")
        found = findings(overlay, own)

    assert (found[PYC].changes, found[PYC].is_derived) == ((Change.MODIFIED,), is_derived)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (b"/a/__pycache__/m.cpython-311.pyc", b"/a/m.py"),
        (b"/a/__pycache__/m.cpython-311.opt-2.pyc", b"/a/m.py"),
        (b"/__pycache__/m.pypy39.pyc", b"/m.py"),
        (b"/a/__pycache__/m.pyc", b""),
        (b"/a/__pycache__/m.x.y.pyc", b""),
        (b"/a/__pycache__/.cpython-311.pyc", b""),
        (b"/a/__pycache__/m.cpython-311.so", b""),
        (b"/a/m.cpython-311.pyc", b""),
        (b"/a/not__pycache__/m.cpython-311.pyc", b""),
    ],
)
def test_the_source_of_bytecode_is_that_of_pep_3147(path: bytes, source: bytes) -> None:
    assert source_path(path) == source
