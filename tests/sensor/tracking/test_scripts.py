from pathlib import Path

import pytest

from driftline.sensor.bpf.records import RecordFlag
from driftline.sensor.tracking import scripts
from tests.sensor import making


@pytest.mark.parametrize(
    ("program", "argv", "path", "name"),
    [
        (b"/bin/sh", (b"sh", b"/tmp/x"), b"/tmp/x", b"/tmp/x"),
        (b"/bin/sh", (b"sh", b"x"), b"/tmp/x", b"x"),
        (b"/bin/sh", (b"sh", b"/tmp/link"), b"/tmp/real", b"/tmp/link"),
        (b"/usr/bin/python3.11", (b"python3", b"-u", b"a.py"), b"/srv/a.py", b"a.py"),
        (b"/usr/bin/python3.11", (b"python3", b"-c", b"import m"), b"/tmp/m.py", b"/tmp/m.py"),
        (b"/usr/bin/python3.11", (b"python3", b"app"), b"/tmp/app", b"/tmp/app"),
        (b"/usr/bin/python3.11", (b"python3", b"./app"), b"/tmp/app", b"./app"),
        (b"/usr/bin/java", (b"java", b"-jar", b"x"), b"/tmp/x", b"x"),
        (b"/usr/bin/java", (b"java", b"-cp", b"/srv/a:/tmp/x", b"Main"), b"/tmp/x", b"/tmp/x"),
        (b"/usr/bin/java", (b"java", b"-javaagent:/tmp/x=a,b", b"Main"), b"/tmp/x", b"/tmp/x"),
        (b"/usr/bin/java", (b"java", b"Main"), b"/srv/Main.class", b"Main.class"),
        (b"/usr/bin/node", (b"node", b"-r", b"./x", b"a.js"), b"/tmp/x", b"/tmp/x"),
        (b"/srv/uwsgi", (b"uwsgi",), b"/tmp/m.py", b"/tmp/m.py"),
    ],
)
def test_code_files_of_an_interpreter_are_scripts(
    program: bytes, argv: tuple[bytes, ...], path: bytes, name: bytes
) -> None:
    assert scripts.is_script(making.opened(path, name), making.process(program, *argv, cwd=b"/tmp"))


@pytest.mark.parametrize(
    ("program", "argv", "path"),
    [
        (b"/bin/sh", (b"sh", b"-c", b"cat /tmp/x"), b"/tmp/x"),
        (b"/usr/bin/python3.11", (b"python3", b"a.py"), b"/tmp/data.csv"),
        (b"/bin/busybox", (b"cat", b"/tmp/x"), b"/tmp/x"),
        (b"/bin/busybox", (b"cat", b"/tmp/x.py"), b"/tmp/x.py"),
        (b"/bin/bash", (b"bash", b"-c", b"wc < /tmp/x.sh"), b"/tmp/x.sh"),
        (b"/usr/bin/java", (b"java", b"-jar", b"/srv/a.jar", b"-p", b"/tmp/data"), b"/tmp/data"),
    ],
)
def test_data_files_of_an_interpreter_are_no_scripts(program: bytes, argv: tuple[bytes, ...], path: bytes) -> None:
    assert not scripts.is_script(making.opened(path), making.process(program, *argv))


def test_a_shebang_file_is_recognized_by_the_path_it_was_started_with() -> None:
    process = making.process(b"/bin/sh", b"/bin/sh", b"./x", script=b"./x")

    assert scripts.is_script(making.opened(b"/tmp/x", b"./x"), process)


@pytest.mark.parametrize(("writer", "expected"), [(b"", False), (b"python3", False), (b"wget", True)])
def test_bytecode_is_a_script_unless_python_wrote_it(writer: bytes, *, expected: bool) -> None:
    record = making.opened(b"/usr/lib/__pycache__/m.cpython-311.pyc", written_by=writer)

    assert scripts.is_script(record, making.process(b"/usr/bin/python3.11", b"python3", b"-c", b"x")) == expected


@pytest.mark.parametrize(("argv", "expected"), [((b"python3",), True), ((b"python3", b"a.py"), False)])
def test_standard_input_is_a_script_if_the_command_line_names_none(argv: tuple[bytes, ...], *, expected: bool) -> None:
    record = making.opened(b"/tmp/n.py", b"", flags=RecordFlag.ON_STDIN)

    assert scripts.is_script(record, making.process(b"/usr/bin/python3.11", *argv)) == expected


def test_a_file_that_a_shell_read_as_code_is_a_script() -> None:
    record = making.opened(b"/tmp/n", b"", flags=RecordFlag.READ_AS_CODE)

    assert scripts.is_script(record, making.process(b"/bin/bash", b"bash", b"-c", b"/tmp/n"))


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [(None, b"pass", False), (b"evil", None, True), (b"pass", b"pass", False), (b"longer", b"pass", True)],
    ids=["image source", "dropped source", "copied up source", "changed source"],
)
def test_bytecode_is_a_script_unless_its_source_is_the_images(
    tmp_path: Path, upper: bytes | None, lower: bytes | None, *, expected: bool
) -> None:
    for name, content in (("upper", upper), ("lower", lower)):
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "m.py").write_bytes(content)
    layers = scripts.Layers(50, str(tmp_path / "upper"), (str(tmp_path / "lower"),))
    record = making.opened(b"/__pycache__/m.cpython-311.pyc", written_by=b"python3")

    assert scripts.is_script(record, making.process(b"/usr/bin/python3.11", b"python3", b"a"), layers) == expected
