"""Each way in which a tool of this kind has read missing data as success, as a test with its name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decide.scene import CALM, FIELDS, GOOD, START, STEP, Scene, ask, at, blind, item, probe, reading, success, trigger

from cockpit.conditions.condition import ConditionError, compile_condition
from cockpit.decide.events import Change
from cockpit.decide.states import Check, State, Word
from cockpit.plan.model import Phase, Severity
from probes.low_volume import ratio
from probes.reading import MOST_AHEAD, Reading, Reason, Unknown, Value

# -- the first paragraph of the design -------------------------------------------------------------------------------


@pytest.mark.parametrize("hollow", [float("nan"), float("inf"), float("-inf"), None])
def test_failure_condition_over_nan(hollow: float) -> None:
    """A failureCondition over NaN reads Successful elsewhere. Here it is unknown, even from a probe that lets NaN out."""
    scene = Scene(trigger("errors", "m.rate > 0.05"), success("fine", "m.rate < 0.05")).give(rate=hollow)
    assert scene.state("errors") is State.UNKNOWN
    assert scene.reason("errors") is Reason.NO_DATA
    assert scene.state("fine") is State.UNKNOWN
    assert scene.word is Word.HOLD


def test_all_over_an_empty_list() -> None:
    """all() over an empty list is true."""
    scene = Scene(success("tagged", "m.tags.all(t, t == 'blue')"), CALM[1]).give(tags=())
    assert scene.state("tagged") is State.UNKNOWN
    assert scene.reason("tagged") is Reason.NO_DATA
    assert compile_condition("m.tags.all(t, t == 'x')").evaluate({"m": {"tags": ()}}).truth is None


def test_unresolvable_value_becomes_0() -> None:
    """An unresolvable value becomes 0 and passes `< 5`."""
    scene = Scene(success("few", "m.running < 5"), CALM[1])
    scene.board.add("m", Reading(START, START, {name: GOOD[name] for name in ("rate", "ok", "name", "tags")}))
    scene.tick()
    assert scene.state("few") is State.UNKNOWN
    assert scene.reason("few") is Reason.NO_DATA
    assert scene.word is Word.HOLD


def test_vanished_series_resolves_its_alert() -> None:
    """A vanished series resolves its alert. Here it stays TRIPPED, BLIND, and the latch stays too."""
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0]).feed("0.2 _x40")
    assert scene.state("errors") is State.TRIPPED
    assert "BLIND" in scene.of("errors").badges
    assert scene.word is Word.ROLLBACK


@pytest.mark.parametrize("reason", list(Reason))
def test_access_error_prints_pass(reason: Reason) -> None:
    """An access error prints PASS. Here no reason for not knowing ever passes an item or a criterion."""
    scene = Scene(*CALM, items=(item("bucket", "m.ok"),))
    for _ in range(20):
        scene.now += STEP
        scene.board.add("m", blind(scene.now, reason))
        scene.tick()
    assert scene.item("bucket").check is Check.UNKNOWN
    assert scene.word is Word.HOLD
    assert scene.situation.verdict.exit_code == 3


# -- what users of other tools complain about ------------------------------------------------------------------------


def test_a_run_in_which_every_measurement_errs_is_not_successful() -> None:
    assert Scene(*CALM).feed("errx30").word is Word.HOLD


def test_a_misnamed_metric_is_refused_at_load_not_passed_for_ever() -> None:
    problems = compile_condition("m.rat > 0.05").check({"m": FIELDS})
    assert [p.message for p in problems] == ["probe 'm' has no field 'rat'; did you mean 'rate'?"]


def test_a_plan_without_objectives_does_not_pass() -> None:
    scene = Scene(probes=(probe("m"),)).feed("0x10")
    assert scene.word is Word.HOLD
    assert "nothing is never GO" in scene.situation.verdict.reasons[0]


def test_one_failed_poll_does_not_reset_the_timer_of_a_suspicion() -> None:
    """pint#966: one failed scrape resets `for`, so the crash-looper never fires."""
    scene = Scene(trigger("errors", "m.rate > 0.05", hold_for=60), CALM[0]).feed("0.2 0.2 err 0.2 err 0.2")
    assert scene.state("errors") is State.TRIPPED


def test_one_bad_minute_at_low_traffic_is_neither_pass_nor_fail() -> None:
    """suna PR#3403 makes low volume pass; flagger makes it fail."""
    scene = Scene(*CALM).feed("low")
    assert scene.state("fine") is State.UNKNOWN
    assert scene.reason("fine") is Reason.LOW_VOLUME
    assert scene.state("quiet") is State.UNKNOWN
    assert scene.word is Word.HOLD


def few(scene: Scene, part: int, total: int, times: int, values: dict[str, Value] | None = None) -> Scene:
    """As many polls that each saw `part` of `total` requests fail, of the 20 that a rate needs."""
    for _ in range(times):
        scene.now += STEP
        rate = ratio(part, total, 20, "requests", "wait for traffic")
        assert isinstance(rate, Unknown)
        good = {name: value for name, value in {**GOOD, **(values or {})}.items() if name != "rate"}
        scene.board.add("m", Reading(scene.now, scene.now, good, {"rate": rate}))
        scene.tick()
    return scene


def test_few_requests_that_all_fail_are_surely_bad() -> None:
    """Eight of eight failed, below the floor of twenty: no wait for more can make that a good release."""
    scene = few(Scene(trigger("errors", "m.rate > 0.05", hold_for=60), CALM[0]), 8, 8, 6)
    assert scene.state("errors") is State.TRIPPED
    assert scene.word is Word.ROLLBACK
    assert "rate 38.7 % to 100.0 % (limit 5.0 %)" in scene.of("errors").because.line


def test_few_requests_are_surely_good_enough_where_the_limit_is_far() -> None:
    scene = few(Scene(success("half", "m.rate <= 0.5", hold_for=60), CALM[1]), 0, 14, 6)
    assert scene.state("half") is State.MET


def test_few_good_requests_prove_no_narrow_limit_and_say_what_is_missing() -> None:
    scene = few(Scene(success("low", "m.rate <= 0.05"), trigger("errors", "m.rate > 0.05")), 0, 14, 6)
    assert (scene.state("low"), scene.reason("low")) == (State.UNKNOWN, Reason.LOW_VOLUME)
    assert "14 of 20 requests" in scene.of("low").because.line
    assert scene.word is Word.HOLD


def test_little_evidence_is_not_the_support_of_what_another_probe_decides() -> None:
    """A bound decides only with the reading it is of: a slow probe's sample is no new one because a fast probe answers."""
    scene = Scene(trigger("errors", "m.rate > 0.05 && n.ok", hold_for=60), CALM[0])
    few(scene, 8, 8, 1)
    scene.feed("up", "n").feed("up", "n")
    assert scene.of("errors").because.samples == 1


def test_a_rollback_is_not_missed_while_waiting_at_a_gate_or_for_a_signature() -> None:
    """flagger#1801: 18 failed checks against a threshold of 5, and no rollback while waiting at a gate."""
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.05"), after=(item("sign", sign_off=ask()),)).feed("0.2")
    assert scene.word is Word.ROLLBACK


def test_a_rollback_is_not_masked_by_a_plan_that_could_never_be_go() -> None:
    assert Scene(trigger("errors", "m.rate > 0.05")).feed("0.2").word is Word.ROLLBACK


def test_the_newest_closed_period_cannot_be_read_as_current_nine_intervals_later() -> None:
    """Flagger looks back 10 intervals: a metric silent for 9 still reads as current."""
    scene = Scene(*CALM).feed("0x9")
    assert scene.word is Word.GO
    assert scene.feed("_x9").word is Word.HOLD
    assert scene.reason("fine") is Reason.STALE


def test_a_poll_that_keeps_answering_about_old_data_goes_stale_too() -> None:
    scene = Scene(*CALM).feed("0x9")
    old = scene.now
    for _ in range(9):
        scene.now += STEP
        scene.board.add("m", reading(scene.now, data_at=old))
        scene.tick()
    assert scene.reason("fine") is Reason.STALE
    assert scene.word is Word.HOLD


def test_data_a_little_ahead_does_not_stay_fresh_for_longer() -> None:
    scene = Scene(*CALM)
    scene.board.add("m", reading(at(15), data_at=at(15) + MOST_AHEAD))
    scene.now = at(15 + 46)
    scene.tick()
    assert scene.reason("fine") is Reason.STALE


def test_data_from_further_ahead_is_not_believed_and_says_so() -> None:
    scene = Scene(*CALM)
    scene.board.add("m", reading(at(15), data_at=at(15) + MOST_AHEAD + timedelta(seconds=1)))
    scene.now = at(15)
    scene.tick()
    assert scene.reason("fine") is Reason.ERROR
    (why, *_) = scene.board.readings.latest("m").unknown.values()  # type: ignore[union-attr]
    assert "0:01:01 after it was asked for" in why.detail
    assert "clock" in why.hint


def test_what_is_honest_wins_over_what_is_two_hours_ahead() -> None:
    scene = Scene(*CALM)
    scene.board.add("m", reading(at(15), values={"running": 0}, data_at=at(15) + timedelta(hours=2)))
    scene.board.add("m", reading(at(30), data_at=at(30)))
    scene.now = at(30)
    scene.tick()
    newest = scene.board.readings.histories["m"].samples[-1]
    assert newest.data_at == at(30)
    assert newest.values["running"] == GOOD["running"]


@pytest.mark.parametrize("wrong", ["2", "web", 2.5, True])
def test_a_value_of_the_wrong_type_is_unknown_not_unequal(wrong: object) -> None:
    """In CEL `"2" == 2` is false, not an error: a text where a number was due would quietly clear a trigger."""
    scene = Scene(trigger("none", "m.running == 0"), success("two", "m.running == 2")).give(running=wrong)  # type: ignore[arg-type]
    assert scene.reason("none") is Reason.ERROR
    assert scene.reason("two") is Reason.ERROR


def test_a_field_both_known_and_unknown_is_unknown() -> None:
    scene = Scene(*CALM)
    scene.board.add(
        "m", Reading(START, START, GOOD, {"ok": Unknown(Reason.PARTIAL), "running": Unknown(Reason.NO_DATA)})
    )
    scene.tick()
    assert scene.reason("quiet") is Reason.NO_DATA


def test_a_period_that_could_not_be_read_again_does_not_undo_what_was_read() -> None:
    """The same period asked twice, the second time in vain: TRIPPED must not vanish with it."""
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0], probes=(probe("m", period=60),))
    scene.board.add("m", reading(at(70), {"rate": 0.2}, data_at=at(60)))
    half = {name: GOOD[name] for name in ("running", "ok", "name", "tags")}
    scene.board.add("m", Reading(at(85), at(60), half, {"rate": Unknown(Reason.THROTTLED)}))
    scene.now = at(85)
    scene.tick()
    assert scene.state("errors") is State.TRIPPED
    assert scene.word is Word.ROLLBACK


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_period_polled_again_does_not_change_when_it_was_known(order: tuple[int, int]) -> None:
    """Else each poll would move the trip, the dwell and what a dismissal covers."""
    polls = [reading(at(observed), {"rate": 0.2}, data_at=at(10)) for observed in (15, 30)]
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0])
    scene.now = at(30)
    for index in order:
        scene.board.add("m", polls[index])
        scene.tick()
    assert scene.situation.verdict.since == at(15)


def test_a_period_corrected_later_does_not_take_back_a_rollback_already_shown() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0])
    scene.board.add("m", reading(at(15), {"rate": 0.2}, data_at=at(10)))
    scene.now = at(15)
    assert scene.tick().word is Word.ROLLBACK
    scene.board.add("m", reading(at(30), {"rate": 0.01}, data_at=at(10)))
    scene.now = at(30)
    scene.tick()
    assert scene.state("errors") is State.CLEAR
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.latch is not None
    assert scene.situation.verdict.latch.triggers == ("errors",)
    assert scene.situation.verdict.since == at(15)
    assert scene.dismiss("the period was corrected").word is Word.HOLD
    assert scene.wait(1).word is Word.HOLD


def test_a_restart_does_not_forget_an_undecided_rollback() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0]).feed("0.2")
    again = Scene(trigger("errors", "m.rate > 0.05"), CALM[0], record=scene.record)
    again.now = at(60)
    again.feed("0 0 0")
    assert again.state("errors") is State.CLEAR
    assert again.word is Word.ROLLBACK
    assert again.situation.verdict.latch is not None
    assert again.situation.verdict.latch.since == at(15)


def test_an_alarm_that_went_off_before_a_restart_is_not_pre_existing() -> None:
    """What began after the cutover did is its doing, whenever this cockpit was started."""
    from cockpit.decide.events import PhaseBegan, Record

    record = Record([PhaseBegan(at(-600), Phase.POST_DEPLOY)])
    scene = Scene(trigger("alarm", "!m.ok"), CALM[0], record=record)
    scene.board.add("m", reading(at(1), {"ok": False}, state_since=at(-300)))
    scene.now = at(1)
    assert scene.tick().word is Word.ROLLBACK


def test_one_bad_period_is_not_many_because_a_faster_probe_is_in_the_same_condition() -> None:
    """Repeated polls of the same period are one sample, also when another probe makes the condition look again."""
    probes = (probe("slow", interval=60, period=300), probe("m"))
    rule = trigger("both", "slow.rate > 0.05 && m.running >= 0", hold_for=300, gap_tolerance=600, stale_after=1200)
    scene = Scene(rule, CALM[0], probes=probes)
    scene.board.add("slow", reading(START, {"rate": 0.2}))
    scene.feed("0x30")
    assert scene.state("both") is State.PENDING
    assert scene.of("both").because.samples == 1


def test_a_slow_operand_does_not_slow_down_the_operand_that_decides() -> None:
    probes = (probe("slow", interval=60, period=300), probe("m"))
    rule = trigger("either", "slow.rate > 0.05 || m.running < 1", hold_for=60)
    scene = Scene(rule, CALM[0], probes=probes)
    scene.board.add("slow", reading(START))
    for _ in range(5):
        scene.now += STEP
        scene.give(running=0)
    assert scene.state("either") is State.TRIPPED


@pytest.mark.parametrize(
    "source",
    [
        "has(m.rate)",
        "m.rate / m.rate > 1.0",
        "m.running % 2 == 0",
        "m.ok ? true : false",
        "m.rate == null",
        "'rate' in m && m.ok",
        "m['rate'] > 0.5 && m.ok",
        "size(m) > 0 && m.ok",
        "m.ok && m != n && n.ok",
        "dyn(m.rate) == 'x'",
        "type(m.rate) == int",
        r"m.name == r'\' || has(m.rate) || m.name == r'\'",
        "m.name == '''a''' || m.ok",
        "m.tags.all(t, m.tags.exists(u, u == t))",
        "m.ok || {'a': m.rate} == {'a': 1}",
        "m.ok || optional.of(m.rate).hasValue()",
    ],
)
def test_constructs_that_could_read_unknown_as_something_are_refused(source: str) -> None:
    with pytest.raises(ConditionError):
        compile_condition(source)


def test_no_severity_and_no_mode_makes_unknown_healthy() -> None:
    for severity in (Severity.CRITICAL, Severity.MAJOR):
        scene = Scene(success("fine", "m.ok", severity=severity), trigger("quiet", "m.running < 1", severity=severity))
        assert scene.feed("deniedx10").word is Word.HOLD


def test_on_unknown_has_no_ok() -> None:
    from cockpit.plan.model import OnUnknown

    assert {choice.value for choice in OnUnknown} == {"hold", "rollback"}


def test_a_criterion_that_stopped_being_known_has_to_dwell_again() -> None:
    """GO, one permanent unknown, good again: GO comes after a whole dwell, not at once."""
    scene = Scene(*CALM).feed("0x9")
    assert scene.word is Word.GO
    assert scene.feed("denied").word is Word.HOLD
    assert scene.feed("0").word is Word.HOLD
    assert scene.feed("0x3").word is Word.HOLD
    assert scene.feed("0").word is Word.GO
    assert [c.after for c in scene.record.all(Change) if c.subject == "verdict"] == ["GO", "HOLD", "GO"]


def test_an_item_with_nothing_to_look_at_and_nobody_to_sign_is_never_ticked() -> None:
    assert Scene(*CALM, after=(item("empty"),)).feed("0x9").word is Word.HOLD


def test_a_literal_in_a_text_is_no_threshold() -> None:
    """`m.name == 'x.y > 5'` once made a threshold on probe x, which does not exist."""
    scene = Scene(success("named", "m.name == 'x.y > 5' || m.ok"), CALM[1]).feed("0")
    assert scene.state("named") is State.MET
    assert [t.path for t in scene.of("named").because.thresholds] == ["m.name"]
