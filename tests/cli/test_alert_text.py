"""Rendering of alerts for a terminal."""

from driftline.cli._shared.alert_text import render

ALERT = {
    "Timestamp": "2026-11-23T12:00:00.123Z",
    "AlertId": "id",
    "Title": "Program not in the image ran in web-1: wget",
    "Severity": "High",
    "FolderPath": "/tmp",
    "FileName": "wget",
    "DriftSubject": "binary",
    "DriftContent": "added",
    "DriftOrigin": "writable-layer",
    "KubernetesNamespace": "shop",
    "KubernetesPodName": "web-1",
    "ContainerName": "web",
    "ContainerId": "0123456789abcdef",
    "ProcessCommandLine": "/tmp/wget x",
    "ProcessId": 9,
    "ProcessTree": [
        {"pid": 8, "program": "/bin/sh", "command_line": "sh -c x"},
        {"pid": 1, "program": "[init]", "command_line": ""},
    ],
    "PolicyRule": "rule",
    "PolicyAction": "alert",
}  # fmt: skip


def test_an_alert_shows_program_container_process_tree_and_rule() -> None:
    text = render(ALERT).plain

    assert "ran      /tmp/wget  [binary  added  writable-layer]" in text
    assert "shop / web-1 / web  (0123456789ab)" in text
    assert "[init]  1\n           └ sh -c x  8\n             └ /tmp/wget x  9" in text
    assert "rule (alert)" in text


def test_control_characters_in_names_are_escaped() -> None:
    hostile = "\x1b[2J\x9b\r\n\u202e"
    text = render(ALERT | {"FileName": hostile, "ProcessCommandLine": hostile, "Title": hostile}).plain

    assert not set(text) & set("\x1b\x9b\r\u202e")
