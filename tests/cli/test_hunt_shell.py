"""The interactive shell of ``driftline hunt``, typed into through a pipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from driftline.cli._shared.hunt_shell import ShellCompleter, run_shell
from driftline.cli._shared.query_completion import Vocabulary
from driftline.cli._shared.result_formats import Output
from driftline.errors import InvalidInput

VOCABULARY = Vocabulary({"CloudProcessEvents": {"FileName": "string"}, "AlertInfo": {"AlertId": "string"}})
ENTER, ALT_ENTER, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x03", "\x04"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "state" / "driftline"


@pytest.fixture
def typed() -> Callable[..., list[tuple[str, str, str]]]:
    """Type keys into a shell that ends behind them; return the queries that it ran, with format and time span."""

    def run(*keys: str, failure: BaseException | None = None) -> list[tuple[str, str, str]]:
        ran: list[tuple[str, str, str]] = []

        def answer(text: str, output: Output, timespan: str) -> None:
            ran.append((text, output, timespan))
            if failure:
                raise failure

        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text("".join(keys) + CTRL_D)
            run_shell(answer, VOCABULARY, output="table", timespan="")
        return ran

    return run


def test_enter_runs_a_complete_query(typed: Callable[..., list[tuple[str, str, str]]]) -> None:
    assert typed("AlertInfo | count", ENTER, "print 1", ENTER) == [
        ("AlertInfo | count", "table", ""),
        ("print 1", "table", ""),
    ]


def test_enter_breaks_the_line_of_an_unfinished_query(typed: Callable[..., list[tuple[str, str, str]]]) -> None:
    ((text, _, _),) = typed("AlertInfo |", ENTER, "count", ALT_ENTER, "// why", ENTER)

    assert text == "AlertInfo |\ncount\n// why"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CloudP", "CloudProcessEvents"),
        ("AlertInfo\n| wh", "AlertInfo\n| where"),
        (".sch", ".schema"),
        (".schema Al", ".schema AlertInfo"),
        (".run crypto", ".run crypto-miner"),
        (".output js", ".output json"),
    ],
)
def test_the_first_completion_replaces_the_word_before_the_cursor(text: str, expected: str) -> None:
    first = next(iter(ShellCompleter(VOCABULARY).get_completions(Document(text), CompleteEvent())))

    assert text[: len(text) + first.start_position] + first.text == expected


def test_commands_set_format_and_time_span(typed: Callable[..., list[tuple[str, str, str]]]) -> None:
    ran = typed(".output json", ENTER, ".timespan 7d", ENTER, "print 1", ENTER, ".timespan", ENTER, "print 2", ENTER)

    assert ran == [("print 1", "json", "7d"), ("print 2", "json", "")]


def test_commands_list_tables_and_columns(
    typed: Callable[..., list[tuple[str, str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    typed(".tables", ENTER, ".schema AlertInfo", ENTER, ".help", ENTER)

    shown = capsys.readouterr().out
    assert "AlertInfo\nCloudProcessEvents\nAlertId: string\n" in shown and ".timespan SPAN" in shown


def test_a_hunt_of_the_library_is_run(typed: Callable[..., list[tuple[str, str, str]]]) -> None:
    ((text, _, _),) = typed(".run crypto-miner", ENTER)

    assert "CloudProcessEvents" in text


@pytest.mark.parametrize("failure", [InvalidInput("no such column"), KeyboardInterrupt()])
def test_the_shell_goes_on_after_a_query_that_failed_or_was_stopped(
    typed: Callable[..., list[tuple[str, str, str]]], capsys: pytest.CaptureFixture[str], failure: BaseException
) -> None:
    assert len(typed("print 1", ENTER, "print 2", ENTER, failure=failure)) == 2
    assert isinstance(failure, KeyboardInterrupt) or "no such column" in capsys.readouterr().err


@pytest.mark.parametrize("command", [".output xml", ".schema Nope", ".what", "."])
def test_a_wrong_command_is_explained(
    typed: Callable[..., list[tuple[str, str, str]]], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    typed(command, ENTER)

    assert "expected" in capsys.readouterr().err


def test_quit_ends_the_shell(typed: Callable[..., list[tuple[str, str, str]]]) -> None:
    assert typed(".quit", ENTER, "print 1", ENTER) == []


def test_ctrl_c_drops_the_line(typed: Callable[..., list[tuple[str, str, str]]]) -> None:
    assert typed("print 1", CTRL_C, "print 2", ENTER) == [("print 2", "table", "")]


def test_the_history_is_the_users_alone(typed: Callable[..., list[tuple[str, str, str]]], state: Path) -> None:
    typed("print 1", ENTER)

    assert "print 1" in (state / "hunt-history").read_text()
    assert (state / "hunt-history").stat().st_mode & 0o777 == 0o600
