"""A text of others begins no line of a log, whichever character it tries it with."""

from __future__ import annotations

import logging

import pytest

from probes.log_lines import LogLines

FORGED = "2026-03-01 22:00:00 INFO cockpit: all is well"


@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2K\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\r\n"])
def test_a_text_of_others_begins_no_line_of_a_log(end: str) -> None:
    hostile = f"no answer{end}{FORGED}"
    try:
        raise ValueError(hostile)
    except ValueError as error:
        caught = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("probes", logging.WARNING, "", 1, "it said %s", (hostile,), caught)
    first, *rest = LogLines().format(record).splitlines()
    assert "it said no answer" in first
    assert all(line.startswith("  | ") for line in rest)
    assert any("Traceback" in line for line in rest)
