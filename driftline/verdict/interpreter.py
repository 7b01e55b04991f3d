"""The file that an interpreter, or the dynamic loader ``ld.so``, runs, found in its command line.

The kernel sees ``sh /tmp/x`` as an execution of ``sh``. Every interpreter parses its options in its own
way; a ``Grammar`` describes the options of one (``interpreters``), and a common parser applies it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from driftline.verdict.interpreters import Grammar, Interpreter, interpreter_of

__all__ = [
    "code_arguments",
    "interpreter_run",
    "loader_argument",
    "named_files",
    "reads_stdin",
    "script_argument",
]


_MULTI_CALL = (b"busybox", b"toybox")
_ENV = Grammar(valued=b"uC", long_valued=frozenset({b"--unset", b"--chdir"}))

_LOADER = re.compile(
    rb"ld(?:-linux[^/]*|-musl-[^/]*|64|-[0-9.]+)?\.so(?:\.[0-9]+)*$|libc(?:\.musl-[^/]*)?\.so(?:\.1)?$"
)
_MAX_NESTED_ENV = 8  # env may run env
_SEPARATORS = re.compile(rb"[\s:=,;@]+")


def script_argument(argv: Sequence[bytes], program: bytes) -> bytes | None:
    """Return the argument that names the script of an interpreter's command line.

    ``program`` is the path of the executed file. It determines the interpreter, because a process can set
    ``argv[0]`` to any text; ``argv[0]`` counts only for multi-call programs such as busybox. The result is
    the argument as it is, and may be relative to the working directory.

    ``None`` means that there is no script: the program is no known interpreter, or takes its code from
    standard input, from the command line (``-c``) or from a module (``python -m``).
    """
    interpreter, words = _resolve(argv, program)
    return _find_code(words, interpreter.grammar).script if interpreter else None


def reads_stdin(argv: Sequence[bytes], program: bytes) -> bool:
    """Return whether an interpreter takes its code from standard input: ``sh < x``, ``python3 -``, ``sh -s a``."""
    interpreter, words = _resolve(argv, program)
    return interpreter is not None and interpreter.stdin and _find_code(words, interpreter.grammar).is_stdin


def code_arguments(argv: Sequence[bytes], program: bytes) -> frozenset[bytes]:
    """Return the parts of options that may name code besides the script, such as the jars of a class path.

    A part may as well be a name without a file, the name of a class or of a package.
    """
    interpreter, words = _resolve(argv, program)
    if interpreter is None or not interpreter.loads:
        return frozenset()
    script = _find_code(words, interpreter.grammar).script
    found = set[bytes]()
    for word, following in zip(words, [*words[1:], b""], strict=True):
        option = next((option for option in interpreter.loads if word.startswith(option)), None)
        if option:
            found.update(named_files(word[len(option) :] or following))
        if word == script:
            break
    return frozenset(found)


def named_files(value: bytes) -> Sequence[bytes]:
    """Return the parts of an option's or variable's value that may be paths, such as ``/tmp/a`` of ``/tmp/a=x``."""
    return [part for part in _SEPARATORS.split(value) if part]


def interpreter_run(argv: Sequence[bytes], program: bytes) -> Interpreter | None:
    """Return the interpreter that a command line starts; of a multi-call program such as busybox its applet."""
    return _resolve(argv, program)[0]


# The interpreter and its own words: of "env -i busybox sh x" the shell, with "sh x".
def _resolve(argv: Sequence[bytes], program: bytes) -> tuple[Interpreter | None, list[bytes]]:
    words = list(argv)
    name = os.path.basename(program)
    for _ in range(_MAX_NESTED_ENV):
        if _is_multi_call(name):
            name, words = _applet(words)
        if name != b"env":
            break
        words = _command_of_env(words)
        name = os.path.basename(words[0]) if words else b""
    return interpreter_of(name), words


def loader_argument(argv: Sequence[bytes], program: bytes) -> bytes | None:
    """Return the argument that names the program of a dynamic loader's command line.

    ``program`` is the path of the executed file. The loaders of glibc and musl are known by their names;
    musl's libc.so is its loader as well. ``None`` means that the program is no loader or runs nothing:
    ``--list`` and ``--verify`` only inspect, as does musl's loader if it is called as ``ldd``.
    """
    if not _LOADER.match(os.path.basename(program)) or os.path.basename(argv[0] if argv else b"") == b"ldd":
        return None
    return _find_code(argv, _LD_SO).script


# glibc's ld.so(8); musl's ldso/dynlink.c also accepts --name=value
_LD_SO = Grammar(
    long_code=frozenset(b"--list --verify --help --version --list-tunables --list-diagnostics".split()),
    long_valued=frozenset(
        b"--library-path --inhibit-rpath --audit --preload --argv0 --glibc-hwcaps-prepend --glibc-hwcaps-mask".split()
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


def _takes_next(word: bytes, grammar: Grammar) -> bool:
    if word.startswith(b"--"):
        return word in grammar.long_valued
    return len(word) == 2 and word[1:] in grammar.valued


# Where the code of a command line is: in the script, on standard input, or elsewhere.
class _Code(NamedTuple):
    script: bytes | None = None
    is_stdin: bool = False


_ELSEWHERE, _STDIN = _Code(), _Code(is_stdin=True)


# Reads options until one determines the script or the first operand is reached. "--" ends the options, as does "-"
# for shells; for other interpreters "-" means code from standard input.
def _find_code(words: Sequence[bytes], grammar: Grammar) -> _Code:
    rest = list(words[1:])
    while rest:
        word = rest.pop(0)
        if word in (b"--", b"-"):
            return _operand(rest, grammar) if word == b"--" or grammar.plus else _STDIN
        if word in grammar.commands:
            continue
        if not _is_option(word, grammar):
            return _operand([word], grammar)
        found = _option(word, rest, grammar)
        if found:
            return found
    return _STDIN


def _operand(rest: Sequence[bytes], grammar: Grammar) -> _Code:
    if not rest:
        return _STDIN
    return _Code(rest[0]) if grammar.operand else _ELSEWHERE


def _is_option(word: bytes, grammar: Grammar) -> bool:
    return word.startswith(b"-") or (grammar.plus and word.startswith(b"+"))


# Returns where the code is if the option determines it, and removes the option's value from ``rest``.
def _option(word: bytes, rest: list[bytes], grammar: Grammar) -> _Code | None:
    if word.startswith(b"--") or grammar.one_dash:
        return _long_option(word, rest, grammar)
    return _short_options(word, rest, grammar)


def _long_option(word: bytes, rest: list[bytes], grammar: Grammar) -> _Code | None:
    name, equals, value = word.partition(b"=")
    name = name.lower() if grammar.one_dash else name
    if name in grammar.long_code:
        return _ELSEWHERE
    if name not in grammar.long_valued | grammar.long_file:
        return None
    given = value if equals else _next(rest)
    return _Code(given) if name in grammar.long_file else None


def _short_options(word: bytes, rest: list[bytes], grammar: Grammar) -> _Code | None:
    at = 1
    while at < len(word):
        letter = word[at]
        at += 1
        if letter in grammar.code:
            return _ELSEWHERE
        if letter in grammar.stdin:
            return _STDIN
        if letter in grammar.file:
            return _Code(word[at:] or _next(rest))
        if letter in grammar.valued:
            if not word[at:]:
                _next(rest)
            return None
        if letter in grammar.detached:
            _next(rest)
        elif letter in grammar.attached:
            return None
        elif letter in grammar.numbered:
            at = len(word) - len(word[at:].lstrip(b"0123456789"))
    return None


def _next(rest: list[bytes]) -> bytes | None:
    return rest.pop(0) if rest else None
