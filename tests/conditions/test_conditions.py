"""Conditions: checked at load, evaluated three-valued, and never able to take the process down."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from decide.scene import FIELDS, GOOD, START, reading
from hypothesis import given
from hypothesis import strategies as st

from cockpit.conditions.condition import Comparison, Condition, ConditionError, Outcome, compile_condition, context_of
from probes.reading import Field, Reason, Unknown, Value

PROBES = {"m": FIELDS, "n": (*FIELDS, Field("expires", datetime, "when it ends", datetime(2026, 6, 1, tzinfo=UTC)))}


def problems(source: str) -> list[str]:
    try:
        return [problem.message for problem in compile_condition(source).check(PROBES)]
    except ConditionError as error:
        return [error.message]


# -- what may be written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "m.running >= 2 && m.running == n.running",
        "m.rate > 0.05",
        "m.rate > 1",
        "m.running < 1.5",
        "!m.ok || !(n.ok && m.rate * 100.0 < 5.0)",
        "m.name == 'web' && m.name.startsWith(\"w\") && m.name in ['web', 'api']",
        "m.tags.exists(t, t == 'blue') && size(m.tags) > 0",
        "n.expires > timestamp('2026-01-01T00:00:00Z')",
        "n.expires - duration('24h') > timestamp('2026-01-01T00:00:00Z')",
        "m . ok",
        "m.\nok",
        "m.name == 'a.b > 1 && has(x)'",
        "-m.running < 0",
        "double(m.running) + m.rate > 1.0",
        "m.name == 'naïve ✓ 日本'",
    ],
)
def test_what_may_be_written(source: str) -> None:
    assert problems(source) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("m.runing < 1", "probe 'm' has no field 'runing'; did you mean 'running'?"),
        ("o.ok", "there is no probe 'o' in this plan; did you mean"),
        ("services.ok", "there is no probe 'services' in this plan"),
        ("m.ok || m.runing < 1", "did you mean 'running'?"),
        ("m.name == 'm.ok' && m.nam == 'x'", "did you mean 'name'?"),
    ],
)
def test_a_typo_never_survives_until_the_night_it_is_needed(source: str, message: str) -> None:
    assert [message in found for found in problems(source)] == [
        message != "there is no probe 'o' in this plan; did you mean"
    ]


def test_a_typo_is_pointed_at() -> None:
    (problem,) = compile_condition("m.ok &&   m.runing < 1").check(PROBES)
    assert (problem.offset, problem.length) == (12, 6)


def test_every_typo_is_found_in_one_pass() -> None:
    assert len(problems("m.x > 1 && n.y > 1 && m.ok")) == 2


@pytest.mark.parametrize(
    "source",
    [
        "m.running == 'two'",
        "m.ok == 1",
        "m.ok == 'true'",
        "m.name == 5",
        "m.name > 5",
        "5 == m.name",
        "m.running == m.name",
        "m.name in [1, 2]",
        "m.name in ['web', 2]",
        "m.running",
        "m.running + 1",
        "m.name",
        "m.ok && m.running",
        "m.ok || m.running",
        "m.ok || m.name > 3",
        "!m.running",
        "m.tags == 'blue'",
        "m.tags > 1",
        "n.expires > '2026-01-01'",
        "n.expires > 5",
        "m.name.size() == 'x'",
        "m.rate.x > 1",
        "m.running < 3 < 4",
        "m.name.frobnicate() == 'x'",
        "(m.running == 2) == 1",
    ],
)
def test_types_are_checked_at_load_also_behind_an_or(source: str) -> None:
    assert problems(source) != []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("m.ok and m.running = 2", ["'and' is not known here: write &&", "'=' compares nothing: write =="]),
        ("not m.ok OR m.ok", ["'not' is not known here: write !", "'OR' is not known here: write ||"]),
        ("m.ok == True", ["'True' is not known here: write true"]),
        ("m.rate > 5%", ["a percentage is a ratio: write 0.05"]),
        ("m.rate > 0.5% && m.ok", ["a percentage is a ratio: write 0.005"]),
        ("m.rate > 5 %", ["a percentage is a ratio: write 0.05"]),
        (
            "m.running <> 2 || m.running === 2",
            ["'<>' is not known here: write !=", "'===' is not known here: write =="],
        ),
        ("m.ok && 0.1 <m.rate <= 0.5", ["compares twice in a row: write 0.1 < m.rate && m.rate <= 0.5"]),
        (
            "m.rate % 5 > 1",
            ["'%' is refused: dividing by zero is no error in CEL; use a ratio probe, which knows its denominator"],
        ),
        ("m.rate < 200ms", ["a number has no unit here: the field's own is in its description; write 200"]),
        ("m.ok & m.ok", ["'&' joins nothing: write &&"]),
    ],
)
def test_what_other_languages_write_is_told_all_of_it_with_what_to_write(source: str, said: list[str]) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(source)
    errors = [caught.value, *caught.value.more]
    assert [each.message for each in errors] == said
    assert [each.offset for each in errors] == sorted(each.offset for each in errors)


def test_a_comprehensions_variable_may_not_hide_a_probe() -> None:
    assert problems("m.tags.exists(n, n == 'x') && n.ok") != []


@pytest.mark.parametrize(
    "source", ["", " ", "true", "1 < 2", "m", "m.", ".ok", "m.ok &&", "((m.ok)", "m.ok)", "'m.ok'", "# m.ok"]
)
def test_what_reads_nothing_or_cannot_be_parsed_is_refused_with_a_place(source: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(source)
    assert 0 <= caught.value.offset <= len(source)
    assert caught.value.length >= 1
    assert caught.value.message


@pytest.mark.parametrize(
    ("source", "word"),
    [("m.ok && has(m.rate)", "has"), ("m.rate / 2.0 > 1.0", "/"), ("m.ok && m == n", "m"), ("m.ok && 'x' in n", "n")],
)
def test_a_refusal_points_at_the_word(source: str, word: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(source)
    at = caught.value.offset
    assert source[at : at + caught.value.length] == word


def test_one_comprehension_is_enough() -> None:
    compile_condition("m.tags.all(t, t != 'x')")
    for nested in ("m.tags.all(t, m.tags.all(u, u == t))", "m.tags.map(t, t).exists(t, t == 'x')"):
        with pytest.raises(ConditionError, match="at most one"):
            compile_condition(nested)


def test_a_source_is_at_most_1000_characters() -> None:
    compile_condition("m.ok" + " " * 996)
    with pytest.raises(ConditionError, match="1,000"):
        compile_condition("m.ok" + " " * 997)


@pytest.mark.parametrize(
    "bomb",
    [
        " && ".join(["m.ok"] * 20_000),
        "(" * 20_000 + "m.ok" + ")" * 20_000,
        "!" * 900 + "m.ok",
        "(" * 490 + "m.ok" + ")" * 490,
        "[" * 490 + "m.ok" + "]" * 490,
        "m." * 490 + "ok",
        "-" * 900 + "m.rate > 1.0",
        "m.ok" + " && m.ok" * 124,
        "m.ok" + "\x00" * 10,
        "m.name == '" + "\U0001f4a9" * 900 + "'",
    ],
)
def test_a_bomb_does_not_go_off(bomb: str) -> None:
    with contextlib.suppress(ConditionError):
        assert isinstance(compile_condition(bomb), Condition)


@pytest.mark.parametrize(
    "odd", ["m.ok\u2028&& m.ok", "m\u200b.ok", "m.оk", "ｍ.ok", "m.ok\ud800", "'\ud800' == m.name", "m.ok\u202e"]
)
def test_weird_unicode_is_refused_not_misread(odd: str) -> None:
    with pytest.raises(ConditionError):
        compile_condition(odd)


PIECES = (
    "m n . ok rate running tags name && || ! ( ) [ ] == < > in 1 0.5 'x' \" ' all exists t , has size null true "
    "- + * / ? : { } r' \\ é u"
)
WORDS = st.sampled_from(PIECES.split())


@given(
    st.one_of(
        st.text(max_size=60), st.lists(WORDS, max_size=25).map("".join), st.lists(WORDS, max_size=25).map(" ".join)
    )
)
def test_fuzz_only_a_condition_or_a_condition_error(source: str) -> None:
    try:
        condition = compile_condition(source)
    except ConditionError:
        return
    condition.check(PROBES)
    contexts: tuple[dict[str, dict[str, Value]], ...] = ({}, {"m": GOOD, "n": GOOD}, {"m": {}})
    for context in contexts:
        outcome = condition.evaluate(context)
        assert outcome.truth is not None or outcome.unknown is not None
    assert condition.evaluate({}).truth is None, "true or false without having read anything"


@pytest.mark.parametrize(
    "source", ["m.ok || true", "m.ok && false", "1 < 2 || m.ok", "[].all(t, m.ok)", "m.ok || 'a' == 'a'"]
)
def test_a_condition_that_needs_no_reading_is_refused(source: str) -> None:
    with pytest.raises(ConditionError, match="always"):
        compile_condition(source)


# -- three values ----------------------------------------------------------------------------------------------------

NO = Unknown(Reason.ACCESS_DENIED, "no", "ask")


def truth(source: str, **values: bool | None) -> bool | None:
    """The outcome where `a` and `b` are fields of m; None is unknown."""
    known: dict[str, Value] = {name: value for name, value in values.items() if value is not None}
    unknown = {f"m.{name}": NO for name, value in values.items() if value is None}
    outcome = compile_condition(source).evaluate({"m": known}, unknown)
    if outcome.truth is None:
        assert outcome.unknown is NO
    return outcome.truth


@pytest.mark.parametrize(
    ("a", "b", "both", "either"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (True, None, None, True),
        (False, True, False, True),
        (False, False, False, False),
        (False, None, False, None),
        (None, True, None, True),
        (None, False, False, None),
        (None, None, None, None),
    ],
)
def test_kleene(a: bool | None, b: bool | None, both: bool | None, either: bool | None) -> None:
    assert truth("m.a && m.b", a=a, b=b) is both
    assert truth("m.a || m.b", a=a, b=b) is either
    assert truth("!(m.a && m.b)", a=a, b=b) is (None if both is None else not both)
    assert truth("!m.a || !m.b", a=a, b=b) is (None if both is None else not both)


def test_not_of_unknown_is_unknown() -> None:
    assert truth("!m.a", a=None) is None


@pytest.mark.parametrize("operator", ["==", "!=", "<", ">", "<=", ">="])
@pytest.mark.parametrize("hollow", [None, float("nan"), float("inf"), float("-inf"), ()])
def test_nothing_hollow_is_ever_compared(operator: str, hollow: object) -> None:
    outcome = compile_condition(f"m.rate {operator} 0.5").evaluate({"m": {"rate": hollow}})  # type: ignore[dict-item]
    assert outcome.truth is None
    assert outcome.unknown is not None
    assert outcome.unknown.reason is Reason.NO_DATA


def test_the_path_to_blame_is_named_with_the_probes_own_reason() -> None:
    outcome = compile_condition("m.ok && m.rate < 0.5").evaluate({"m": {"ok": True}}, {"m.rate": NO})
    assert (outcome.truth, outcome.unknown, outcome.path) == (None, NO, "m.rate")


def test_a_probe_that_was_never_read_is_warming() -> None:
    outcome = compile_condition("m.ok").evaluate({})
    assert outcome.unknown is not None
    assert outcome.unknown.reason is Reason.WARMING


def test_an_overflow_is_unknown() -> None:
    outcome = compile_condition("m.running * 9223372036854775807 > 1").evaluate({"m": {"running": 2}})
    assert outcome.truth is None
    assert outcome.unknown is not None
    assert outcome.unknown.reason is Reason.ERROR


HELD = st.sampled_from(
    [0, 1, 1.0, 0.5, True, False, "a", (), ("a",), None, Unknown(Reason.TIMEOUT), Unknown(Reason.NO_DATA)]
)
SEEN = st.dictionaries(st.sampled_from(["m.rate", "m.ok", "m.name", "m", "n.rate"]), HELD)


@given(SEEN, SEEN)
def test_where_a_condition_reads_the_same_it_comes_to_the_same(
    one: dict[str, object], other: dict[str, object]
) -> None:
    condition = compile_condition("m.rate > 0.5 || m.ok && n.rate <= 1.0")
    first, second = seen_by(one), seen_by(other)
    assert condition.read(*first) != condition.read(*second) or condition.evaluate(*first) == condition.evaluate(
        *second
    )


def test_a_whole_number_is_not_read_as_the_same_as_a_flag_or_a_fraction() -> None:
    condition = compile_condition("m.rate > 0.5")
    assert len({condition.read({"m": {"rate": held}}, {}) for held in (1, 1.0, True)}) == 3


def seen_by(held: dict[str, object]) -> tuple[dict[str, dict[str, Value]], dict[str, Unknown]]:
    """Values by probe and field, and what is unknown by path or by probe."""
    values: dict[str, dict[str, Value]] = {}
    for path, value in held.items():
        probe, _, name = path.partition(".")
        if name and not isinstance(value, Unknown):
            values.setdefault(probe, {})[name] = value  # type: ignore[assignment]
    return values, {path: why for path, why in held.items() if isinstance(why, Unknown)}


def test_context_of_readings_gives_values_and_reasons() -> None:
    values, unknown = context_of({"m": reading(START)})
    assert (values["m"], unknown) == (GOOD, {})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("m.rate > 0.05", [Comparison("m.rate", ">", 0.05)]),
        ("0.05 < m.rate", [Comparison("m.rate", ">", 0.05)]),
        ("m.rate>-1&&m.ok==true", [Comparison("m.rate", ">", -1.0), Comparison("m.ok", "==", literal=True)]),
        (
            "!(m.name != 'a b' || m.running <= 2)",
            [Comparison("m.name", "!=", "a b"), Comparison("m.running", "<=", 2.0)],
        ),
        ("m.rate * 2.0 > 0.1", []),
        ("m.running == n.running", []),
        ("m.name == 'x.y > 5'", [Comparison("m.name", "==", "x.y > 5")]),
    ],
)
def test_comparisons_of_a_path_with_a_literal(source: str, expected: list[Comparison]) -> None:
    assert list(compile_condition(source).comparisons) == expected


@pytest.mark.parametrize(("truth", "why"), [(None, None), (True, Unknown(Reason.TIMEOUT, "it says so"))])
def test_an_outcome_is_known_or_unknown_for_a_reason_and_nothing_else(truth: bool | None, why: Unknown | None) -> None:
    with pytest.raises(ValueError, match="unknown for a reason"):
        Outcome(truth, why)
