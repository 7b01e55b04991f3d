import pytest

from driftline.verdict import INTERPRETERS, interpreter_name, interpreter_of


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (b"/usr/bin/python3.11", b"python"),
        (b"/usr/bin/php-fpm8.2", b"php-fpm"),
        (b"/usr/bin/luajit-2.1.0-beta3", b"luajit"),
        (b"/usr/lib/erlang/erts-13.1/bin/beam.smp", b"beam.smp"),
        (b"/usr/lib/libpython3.11.so.1.0", b"libpython"),
        (b"/bin/busybox.static", b"busybox.static"),
        (b"a-name-that-is-longer-than-the-kernel-reads", b"a-name-that-is"),
        (b"7z", b""),
        (b"", b""),
    ],
)
def test_a_name_is_cut_at_its_version(program: bytes, name: bytes) -> None:
    assert interpreter_name(program) == name


@pytest.mark.parametrize("name", [b"sh", b"bash", b"python3.11", b"busybox", b"node", b"java", b"dotnet", b"R"])
def test_interpreters_are_recognized_by_name(name: bytes) -> None:
    assert interpreter_of(b"/usr/bin/" + name)


@pytest.mark.parametrize("name", [b"shutdown", b"ls", b"ssh", b"node_exporter", b""])
def test_other_programs_are_no_interpreters(name: bytes) -> None:
    assert interpreter_of(b"/usr/bin/" + name) is None


def test_each_name_has_one_row_and_is_found_as_the_kernel_looks_it_up() -> None:
    names = [name for row in INTERPRETERS for name in row.names]

    assert len(names) == len(set(names))
    assert [name for name in names if interpreter_name(name) != name] == []
