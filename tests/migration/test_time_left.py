"""The time that is left lies in the band that is shown, whatever a file and a byte take; pauses do not count."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.commands.migrate.migration_text import PIPED_S, Meter
from cockpit.migration.progress import Progress
from cockpit.migration.time_left import Pace, time_left

COUNT = st.integers(1, 10**6)
COST = st.floats(0, 1e3, allow_subnormal=False)


@given(COUNT, COUNT, COUNT, COUNT, COST, COST)
def test_the_truth_lies_in_the_band_whatever_files_and_bytes_take(
    done: int, done_bytes: int, left: int, left_bytes: int, a_file: float, a_byte: float
) -> None:
    took = a_file * done + a_byte * done_bytes
    band = time_left((left, left_bytes), (done, done_bytes), took)
    if took == 0:
        assert band is None
        return
    assert band is not None
    least, most = band
    truth = a_file * left + a_byte * left_bytes
    assert least * 0.999 <= truth <= most * 1.001


def test_nothing_is_said_before_anything_was_done() -> None:
    assert time_left((5, 5), (0, 0), 10.0) is None
    assert time_left((5, 5), (0, 0), 0.0) is None
    assert time_left((0, 0), (5, 50), 10.0) == (0.0, 0.0)


def test_a_pause_and_a_cap_of_long_ago_do_not_change_what_is_left() -> None:
    pace, files, now = Pace(), 0, 0.0
    for now in range(200):  # ten a second, then a pause of an hour, then ten a second again
        files += 10
        pace.seen(now, files, files * 100, moving=True)
    for now in range(200, 3800, 10):
        pace.seen(now, files, files * 100, moving=False)
    for now in range(3800, 3830):
        files += 10
        pace.seen(now, files, files * 100, moving=True)
    band = pace.left((300, 30_000), (3830.0, files, files * 100))
    assert band is not None
    assert list(band) == pytest.approx([30.0, 30.0])


def test_what_a_young_run_waited_for_is_not_counted_as_its_pace() -> None:
    """Guards had their first readings after 40 seconds; then ten files a second."""
    pace, files = Pace(), 0
    for now in range(40):
        pace.seen(now, 0, 0, moving=False)
    shown = []
    for now in range(40, 50):
        pace.seen(now, files, files * 100, moving=True)
        shown.append(pace.left((300, 30_000), (float(now), files, files * 100)))
        files += 10
    assert shown[0] is None
    assert {band for band in shown if band is not None} == {(30.0, 30.0)}
    assert shown[-1] is not None


def test_who_looks_for_the_first_time_goes_by_the_whole_run() -> None:
    assert Pace().left((300, 30_000), (600.0, 6_000, 600_000)) == (30.0, 30.0)


def test_in_a_pipe_a_line_comes_every_ten_seconds_and_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    written, now = io.StringIO(), [100.0]
    monkeypatch.setattr(sys, "stderr", written)
    meter = Meter("text", clock=lambda: now[0])
    for second in range(31):
        now[0] = 100.0 + second
        meter(Progress(prepared=True, run=1, active=True))
    assert len(written.getvalue().splitlines()) == 30 / PIPED_S + 1
    meter(Progress(prepared=True, run=1, active=False, outcome="done"))
    assert "done" in written.getvalue().splitlines()[-1]
