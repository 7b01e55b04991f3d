"""The file that an interpreter, or the dynamic loader ``ld.so``, runs, found in its command line.

The kernel sees ``sh /tmp/x`` as an execution of ``sh``. Every interpreter parses its options in its own
way; a ``_Grammar`` describes the options of one, from its manual, and a common parser applies it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import msgspec

__all__ = ["loader_argument", "script_argument"]


# The options of one interpreter, up to the first operand. Short options are given as letters, long options as
# whole words with their dashes. An option that is not listed takes no value.
class _Grammar(msgspec.Struct, frozen=True, kw_only=True):
    code: bytes = b""  # no script: the code is on the command line, in a module or on standard input
    file: bytes = b""  # the value is the script
    valued: bytes = b""  # takes a value: the rest of the word, or else the next word
    detached: bytes = b""  # takes the next word as its value, also in the middle of a group of letters
    attached: bytes = b""  # the rest of the word, which may be empty, is its value
    numbered: bytes = b""  # the digits after it are its value; more letters may follow
    long_code: frozenset[bytes] = frozenset()  # long options like code
    long_file: frozenset[bytes] = frozenset()  # long options like file
    long_valued: frozenset[bytes] = frozenset()  # long options that take a value
    one_dash: bool = False  # long options have one dash (-file) and ignore case; there are no short options
    plus: bool = False  # options may begin with +
    operand: bool = True  # the first operand is the script
    commands: frozenset[bytes] = frozenset()  # subcommands before the script


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


# bash(1), dash(1), zsh(1), mksh(1): -c takes the code from the command line, -s from standard input.
_SHELL = _Grammar(code=b"cs", detached=b"oO", plus=True, long_valued=_words("--rcfile --init-file --emulate"))
# https://docs.python.org/3/using/cmdline.html
_PYTHON = _Grammar(code=b"cm", valued=b"WX", long_valued=_words("--check-hash-based-pycs"))
# perlrun(1)
_PERL = _Grammar(code=b"eE", valued=b"I", attached=b"iFMmxCDdV", numbered=b"0l")
# ruby(1)
_RUBY = _Grammar(
    code=b"e",
    valued=b"IrCE",
    attached=b"iFKxWT",
    numbered=b"0",
    long_valued=_words(
        "--encoding --external-encoding --internal-encoding --enable --disable --backtrace-limit --parser --dump"
    ),
)
# node(1); -p and -pe evaluate code and print the result
_NODE = _Grammar(
    code=b"ep",
    valued=b"rC",
    long_code=_words("--eval --print --run --test"),
    long_valued=_words(
        "--require --import --loader --experimental-loader --conditions --input-type --env-file"
        " --env-file-if-exists --title --icu-data-dir --openssl-config --diagnostic-dir --redirect-warnings"
    ),
    commands=_words("inspect debug"),
)
# https://www.php.net/manual/en/features.commandline.options.php
_PHP = _Grammar(
    code=b"rBRES",
    file=b"fF",
    valued=b"cdztg",
    long_code=_words("--run --process-begin --process-code --process-end --server"),
    long_file=_words("--file --process-file"),
    long_valued=_words("--php-ini --define --zend-extension --docroot"),
)
# lua(1): -e runs its value, and then the script
_LUA = _Grammar(valued=b"elj", attached=b"Ob")
# gawk(1): without -f the first operand is the code
_AWK = _Grammar(
    file=b"fE",
    valued=b"vFeilodpLD",
    long_file=_words("--file --exec"),
    long_valued=_words("--assign --field-separator --source --include --load"),
    operand=False,
)
# https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_pwsh
_PWSH = _Grammar(
    long_code=_words("-c -command -e -ec -encodedcommand"),
    long_file=_words("-f -file"),
    long_valued=_words(
        "-executionpolicy -ex -ep -configurationname -config -custompipename -inputformat -in -outputformat -o"
        " -settingsfile -settings -version -v -windowstyle -w -workingdirectory -wd"
    ),
    one_dash=True,
)
# tclsh(1), wish(1)
_TCL = _Grammar(valued=b"c", long_valued=_words("-encoding"), one_dash=True)

_GRAMMARS: dict[bytes, _Grammar] = {
    **dict.fromkeys((b"sh", b"bash", b"rbash", b"dash", b"ash", b"hush", b"zsh", b"ksh", b"mksh", b"pdksh"), _SHELL),
    **dict.fromkeys((b"python", b"pypy"), _PYTHON),
    **dict.fromkeys((b"node", b"nodejs"), _NODE),
    **dict.fromkeys((b"lua", b"luajit"), _LUA),
    **dict.fromkeys((b"awk", b"gawk", b"mawk", b"nawk", b"original-awk"), _AWK),
    **dict.fromkeys((b"tclsh", b"wish"), _TCL),
    b"perl": _PERL,
    b"ruby": _RUBY,
    b"php": _PHP,
    b"pwsh": _PWSH,
}
_MULTI_CALL = (b"busybox", b"toybox")
_ENV = _Grammar(valued=b"uC", long_valued=_words("--unset --chdir"))

_VERSION = re.compile(rb"-?[0-9][0-9.]*(?:-.*)?$|-cgi.*$|-static$")
_LOADER = re.compile(
    rb"ld(?:-linux[^/]*|-musl-[^/]*|64|-[0-9.]+)?\.so(?:\.[0-9]+)*$|libc(?:\.musl-[^/]*)?\.so(?:\.1)?$"
)
_MAX_NESTED_ENV = 8  # env may run env


def script_argument(argv: Sequence[bytes], program: bytes) -> bytes | None:
    """Return the argument that names the script of an interpreter's command line.

    ``program`` is the path of the executed file. It determines the interpreter, because a process can set
    ``argv[0]`` to any text; ``argv[0]`` counts only for multi-call programs such as busybox. The result is
    the argument as it is, and may be relative to the working directory.

    ``None`` means that there is no script: the program is no known interpreter, or takes its code from
    standard input, from the command line (``-c``) or from a module (``python -m``).
    """
    words = list(argv)
    name = os.path.basename(program)
    for _ in range(_MAX_NESTED_ENV):
        if _is_multi_call(name):
            name, words = _applet(words)
        if name != b"env":
            break
        words = _command_of_env(words)
        name = os.path.basename(words[0]) if words else b""
    grammar = _GRAMMARS.get(_VERSION.sub(b"", name))
    return _first_script(words[1:], grammar) if grammar else None


def loader_argument(argv: Sequence[bytes], program: bytes) -> bytes | None:
    """Return the argument that names the program of a dynamic loader's command line.

    ``program`` is the path of the executed file. The loaders of glibc and musl are known by their names;
    musl's libc.so is its loader as well. ``None`` means that the program is no loader or runs nothing:
    ``--list`` and ``--verify`` only inspect, as does musl's loader if it is called as ``ldd``.
    """
    if not _LOADER.match(os.path.basename(program)) or os.path.basename(argv[0] if argv else b"") == b"ldd":
        return None
    return _first_script(argv[1:], _LD_SO)


# glibc's ld.so(8); musl's ldso/dynlink.c also accepts --name=value
_LD_SO = _Grammar(
    long_code=_words("--list --verify --help --version --list-tunables --list-diagnostics"),
    long_valued=_words(
        "--library-path --inhibit-rpath --audit --preload --argv0 --glibc-hwcaps-prepend --glibc-hwcaps-mask"
    ),
)


def _is_multi_call(name: bytes) -> bool:
    return name.startswith(_MULTI_CALL)


# The applet of a multi-call program and its arguments. "busybox sh x" equals "sh x" with a link named "sh"; the
# argv[0] of a login shell is "-sh" (login(1)).
def _applet(words: list[bytes]) -> tuple[bytes, list[bytes]]:
    while words and _is_multi_call(os.path.basename(words[0])):
        words = words[1:]
    return (os.path.basename(words[0]).removeprefix(b"-") if words else b""), words


# The command that env runs, with its arguments. env(1): options, then assignments, then the command. -S splits its
# value into several words, for use in #! lines.
def _command_of_env(words: list[bytes]) -> list[bytes]:
    rest = words[1:]
    while rest:
        word = rest[0]
        if word in (b"-S", b"--split-string") and len(rest) > 1:
            rest = rest[1].split() + rest[2:]
        elif word.startswith((b"-S", b"-vS", b"--split-string=")):
            rest = re.sub(rb"^(-v?S|--split-string=)", b"", word).split() + rest[1:]
        elif word.startswith(b"-") or b"=" in word:
            rest = rest[1 + _takes_next(word, _ENV) :]
        else:
            return rest
    return []


def _takes_next(word: bytes, grammar: _Grammar) -> bool:
    if word.startswith(b"--"):
        return word in grammar.long_valued
    return len(word) == 2 and word[1:] in grammar.valued


# Reads options until one determines the script or the first operand is reached. "--" ends the options, as does "-"
# for shells; for other interpreters "-" means code from standard input.
def _first_script(words: Sequence[bytes], grammar: _Grammar) -> bytes | None:
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in (b"--", b"-"):
            return _operand(rest, grammar) if word == b"--" or grammar.plus else None
        if word in grammar.commands:
            continue
        if not _is_option(word, grammar):
            return _operand([word], grammar)
        found, is_done = _option(word, rest, grammar)
        if is_done:
            return found
    return None


def _operand(rest: Sequence[bytes], grammar: _Grammar) -> bytes | None:
    return rest[0] if rest and grammar.operand else None


def _is_option(word: bytes, grammar: _Grammar) -> bool:
    return word.startswith(b"-") or (grammar.plus and word.startswith(b"+"))


# Returns the script and whether the option determines it (there may be none), and removes the option's value from
# ``rest``.
def _option(word: bytes, rest: list[bytes], grammar: _Grammar) -> tuple[bytes | None, bool]:
    if word.startswith(b"--") or grammar.one_dash:
        return _long_option(word, rest, grammar)
    return _short_options(word, rest, grammar)


def _long_option(word: bytes, rest: list[bytes], grammar: _Grammar) -> tuple[bytes | None, bool]:
    name, equals, value = word.partition(b"=")
    name = name.lower() if grammar.one_dash else name
    if name in grammar.long_code:
        return None, True
    if name not in grammar.long_valued | grammar.long_file:
        return None, False
    given = value if equals else _next(rest)
    return (given, True) if name in grammar.long_file else (None, False)


def _short_options(word: bytes, rest: list[bytes], grammar: _Grammar) -> tuple[bytes | None, bool]:
    at = 1
    while at < len(word):
        letter = word[at]
        at += 1
        if letter in grammar.code:
            return None, True
        if letter in grammar.file:
            return word[at:] or _next(rest), True
        if letter in grammar.valued:
            if not word[at:]:
                _next(rest)
            return None, False
        if letter in grammar.detached:
            _next(rest)
        elif letter in grammar.attached:
            return None, False
        elif letter in grammar.numbered:
            at = len(word) - len(word[at:].lstrip(b"0123456789"))
    return None, False


def _next(rest: list[bytes]) -> bytes | None:
    return rest.pop(0) if rest else None
