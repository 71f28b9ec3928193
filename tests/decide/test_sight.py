"""What can be seen: because-lines, blind spots, root causes. All green and all blind must never look alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decide.scene import CALM, GOOD, STEP, Scene, at, blind, item, probe, reading, seconds, success, trigger

from cockpit.decide.events import Waiver
from cockpit.decide.situation import RootCause
from cockpit.decide.states import State, Word
from cockpit.decide.visibility import cause_line, cause_text
from cockpit.plan.model import Mode, OnUnknown
from probes.reading import Evidence, Reading, Reason, Unknown

SLOW = probe("t", period=60, settle=30)
MANY = tuple(success(f"c{n}", "m.ok") for n in range(5))


def test_one_cause_seen_by_many_is_shown_once_with_the_count() -> None:
    scene = Scene(*MANY, trigger("t", "n.rate > 0.5"), items=(item("i", "m.ok"),))
    for name in ("m", "n"):
        scene.board.add(name, blind(at(0), Reason.EXPIRED_CREDENTIALS, f"{name} got 403", "run aws sso login"))
    (cause,) = scene.tick().situation.root_causes
    assert (cause.reason, cause.probes, len(cause.subjects)) == (Reason.EXPIRED_CREDENTIALS, ("m", "n"), 7)
    (reason,) = scene.situation.verdict.reasons
    assert reason == "m got 403: m, n (7 checks cannot be evaluated); run aws sso login"


def test_different_causes_are_told_apart_the_widest_first() -> None:
    scene = Scene(*MANY, trigger("t", "n.rate > 0.5"))
    scene.board.add("m", blind(at(0), Reason.ACCESS_DENIED, "no", "allow a"))
    scene.board.add("n", blind(at(0), Reason.ACCESS_DENIED, "no", "allow b"))
    assert [cause.hint for cause in scene.tick().situation.root_causes] == ["allow a", "allow b"]


def test_waiting_is_no_fault_to_be_found() -> None:
    assert Scene(*CALM).feed("low").situation.root_causes == ()


def test_blind_spots_are_a_share_of_the_enforced() -> None:
    scene = Scene(*MANY, trigger("t", "n.rate > 0.5"), success("s", "n.ok", mode=Mode.SHADOW)).feed("0")
    sight = scene.situation.sight
    assert (sight.enforced, sight.visible) == (6, 5)
    assert 0 < sight.share < 1
    assert Scene(*MANY).situation.sight.share == 0


def test_a_tripped_trigger_that_is_blind_is_not_seen() -> None:
    scene = Scene(trigger("t", "m.rate > 0.5")).feed("0.9 denied")
    assert scene.state("t") is State.TRIPPED
    assert scene.situation.sight.visible == 0


def test_the_oldest_data_is_the_age_of_data_not_of_the_poll() -> None:
    scene = Scene(*CALM, probes=(probe("m", period=60),))
    scene.now = at(30)
    scene.board.add("m", reading(at(30), data_at=at(0)))
    assert scene.tick().situation.sight.oldest == seconds(30)


def test_a_failed_poll_does_not_make_the_data_look_fresh() -> None:
    scene = Scene(success("fine", "m.ok", stale_after=600)).feed("0 err err")
    assert scene.of("fine").because.data_at == at(15)
    assert scene.situation.sight.oldest == 2 * STEP


def test_because_tells_value_threshold_window_samples_query_and_console() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05", hold_for=300))
    evidence = Evidence("cloudwatch get-metric-data", "req-1", "https://console", ("line",))
    scene.now = at(15)
    scene.board.add("m", reading(at(15), {"rate": 0.2}, evidence=evidence))
    because = scene.tick().of("errors").because
    for part in ("m rate 20.0 %", "limit 5.0 %", "breached 0s of 5m", "1 of 3 samples"):
        assert part in because.line
    assert (because.query, because.request_id, because.console_url) == (evidence.query, "req-1", "https://console")
    assert (because.samples, because.data_at, because.lines) == (1, at(15), ("line",))
    assert because.observed[0].value == 0.2
    assert because.thresholds[0].text == "> 5.0 %"


def test_a_threshold_written_backwards_is_the_same_threshold() -> None:
    because = Scene(trigger("errors", "0.05 < m.rate")).feed("0.2").of("errors").because
    assert [(t.path, t.operator, t.value) for t in because.thresholds] == [("m.rate", ">", 0.05)]


def test_what_cannot_be_seen_says_why_and_what_to_do() -> None:
    scene = Scene(*CALM)
    values = {name: GOOD[name] for name in GOOD if name != "ok"}
    scene.board.add("m", Reading(at(0), at(0), values, {"ok": Unknown(Reason.ACCESS_DENIED, "403", "allow s3:Get")}))
    assert scene.tick().of("fine").because.line == "ACCESS_DENIED: 403 (allow s3:Get)"
    assert scene.of("fine").because.observed[0].text == "unknown: ACCESS_DENIED"


def test_a_probes_status_tells_age_data_age_and_what_it_lacks() -> None:
    scene = Scene(*CALM, probes=(probe("m"), probe("n"))).feed("0").wait(10)
    seen, unseen = scene.situation.probes
    assert (seen.age, seen.data_age, seen.readings, seen.blind) == (seconds(10), seconds(10), 1, False)
    assert (unseen.age, unseen.data_age, unseen.readings, unseen.blind) == (None, None, 0, True)
    assert not scene.wait(40).situation.probes[0].stale
    assert scene.wait(0.001).situation.probes[0].stale
    assert scene.feed("0x3").situation.probes[0].readings == 4


def test_the_history_of_a_field_has_holes_where_it_was_unknown() -> None:
    scene = Scene(*CALM).feed("0.1 denied 0.2 denied")
    assert list(scene.board.readings.series("m", "rate")) == [
        (at(15), 0.1),
        (at(30), None),
        (at(45), 0.2),
        (at(60), None),
    ]
    assert list(scene.board.readings.series("nobody", "rate")) == []


def test_a_metric_later_than_its_settle_is_stale_by_the_lateness_that_was_measured() -> None:
    scene = Scene(success("fine", "t.ok", gap_tolerance=None, stale_after=None), CALM[1], probes=(SLOW, probe("m")))
    for lateness, said in ((0, "its settle of 30s"), (30, "its settle of 30s"), (31, "its lateness, measured as 31s")):
        scene.board.add("t", reading(scene.now + seconds(60), data_at=scene.now, lateness=seconds(lateness)))
        scene.wait(600)
        unknown = scene.of("fine").unknown
        assert unknown is not None
        assert unknown.hint == f"t comes later than {said}, or not at all: wait, or see Probes"


DARK = trigger("dark", "m.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=120)


@pytest.mark.parametrize(("after", "word"), [(120, Word.HOLD), (120.001, Word.ROLLBACK)])
def test_what_is_seen_again_at_its_limit_was_not_blind_for_too_long_and_a_moment_later_it_was(
    after: float, word: Word
) -> None:
    scene = Scene(DARK, CALM[0]).feed("0")
    scene.now += seconds(after)
    assert scene.give().word is word


def test_a_trip_for_not_being_seen_that_was_over_under_a_waiver_calls_for_nothing_at_its_end() -> None:
    scene = Scene(DARK, CALM[0])
    scene.say(Waiver(scene.now, "dark", "primary", "known", at(240), "on_call", "d1"))
    assert scene.feed("0 deniedx12 0x8").word is Word.GO


def test_what_one_answer_brings_of_several_periods_is_one_trip_for_not_having_been_seen_before_it() -> None:
    dark = replace(DARK, unknown_limit=seconds(30), stale_after=seconds(30))
    scene = Scene(dark, CALM[0])
    scene.board.add("m", reading(at(22), data_at=at(20)))
    scene.board.add("m", reading(at(60), data_at=at(58), earlier=(reading(at(60), data_at=at(25)),)))
    assert [trip.since for trip in scene.board.evaluate(dark, at(0), at(60)).trips] == [at(50)]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("again", "trips"), [(32, []), (47, []), (47.001, [47]), (60, [47])])
def test_what_a_metric_tells_late_makes_nobody_blind_who_saw_the_live_probe_since(
    again: float, trips: list[float], backwards: bool
) -> None:
    """Either of them clears it. At 60 t tells of 30, when m was last seen at 17 by the time of the data, and again since."""
    dark = trigger(
        "dark", "t.rate > 0.1 && m.rate > 0.1", on_unknown=OnUnknown.ROLLBACK, unknown_limit=30, stale_after=30
    )
    scene = Scene(dark, CALM[0], probes=(probe("t", period=30, settle=30), probe("m")))
    polls = [("m", reading(at(17))), ("m", reading(at(again))), ("t", reading(at(60), data_at=at(30)))]
    for name, answer in reversed(polls) if backwards else polls:
        scene.board.add(name, answer)
    assert [trip.since for trip in scene.board.evaluate(dark, at(0), at(62)).trips] == [at(since) for since in trips]


def test_what_cannot_be_read_does_not_trip_while_its_data_may_still_be_as_old_as_it_was_measured_to_come() -> None:
    """Ten minutes late, eight more than it settles in: what was read of the first minute counts for 800 seconds."""
    dark = trigger("dark", "t.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=60, stale_after=None)
    scene = Scene(dark, CALM[0], probes=(probe("t", period=60, settle=120), probe("m")))
    scene.now = at(700)
    scene.board.add("t", reading(scene.now, data_at=at(60), lateness=seconds(600)))
    scene.board.add("t", blind(scene.now + STEP, Reason.ACCESS_DENIED))
    assert scene.wait(160).word is Word.HOLD
    assert scene.of("dark").unknown is not None
    assert scene.wait(1).word is Word.ROLLBACK


def test_a_cause_is_named_by_what_it_is_about_where_its_detail_ends_with_that() -> None:
    scene = Scene(*CALM).feed("0")
    scene.board.add("m", blind(at(30), Reason.NOT_FOUND, "no answer (secret app/key)"))
    (cause,) = scene.wait(15).situation.root_causes
    assert cause_text(cause) == "secret app/key not found"
    assert cause_text(replace(cause, detail="x" * 71)) == "x" * 69 + "\N{HORIZONTAL ELLIPSIS}"
    assert cause_text(replace(cause, detail="x" * 70)) == "x" * 70
    assert cause_text(replace(cause, detail="")) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("probes", "named"),
    [("", ""), ("a", ": a"), ("abcd", ": a, b, c, d"), ("abcde", ": a, b, c, d, +1"), ("abcdefg", ": a, b, c, d, +3")],
)
def test_the_line_of_a_cause_names_four_probes_and_says_how_many_more(probes: str, named: str) -> None:
    cause = RootCause(Reason.TIMEOUT, "no answer", "", tuple(probes), ("fine", "quiet"))
    assert cause_line(cause) == f"no answer{named} (2 checks cannot be evaluated)"


def test_the_history_of_a_field_ends_with_the_newest_poll_that_could_not_read_it() -> None:
    """Of a metric: a call that failed is about no period, and is a hole all the same."""
    scene = Scene(*CALM, probes=(SLOW, probe("m")))
    scene.board.add("t", reading(at(60), data_at=at(0)))
    scene.board.add("t", blind(at(75), Reason.ACCESS_DENIED))
    assert list(scene.board.readings.series("t", "rate")) == [(at(0), 0.0), (at(75), None)]
    scene.board.add("t", reading(at(90), data_at=at(0)))
    assert list(scene.board.readings.series("t", "rate")) == [(at(0), 0.0)]


def test_what_is_older_than_twelve_hours_is_forgotten_and_what_it_came_to_is_not() -> None:
    scene = Scene(success("fine", "m.ok"), trigger("errors", "m.rate > 0.05", hold_for=30), probes=(probe("m"),))
    scene.feed("0.2x4 0x60")
    before = scene.state("errors"), scene.situation.verdict.latch is not None
    assert before[1]
    since = scene.situation.verdict.since
    for _ in range(14):
        scene.now += seconds(3600)
        scene.board.add("m", reading(scene.now))
        scene.tick()
    assert len(scene.board.readings.histories["m"].times) < 20
    latch = scene.situation.verdict.latch
    assert latch is not None
    assert latch.since == since
    assert scene.of("fine").state is State.MET
    for late in (-13, -3):
        scene.board.add("m", reading(scene.now, {"rate": 0.5, "ok": False}, data_at=scene.now + seconds(3600 * late)))
    assert scene.tick().of("fine").state is State.MET


def test_the_history_of_a_field_is_right_after_older_data_and_a_correction_came_between_two_looks() -> None:
    scene = Scene(*CALM).feed("0.1 _ 0.3")
    assert [rate for _, rate in scene.board.readings.series("m", "rate")] == [0.1, 0.3]
    scene.board.add("m", reading(scene.now, {"rate": 0.2}, data_at=at(30)))
    scene.board.add("m", reading(scene.now + seconds(1), {"rate": 0.4}, data_at=at(45)))
    assert [rate for _, rate in scene.board.readings.series("m", "rate")] == [0.1, 0.2, 0.4]
    scene.board.add("m", reading(scene.now + seconds(2), {"rate": 0.5}, data_at=at(30)))
    assert [rate for _, rate in scene.board.readings.series("m", "rate")] == [0.1, 0.5, 0.4]


def test_the_history_of_a_field_is_right_after_older_data_came_and_as_much_was_forgotten() -> None:
    readings = Scene(*CALM).feed("0.1 _ 0.3").board.readings
    assert [rate for _, rate in readings.series("m", "rate")] == [0.1, 0.3]
    readings.add("m", reading(at(46), {"rate": 0.2}, data_at=at(30)))
    readings.forget_before(at(16))
    assert [rate for _, rate in readings.series("m", "rate")] == [0.2, 0.3]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_the_history_of_a_field_is_right_whatever_came_between_two_looks(looks: int) -> None:
    readings = Scene(*CALM).feed("0.1 _ 0.3").board.readings
    for look in range(looks):
        readings.add("m", reading(at(46), {"rate": 0.2}, data_at=at(30 - look)))
        readings.add("m", reading(at(60 + look), {"rate": 0.4}))
        between, later = [0.2] * (look + 1), [0.4] * (look + 1)
        assert [rate for _, rate in readings.series("m", "rate")] == [0.1, *between, 0.3, *later]
    readings.add("m", reading(at(75), {"rate": 0.5}))
    readings.forget_before(at(16))
    assert [rate for _, rate in readings.series("m", "rate")] == [*between, 0.3, *later, 0.5]


def test_the_same_answer_about_one_moment_is_kept_once_however_often_it_comes() -> None:
    readings = Scene(*CALM).board.readings
    news = [readings.add("m", reading(at(asked), {"rate": 0.1}, data_at=at(60))) for asked in range(60, 120)]
    assert news == [[at(60)], *[[]] * 59], "nothing else is new"
    (kept,) = readings.histories["m"].answers[at(60)]
    assert len(kept.times) == 60


def test_two_answers_about_one_moment_that_saw_nothing_are_nothing_seen() -> None:
    scene = Scene(*CALM)
    for reason in (Reason.TIMEOUT, Reason.ACCESS_DENIED):
        scene.board.add("m", blind(scene.now, reason))
    assert scene.tick().state("fine") is State.UNKNOWN
    (sample,) = scene.board.readings.histories["m"].samples
    assert (dict(sample.values), sample.state_since, sample.observed_at) == ({}, None, scene.now)


def test_a_failure_that_may_pass_hides_none_beside_it_that_has_gone_on_for_too_long() -> None:
    either = trigger("either", "m.rate > 0.05 || n.rate > 0.05", stale_after=600, gap_tolerance=600)
    scene = Scene(success("fine", "k.ok"), either, probes=tuple(map(probe, "mnk")))
    seen = []
    for m, n in [("up", "up")] * 6 + [("up", "throttled")] * 4 + [("timeout", "throttled")] * 2:
        scene.now += STEP
        for name, poll in (("m", m), ("n", n), ("k", "up")):
            why = {"timeout": Reason.TIMEOUT, "throttled": Reason.THROTTLED}.get(poll)
            scene.board.add(name, blind(scene.now, why) if why else reading(scene.now))
        seen.append(scene.tick().state("either"))
    assert seen == [State.CLEAR] * 9 + [State.UNKNOWN] * 3
