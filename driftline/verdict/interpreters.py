"""Table of interpreters: by which name each is known, and what it runs as code.

The kernel side looks up the file name of every executed program here (map ``interpreter_names``), user space decides
with the rest of the row which of the opened files are code. A language is added by a row and a case in
``tests/e2e/test_interpreters.py``.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping

import msgspec

__all__ = ["INTERPRETERS", "NAME_BYTES", "Grammar", "Interpreter", "Kind", "interpreter_name", "interpreter_of"]

NAME_BYTES = 15
"""Bytes of a name that are compared (``INTERPRETER_NAME_LEN`` of driftline.h, without the NUL)."""


class Kind(enum.IntFlag):
    """Ways in which programs run files as code (``enum interpreter_kind`` of driftline.h)."""

    OPENS_CODE = 1
    """Opened files are reported, since each may be code: its script, or by its suffix a module."""
    MOVES_CODE = 2
    """A shell that copies the descriptor of code to 10 or higher: dash, ash, zsh, mksh, ksh."""
    READS_CODE_WHOLE = 4
    """A shell that reads code in one read(2) of the file's size, or from its highest descriptor: bash."""


class Grammar(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one interpreter, up to the first operand.

    Short options are given as letters, long options as whole words with their dashes. An option that is not listed
    takes no value.
    """

    code: bytes = b""
    """No script: the code is on the command line or in a module."""
    stdin: bytes = b""
    """No script: the code comes from standard input, whatever operands follow."""
    file: bytes = b""
    """The value is the script."""
    valued: bytes = b""
    """Takes a value: the rest of the word, or else the next word."""
    detached: bytes = b""
    """Takes the next word as its value, also in the middle of a group of letters."""
    attached: bytes = b""
    """The rest of the word, which may be empty, is its value."""
    numbered: bytes = b""
    """The digits after it are its value; more letters may follow."""
    long_code: frozenset[bytes] = frozenset()
    """Long options like ``code``."""
    long_file: frozenset[bytes] = frozenset()
    """Long options like ``file``."""
    long_valued: frozenset[bytes] = frozenset()
    """Long options that take a value."""
    one_dash: bool = False
    """Long options have one dash (``-file``) and ignore case; there are no short options."""
    plus: bool = False
    """Options may begin with ``+``."""
    operand: bool = True
    """The first operand is the script."""
    commands: frozenset[bytes] = frozenset()
    """Subcommands before the script."""


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """One row: an interpreter under all of its names."""

    names: tuple[bytes, ...]
    """Names of its file without version (``interpreter_name``); also of the library that embeds it in a program."""
    grammar: Grammar = Grammar(operand=False)
    """Its command line."""
    suffixes: tuple[bytes, ...] = ()
    """Ends of the paths of files that it opens as code."""
    loads: tuple[bytes, ...] = ()
    """Beginnings of options that name code besides the script, in the same word or in the next."""
    environment: tuple[bytes, ...] = ()
    """Environment variables that name code."""
    kinds: Kind = Kind.OPENS_CODE
    """How the kernel side recognizes its code."""
    stdin: bool = False
    """Whether it runs standard input if its command line names no code."""


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


def _names(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode().split())


# bash(1), dash(1), zsh(1), mksh(1): -c takes the code from the command line, -s from standard input.
_SHELL = Grammar(code=b"c", stdin=b"s", detached=b"oO", plus=True, long_valued=_words("--rcfile --init-file --emulate"))
_JAVASCRIPT = (b".js", b".cjs", b".mjs", b".jsx", b".ts", b".mts", b".cts", b".tsx", b".wasm")

INTERPRETERS: tuple[Interpreter, ...] = (
    # Start files (BASH_ENV, --rcfile, /etc/profile) and files that the dot command reads: bpf/lib/shell.h.
    Interpreter(
        names=_names("bash rbash bash-static"),
        grammar=_SHELL,
        kinds=Kind.READS_CODE_WHOLE,
        stdin=True,
    ),
    Interpreter(
        names=_names("dash ash hush zsh zsh-static mksh mksh-static lksh pdksh yash posh"),
        grammar=_SHELL,
        kinds=Kind.MOVES_CODE,
        stdin=True,
    ),
    # A shell under one of its names, and awk.
    Interpreter(
        names=_names("busybox busybox-static busybox.static busybox-x busybox-aarch toybox toybox-x toybox-aarch"),
        grammar=_SHELL,
        kinds=Kind.OPENS_CODE | Kind.MOVES_CODE,
        stdin=True,
    ),
    # A shell of unknown kind, and ksh93, which reads a file of the dot command as it reads data.
    Interpreter(
        names=_names("sh ksh"),
        grammar=_SHELL,
        suffixes=(b".sh", b".ksh"),
        kinds=Kind.OPENS_CODE | Kind.MOVES_CODE | Kind.READS_CODE_WHOLE,
        stdin=True,
    ),
    # https://docs.python.org/3/using/cmdline.html
    Interpreter(
        names=_names("python pypy libpython libpypy-c.so"),
        grammar=Grammar(code=b"cm", valued=b"WX", long_valued=_words("--check-hash-based-pycs")),
        suffixes=(b".py", b".pyc", b".pyw", b".pyz", b".pth", b".egg"),
        environment=_names("PYTHONPATH PYTHONSTARTUP"),
        stdin=True,
    ),
    # perlrun(1)
    Interpreter(
        names=_names("perl libperl.so"),
        grammar=Grammar(code=b"eE", valued=b"I", attached=b"iFMmxCDdV", numbered=b"0l"),
        suffixes=(b".pl", b".pm", b".ph", b".al", b".pmc", b".cgi"),
        stdin=True,
    ),
    # ruby(1)
    Interpreter(
        names=_names("ruby ruby-mri irb libruby"),
        grammar=Grammar(
            code=b"e",
            valued=b"IrCE",
            attached=b"iFKxWT",
            numbered=b"0",
            long_valued=_words(
                "--encoding --external-encoding --internal-encoding --enable --disable --backtrace-limit --parser"
                " --dump"
            ),
        ),
        suffixes=(b".rb", b".ru", b".rake", b".gemspec", b"/Gemfile", b"/Rakefile"),
        loads=(b"-r",),
        environment=_names("RUBYOPT"),
        stdin=True,
    ),
    # node(1); -p and -pe evaluate code and print the result
    Interpreter(
        names=_names("node nodejs libnode.so"),
        grammar=Grammar(
            code=b"ep",
            valued=b"rC",
            long_code=_words("--eval --print --run --test"),
            long_valued=_words(
                "--require --import --loader --experimental-loader --conditions --input-type --env-file"
                " --env-file-if-exists --title --icu-data-dir --openssl-config --diagnostic-dir --redirect-warnings"
            ),
            commands=_words("inspect debug"),
        ),
        suffixes=_JAVASCRIPT,
        loads=(b"-r", b"--require", b"--import", b"--loader", b"--experimental-loader"),
        environment=_names("NODE_OPTIONS"),
        stdin=True,
    ),
    # https://docs.deno.com/runtime/reference/cli/run/
    Interpreter(
        names=_names("deno"),
        grammar=Grammar(
            long_valued=_words("--config --import-map --env-file --cert --lock --preload"),
            commands=_words("run serve test bench"),
        ),
        suffixes=_JAVASCRIPT,
        loads=(b"--preload", b"--import"),
        stdin=True,
    ),
    # https://bun.sh/docs/cli/run
    Interpreter(
        names=_names("bun bunx"),
        grammar=Grammar(
            code=b"ep",
            valued=b"rc",
            long_code=_words("--eval --print"),
            long_valued=_words("--preload --require --import --cwd --config --env-file"),
            commands=_words("run test"),
        ),
        suffixes=_JAVASCRIPT,
        loads=(b"-r", b"--preload", b"--require", b"--import"),
        stdin=True,
    ),
    # https://www.php.net/manual/en/features.commandline.options.php. Files of opcache.file_cache end with .bin
    # (ext/opcache/zend_file_cache.c).
    Interpreter(
        names=_names("php php-cgi php-fpm libphp libphp.so"),
        grammar=Grammar(
            code=b"rBRES",
            file=b"fF",
            valued=b"cdztg",
            long_code=_words("--run --process-begin --process-code --process-end --server"),
            long_file=_words("--file --process-file"),
            long_valued=_words("--php-ini --define --zend-extension --docroot"),
        ),
        suffixes=(b".php", b".phar", b".inc", b".phtml", b".php.bin", b".inc.bin", b".phtml.bin"),
        loads=(b"-d", b"--define"),
        stdin=True,
    ),
    # https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html
    Interpreter(
        names=_names("java jshell jsvc libjvm.so"),
        grammar=Grammar(
            long_code=_words("-m --module"),
            long_file=_words("-jar"),
            long_valued=_words(
                "-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules --add-exports"
                " --add-opens --add-reads --patch-module --source --limit-modules"
            ),
            one_dash=True,
        ),
        suffixes=(b".jar", b".war", b".ear", b".class", b".jmod", b".jsa", b".java", b".jsh"),
        loads=(
            b"-cp",
            b"-classpath",
            b"--class-path",
            b"-p",
            b"--module-path",
            b"--upgrade-module-path",
            b"--patch-module",
            b"-javaagent:",
            b"-Xbootclasspath",
            b"-XX:SharedArchiveFile",
        ),
        environment=_names("CLASSPATH JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS"),
    ),
    # https://learn.microsoft.com/dotnet/core/tools/dotnet; mono(1)
    Interpreter(
        names=_names("dotnet mono mono-sgen libcoreclr.so libmonosgen libmono"),
        grammar=Grammar(
            long_valued=_words("--depsfile --runtimeconfig --fx-version --additionalprobingpath --roll-forward"),
            one_dash=True,
            commands=_words("exec"),
        ),
        suffixes=(b".dll", b".exe"),
        environment=_names("DOTNET_STARTUP_HOOKS"),
    ),
    # lua(1): -e runs its value, and then the script
    Interpreter(
        names=_names("lua luajit openresty libluajit libluajit.so liblua"),
        grammar=Grammar(valued=b"elj", attached=b"Ob"),
        suffixes=(b".lua", b".luac"),
        loads=(b"-l",),
        environment=_names("LUA_INIT"),
        stdin=True,
    ),
    # https://cran.r-project.org/doc/manuals/r-release/R-intro.html, appendix B. Rscript runs R --file=x.
    Interpreter(
        names=_names("R Rscript littler libR.so"),
        grammar=Grammar(
            file=b"f", valued=b"eg", long_file=_words("--file"), long_valued=_words("--gui --encoding"), operand=False
        ),
        suffixes=(b".R", b".r", b".rdb", b".RData", b".rda", b"/.Rprofile", b"/Rprofile.site"),
        environment=_names("R_PROFILE R_PROFILE_USER"),
        stdin=True,
    ),
    # erl(1), escript(1): erl and escript start beam.smp
    Interpreter(
        names=_names("beam.smp beam erl erlexec escript elixir"),
        suffixes=(b".beam", b".ez", b".boot", b".escript", b".erl", b".exs", b".ex"),
        loads=(b"-extra", b"-boot", b"-pa", b"-pz"),
    ),
    # gawk(1): without -f the first operand is the code
    Interpreter(
        names=_names("awk gawk mawk nawk original-awk goawk"),
        grammar=Grammar(
            file=b"fE",
            valued=b"vFeilodpLD",
            long_file=_words("--file --exec"),
            long_valued=_words("--assign --field-separator --source --include --load"),
            operand=False,
        ),
        suffixes=(b".awk",),
        loads=(b"-f", b"-i", b"--file", b"--include"),
    ),
    # https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_pwsh
    Interpreter(
        names=_names("pwsh"),
        grammar=Grammar(
            long_code=_words("-c -command -e -ec -encodedcommand"),
            long_file=_words("-f -file"),
            long_valued=_words(
                "-executionpolicy -ex -ep -configurationname -config -custompipename -inputformat -in -outputformat -o"
                " -settingsfile -settings -version -v -windowstyle -w -workingdirectory -wd"
            ),
            one_dash=True,
        ),
        suffixes=(b".ps1", b".psm1", b".psd1", b".dll"),
        stdin=True,
    ),
    # tclsh(1), wish(1)
    Interpreter(
        names=_names("tclsh wish expect libtcl"),
        grammar=Grammar(valued=b"c", long_valued=_words("-encoding"), one_dash=True),
        suffixes=(b".tcl", b".tm", b".exp"),
        stdin=True,
    ),
    # julia(1), guile(1)
    Interpreter(
        names=_names("julia"),
        grammar=Grammar(code=b"eE", valued=b"JLptH"),
        suffixes=(b".jl",),
        loads=(b"-L", b"--load"),
        stdin=True,
    ),
    Interpreter(
        names=_names("guile"),
        grammar=Grammar(code=b"c", file=b"s", valued=b"LCxle"),
        suffixes=(b".scm", b".go"),
        loads=(b"-l",),
        stdin=True,
    ),
)


def interpreter_name(program: bytes) -> bytes:
    """Return the file name of a program without its version: ``python`` for ``/usr/bin/python3.11``.

    It is cut at its first digit, with the separators before that, and to ``NAME_BYTES``; ``cut_version`` in
    ``bpf/lib/interpreter.h`` does the same.
    """
    name = re.split(rb"[0-9]", os.path.basename(program)[:NAME_BYTES], maxsplit=1)[0]
    return name.rstrip(b"-._")


_BY_NAME: Mapping[bytes, Interpreter] = {name[:NAME_BYTES]: row for row in INTERPRETERS for name in row.names}


def interpreter_of(program: bytes) -> Interpreter | None:
    """Return the interpreter that a program is, by the name of its file; ``None`` if it is none.

    A renamed interpreter is relocated image content and alerts by itself.
    """
    return _BY_NAME.get(interpreter_name(program))
