import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import lab as labs
from driftline import cluster, image
from driftline.cli.image import app
from driftline.errors import ImageNotFound, InvalidInput, InvalidReference
from tests.image import making
from tests.image.making import archive, directory, member, symlink

OLD = [
    making.blob(archive(directory("usr/bin"), member("usr/bin/x", data=b"1"), symlink("bin", "usr/bin"), member("y")))
]
NEW = [*OLD, making.blob(archive(member("usr/bin/x", data=b"2"), member("z", data=b"1"), member("y", mode=0o755)))]

Run = Callable[..., Any]


@pytest.fixture
def layout(tmp_path: Path) -> str:
    making.write_layout(tmp_path / "layout", {"old": OLD, "new": NEW})
    return f"oci:{tmp_path / 'layout'}"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with a cache of the test's own; returns its output."""

    def run(*words: str) -> str:
        app([*words, "--cache", str(tmp_path / "cache")], result_action="return_value")
        return capsys.readouterr().out

    return run


def test_index_counts_what_the_image_holds(run: Run, layout: str) -> None:
    facts = json.loads(run("index", f"{layout}:old", "--output", "json"))
    assert facts["digest"].startswith("sha256:")
    assert (facts["entries"], facts["files"], facts["bytes"]) == (6, 2, 1)


def test_index_leaves_the_index_in_the_cache(run: Run, layout: str, tmp_path: Path) -> None:
    run("index", f"{layout}:old")
    (made,) = (tmp_path / "cache").glob("*.index")
    before = made.stat().st_ino
    assert "entries  6" in run("index", f"{layout}:old")
    assert made.stat().st_ino == before


def test_index_takes_an_index_file(run: Run, layout: str, tmp_path: Path) -> None:
    run("index", f"{layout}:old")
    (made,) = (tmp_path / "cache").glob("*.index")
    assert json.loads(run("index", str(made), "--output", "json"))["files"] == 2


def test_show_prints_the_facts_of_a_file(run: Run, layout: str) -> None:
    digest = making.sha256(b"1").removeprefix("sha256:")
    assert json.loads(run("show", f"{layout}:old", "/bin/x", "--output", "json")) == {
        "path": "/usr/bin/x", "kind": "file", "mode": "0644", "uid": 0, "gid": 0, "layer": 0,
        "size": 1, "sha256": digest, "same_content": [],
    }  # fmt: skip


def test_show_prints_the_target_of_a_symlink(run: Run, layout: str) -> None:
    out = run("show", f"{layout}:old", "/bin")
    assert re.search(r"target +usr/bin\b", out)
    assert re.search(r"leads to: path +/usr/bin\b", out)


def test_show_of_a_missing_path_fails(run: Run, layout: str) -> None:
    with pytest.raises(ImageNotFound, match="has nothing at /none"):
        run("show", f"{layout}:old", "/none")


def test_show_refuses_a_relative_path(run: Run, layout: str) -> None:
    with pytest.raises(InvalidInput, match="expected an absolute path"):
        run("show", f"{layout}:old", "bin/x")


def test_diff_lists_the_changes(run: Run, layout: str) -> None:
    lines = run("diff", f"{layout}:old", f"{layout}:new", "--output", "json").splitlines()
    changes = [json.loads(line) for line in lines]
    assert [(change["change"], change["path"]) for change in changes] == [
        ("content", "/usr/bin/x"),
        ("mode", "/y"),
        ("added", "/z"),
    ]
    assert (changes[1]["before"]["mode"], changes[1]["after"]["mode"]) == ("0644", "0755")


def test_diff_as_a_table_shows_the_changed_aspect(run: Run, layout: str) -> None:
    assert re.search(r"mode +/y +0644 +0755", run("diff", f"{layout}:old", f"{layout}:new"))


def test_the_exit_code_of_diff_tells_different_from_equal(layout: str, tmp_path: Path) -> None:
    names = ((f"{layout}:old", f"{layout}:new"), (f"{layout}:old", f"{layout}:old"), (f"{layout}:old", "/none"))
    codes = [subprocess.run(_diff(tmp_path, *pair), capture_output=True, check=False).returncode for pair in names]

    assert codes == [3, 0, 2]


def _diff(folder: Path, before: str, after: str) -> Sequence[str]:
    command = (sys.executable, "-m", "driftline.cli", "image", "diff")
    return (*command, before, after, "--cache", str(folder / "cache"))


def test_piped_changes_take_a_line_each(tmp_path: Path) -> None:
    path = "/".join(["a long name of a folder"] * 20)
    making.write_layout(tmp_path / "layout", {"old": OLD, "new": [*OLD, making.blob(archive(member(path)))]})
    layout = f"oci:{tmp_path / 'layout'}"
    done = subprocess.run(_diff(tmp_path, f"{layout}:old", f"{layout}:new"), capture_output=True, check=False)

    assert done.stdout.decode().splitlines()[-1].split() == ["added", *f"/{path}".split(), "file"]


def test_control_characters_in_paths_are_escaped(run: Run, tmp_path: Path) -> None:
    making.write_layout(tmp_path / "hostile", {"x": [making.blob(archive(member("\x1b]0;owned\x07[red]")))]})
    making.write_layout(tmp_path / "empty", {"x": []})
    out = run("diff", str(tmp_path / "empty"), str(tmp_path / "hostile"))
    assert "\x1b" not in out
    assert r"/\x1b]0;owned\x07[red]" in out


def test_a_missing_file_is_invalid_input(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InvalidReference, match="no such file or directory"):
        run("index", str(tmp_path / "none"))


@pytest.mark.e2e
def test_an_image_of_containerd_is_indexed_by_its_reference(run: Run, lab: labs.Lab) -> None:
    reference = lab.image("busybox")
    facts = json.loads(run("show", reference, "/bin/busybox", "--runtime", str(lab.socket), "--output", "json"))
    assert facts["sha256"] == hashlib.sha256(Path("/bin/busybox").read_bytes()).hexdigest()


OPAQUE = {"SCHILY.xattr.trusted.overlay.opaque": "y"}
SETUID: dict[str, Any] = {"linkname": "app", "mode": 0o4755, "uid": 5}
ODD_LAYERS = {
    "whiteout, then directory": (archive(member("opt/tool")), archive(member(".wh.opt"), directory("opt"))),
    "trusted xattr": (archive(member("opt/tool")), archive(directory("opt", pax_headers=OPAQUE), member("opt/new"))),
    "hard link with another mode": (archive(member("app", mode=0o755), member("su", tarfile.LNKTYPE, **SETUID)),),
    "root": (archive(directory("./", mode=0o700, uid=5), member("f")),),
    "opaque root": (archive(member("d/f")), archive(member(".wh..wh..opq"), member("d/g"))),
    "whiteout in the bottom layer": (archive(member("f"), member("g"), member(".wh.f")),),
    "parent that no layer lists": (archive(directory("d", mode=0o700, uid=9)), archive(member("d/f"))),
}


@pytest.mark.e2e
@pytest.mark.parametrize("name", ODD_LAYERS)
def test_containerd_unpacks_odd_layers_alike(lab: labs.Lab, tmp_path: Path, name: str) -> None:
    reference = f"localhost/odd/{zlib.crc32(name.encode())}:1"
    layout, blobs = tmp_path / "layout", [making.blob(layer, "+gzip") for layer in ODD_LAYERS[name]]
    entry = making.write_manifest(layout, blobs) | {"annotations": {"io.containerd.image.name": reference}}
    making.write_index(layout, [entry])
    packed = making.pack(layout, tmp_path / "image.tar")
    try:
        lab.runtime.ctr("images", "import", packed).check()
        layers = cluster.image_layers(reference, address=str(lab.socket))
        image.build_index(layers.digest, image.LowerDirs(layers.lowerdirs), tmp_path / "unpacked")
    finally:
        lab.runtime.ctr("images", "rm", "--sync", reference)
    with image.open_image(str(packed)) as source:
        image.build_index(source.digest, source.layers, tmp_path / "packed")
    with image.open_index(tmp_path / "unpacked") as unpacked, image.open_index(tmp_path / "packed") as found:
        assert list(found) == list(unpacked)


@pytest.mark.e2e
def test_an_index_from_blobs_equals_one_from_snapshots(lab: labs.Lab, tmp_path: Path) -> None:
    layers = cluster.image_layers(lab.image("layers40"), address=str(lab.socket))
    image.build_index(layers.digest, image.LowerDirs(layers.lowerdirs), tmp_path / "unpacked")
    image.build_index(layers.digest, image.Blobs(layers.blobs), tmp_path / "packed")
    with image.open_index(tmp_path / "unpacked") as unpacked, image.open_index(tmp_path / "packed") as packed:
        assert len(layers.blobs) == 40
        assert list(unpacked) == list(packed)
