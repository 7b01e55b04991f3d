import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.verdict import code_arguments, loader_argument, reads_stdin, script_argument

SCRIPTS = [
    # program, command line, script
    ("/usr/bin/dash", "sh /tmp/x.sh", "/tmp/x.sh"),
    ("/usr/bin/dash", "sh -e /tmp/x.sh arg", "/tmp/x.sh"),
    ("/usr/bin/bash", "bash --rcfile /r -euo pipefail -O nullglob x.sh -c", "x.sh"),
    ("/usr/bin/bash", "bash +x -- x.sh", "x.sh"),
    ("/usr/bin/bash", "bash - x.sh", "x.sh"),
    ("/usr/bin/bash", "bash --posix x.sh", "x.sh"),
    ("/usr/bin/bash", "bash -c x.sh", None),
    ("/usr/bin/bash", "bash -lc x.sh", None),
    ("/usr/bin/bash", "bash -s arg", None),
    ("/usr/bin/bash", "bash", None),
    ("/usr/bin/bash", "bash -o", None),
    ("/bin/busybox", "sh /tmp/x.sh", "/tmp/x.sh"),
    ("/bin/busybox", "-sh /tmp/x.sh", "/tmp/x.sh"),
    ("/bin/busybox", "busybox sh -x /tmp/x.sh", "/tmp/x.sh"),
    ("/bin/busybox", "/bin/busybox ash /tmp/x.sh", "/tmp/x.sh"),
    ("/bin/busybox.static", "busybox.static awk -f x.awk data", "x.awk"),
    ("/bin/busybox", "wget /tmp/x.sh", None),
    ("/bin/busybox", "busybox", None),
    ("/usr/bin/python3.11", "python3 x.py", "x.py"),
    ("/usr/bin/python3.11", "python3 -uW ignore -X dev x.py", "x.py"),
    ("/usr/bin/python3.11", "python3 -Wignore -B x.py", "x.py"),
    ("/usr/bin/python3.11", "python3 --check-hash-based-pycs never x.py", "x.py"),
    ("/usr/bin/python3.11", "python3 -Im json.tool x.json", None),
    ("/usr/bin/python3.11", "python3 -c pass x.py", None),
    ("/usr/bin/python3.11", "python3 - x.py", None),
    ("/usr/bin/pypy3", "pypy3 x.py", "x.py"),
    ("/usr/bin/perl5.36.0", "perl -w -I lib -Mstrict x.pl", "x.pl"),
    ("/usr/bin/perl", "perl -i.bak -Tw x.pl", "x.pl"),
    ("/usr/bin/perl", "perl -lne print x.txt", None),
    ("/usr/bin/perl", "perl -0777 -l012 x.pl", "x.pl"),
    ("/usr/bin/ruby3.1", "ruby -rjson -I lib --encoding utf-8 x.rb", "x.rb"),
    ("/usr/bin/ruby", "ruby -ne puts x.txt", None),
    ("/usr/bin/node", "node --require ./r.js --max-old-space-size=64 x.js", "x.js"),
    ("/usr/bin/nodejs", "nodejs inspect x.js", "x.js"),
    ("/usr/bin/node", "node -pe 1+1", None),
    ("/usr/bin/node", "node --eval=1 x.js", None),
    ("/usr/bin/php8.2", "php -d a=b -f x.php", "x.php"),
    ("/usr/bin/php8.2", "php --file=x.php", "x.php"),
    ("/usr/bin/php-cgi8.2", "php-cgi x.php", "x.php"),
    ("/usr/bin/php", "php -r phpinfo();", None),
    ("/usr/bin/lua5.4", "lua -l lib -e x=1 x.lua", "x.lua"),
    ("/usr/bin/luajit-2.1.0", "luajit -O3 x.lua", "x.lua"),
    ("/usr/bin/mawk", "awk -F : -fx.awk data", "x.awk"),
    ("/usr/bin/gawk", "gawk --assign a=b --file x.awk data", "x.awk"),
    ("/usr/bin/mawk", "awk {print} data", None),
    ("/usr/bin/tclsh8.6", "tclsh -encoding utf-8 x.tcl", "x.tcl"),
    ("/opt/pwsh", "pwsh -NoProfile -ExecutionPolicy Bypass -File x.ps1", "x.ps1"),
    ("/opt/pwsh", "pwsh -Command Get-Date", None),
    ("/usr/bin/env", "env -i PATH=/bin -u HOME sh -e x.sh", "x.sh"),
    ("/usr/bin/env", "/usr/bin/env -S perl -w x.pl", "x.pl"),
    ("/bin/busybox", "env FOO=1 busybox sh x.sh", "x.sh"),
    ("/usr/bin/env", "env", None),
    ("/usr/bin/cat", "cat x.sh", None),
    ("/tmp/dropped", "sh x.sh", None),
]


@pytest.mark.parametrize(("program", "line", "script"), SCRIPTS, ids=[line for _, line, _ in SCRIPTS])
def test_the_script_of_an_interpreter_is_found(program: str, line: str, script: str | None) -> None:
    found = script_argument(line.encode().split(), program.encode())

    assert found == (script.encode() if script else None)


@pytest.mark.parametrize("option", [b"-S", b"-vS", b"--split-string="])
def test_env_splits_the_value_of_dash_s(option: bytes) -> None:
    assert script_argument([b"env", option + b"python3 -u", b"/tmp/x"], b"/usr/bin/env") == b"/tmp/x"


LOADERS = [
    ("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "ld.so /tmp/x arg", "/tmp/x"),
    ("/lib/ld-linux-aarch64.so.1", "ld.so --library-path /l --preload /p.so --argv0 sh /tmp/x", "/tmp/x"),
    ("/usr/lib/ld-2.31.so", "ld.so --inhibit-cache -- /tmp/x", "/tmp/x"),
    ("/lib64/ld64.so.2", "ld64.so.2 ./x", "./x"),
    ("/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1 --library-path=/l --argv0 sh /tmp/x", "/tmp/x"),
    ("/lib/libc.so", "libc.so /tmp/x", "/tmp/x"),
    ("/lib/ld-musl-x86_64.so.1", "ldd /tmp/x", None),
    ("/lib/ld-linux-x86-64.so.2", "ld.so --list /tmp/x", None),
    ("/lib/ld-linux-x86-64.so.2", "ld.so", None),
    ("/usr/bin/ldconfig", "ldconfig /tmp/x", None),
    ("/usr/lib/libcrypto.so.3", "libcrypto.so.3 /tmp/x", None),
]


@pytest.mark.parametrize(("program", "line", "target"), LOADERS, ids=[line for _, line, _ in LOADERS])
def test_the_program_of_a_loader_is_found(program: str, line: str, target: str | None) -> None:
    found = loader_argument(line.encode().split(), program.encode())

    assert found == (target.encode() if target else None)


PROGRAMS = st.sampled_from(
    [b"/bin/sh", b"/bin/busybox", b"/usr/bin/env", b"/usr/bin/perl", b"/usr/bin/pwsh", b"/lib/ld.so"]
)
PIECES = st.sampled_from([b"-", b"--", b"-S", b"env", b"sh", b"busybox", b"-c", b"--file", b"a=b", b"x", b"", b"-f"])
ARGUMENTS = st.lists(PIECES | st.binary(max_size=8), max_size=12)


@given(PROGRAMS, ARGUMENTS)
def test_the_result_is_part_of_the_command_line_or_none(program: bytes, argv: list[bytes]) -> None:
    for find in (script_argument, loader_argument):
        found = find(argv, program)
        assert found is None or found in b"\0".join(argv)


@pytest.mark.parametrize(
    ("program", "line", "expected"),
    [
        ("/usr/bin/dash", "sh", True),
        ("/usr/bin/dash", "sh -e", True),
        ("/usr/bin/dash", "sh -s a b", True),
        ("/usr/bin/dash", "sh -", True),
        ("/usr/bin/dash", "sh -c id", False),
        ("/usr/bin/dash", "sh x.sh", False),
        ("/bin/busybox", "busybox ash", True),
        ("/bin/busybox", "cat", False),
        ("/usr/bin/python3.11", "python3", True),
        ("/usr/bin/python3.11", "python3 -u - a", True),
        ("/usr/bin/python3.11", "python3 -m http.server", False),
        ("/usr/bin/perl", "perl -w", True),
        ("/usr/bin/perl", "perl -ne print", False),
        ("/usr/bin/node", "node", True),
        ("/usr/lib/R/bin/exec/R", "R --no-save", True),
        ("/usr/lib/R/bin/exec/R", "R --no-echo --file=x.R", False),
        ("/usr/bin/mawk", "awk {print}", False),
        ("/usr/bin/java", "java", False),
        ("/usr/bin/wc", "wc", False),
    ],
)
def test_code_from_standard_input(program: str, line: str, *, expected: bool) -> None:
    assert reads_stdin(tuple(line.encode().split()), program.encode()) == expected


def test_options_that_name_code_besides_the_script() -> None:
    line = b"java -Xmx1g -cp /a.jar:/b -javaagent:/c=d --module-path=/e -jar /f -cp /data"

    assert code_arguments(line.split(), b"/usr/bin/java") == {b"/a.jar", b"/b", b"/c", b"d", b"/e"}
