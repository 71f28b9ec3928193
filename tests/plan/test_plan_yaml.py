"""What YAML would quietly guess is refused, with its place and what to write instead."""

from __future__ import annotations

import pytest
from support.plans.written_plan import marked, own_probes, plan, problem, problems

from cockpit.plan.load import PlanError, load_text

__all__ = ["own_probes"]


@pytest.mark.parametrize(
    ("text", "mark", "says"),
    [
        ("verdict_dwell: 22:30:00\n", "22:30:00", "different number to different YAML readers"),
        ("environment: no\n", "no", "write true or false, or put it in quotes"),
        ("environment: ON\n", "ON", "write true or false, or put it in quotes"),
        ("environment: True\n", "True", "write true or false"),
        ("environment: 0123\n", "0123", "different number"),
        ("environment: 0x1F\n", "0x1F", "different number"),
        ("environment: 1_000\n", "1_000", "different number"),
        ("environment: .nan\n", ".nan", "different number"),
        ("environment: 1e999\n", "1e999", "too large"),
        ("environment: ~\n", "~", "has no value"),
        ("environment: null\n", "null", "has no value"),
        ("environment:\n", "", "has no value"),
        ("name: again\n", "name", "'name' is already given in line 2"),
        ("contacts: {a: x, b: y, a: z}\n", "a", "'a' is already given in line 9"),
        ("contacts: &x {a: b}\n", "&x {a: b}", "anchors are refused"),
        ("contacts: {<<: {a: b}}\n", "<<", "merges (<<) are refused"),
        ("contacts: {[a]: b}\n", "[a]: b}", "a key must be a word"),
        ("environment: !!python/object:os.system x\n", "!!python/object:os.system x", "is refused: plain values only"),
        ("environment: !site.ok\n", "!site.ok", 'the tag !site.ok is refused: put it in quotes, "!site.ok"'),
        ("environment: ! x\n", "! x", "the tag ! is refused"),
        ("environment: " + "x" * 30_000 + "\n", "x" * 30_000, "longer than 20,000 characters"),
    ],
)
def test_guesses_of_yaml_are_refused(text: str, mark: str, says: str) -> None:
    found = next(one for one in problems(text) if says in one.message)
    assert marked(found).strip() == mark


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("environment: a: b\n", 9, "put the text in quotes"),
        ("contacts:\n\ta: b\n", 10, "a tab in the indentation"),
        ("contacts: [1, 2\n", 9, "this [ is not closed: its ] is missing"),
        ("contacts: {a: b\npeople: []\n", 9, "this { is not closed: its } is missing, or a comma before line 10"),
        ("contacts: {a: 'b' c: d}\n", 9, "a comma or the closing } is missing before this"),
        ("contacts: {a: ${b}}\n", 9, "put ${...} in quotes"),
        ("environment: @x\n", 9, "text cannot begin with '@'"),
        ("environment: 'x\n\n\n", 9, "the file ends inside quotes"),
        ("---\nplan: v1\n", 9, "a second document begins here"),
        ("...\nplan: v1\n", 10, "a second document begins here"),
        ("just words\nhere: 1\n", 9, "without 'key: value'"),
        ("environment: !x!y z\n", 9, "tags (!...) are refused"),
    ],
)
def test_what_is_no_yaml_is_said_at_its_line(text: str, line: int, says: str) -> None:
    found = problem(text)
    assert says in found.message
    assert found.position.line == line
    assert "Traceback" not in str(found)


def test_aliases_are_refused_where_they_stand_and_never_followed() -> None:
    found = problems("contacts:\n  a: &a [x, x]\n  b: [*a, *a]\n")
    assert [marked(one) for one in found if "aliases" in one.message] == ["*a", "*a"]


def test_only_true_and_false_are_booleans_and_only_decimal_numbers_are_numbers() -> None:
    loaded = plan("vars: {a: true, b: false, c: 12, d: -0.5, e: 1e3, f: 2026-01-01, g: 'no', h: \"22:30\"}\n")
    assert loaded.name == "p"


def test_windows_line_ends_and_a_byte_order_mark_are_taken() -> None:
    text = "plan: v1\r\nname: p\r\nprobes:\r\n  live: {uses: sample.live, with: {target: x}}\r\nenvironment: no\r\n"
    with pytest.raises(PlanError) as caught:
        load_text(text, "p.yaml")
    (found,) = caught.value.problems
    assert (found.position.line, marked(found)) == (5, "no")


@pytest.mark.parametrize("text", ["", "  \n", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_plan_says_where_to_start(text: str) -> None:
    with pytest.raises(PlanError, match=r"prints a plan to start from|has no value"):
        load_text(text, "p.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "only words\n", "42\n", "[]\n"])
def test_something_else_than_a_mapping_is_no_plan(text: str) -> None:
    with pytest.raises(PlanError, match="is not a plan: a mapping"):
        load_text(text, "p.yaml")


def test_nesting_has_an_end() -> None:
    assert "nested deeper than 40" in problem("migration: " + "[" * 60 + "]" * 60 + "\n").message
    assert not any("nested" in found.message for found in problems("migration: {a: " + "[" * 30 + "]" * 30 + "}\n"))


def test_a_flood_of_values_is_refused() -> None:
    assert "more than 20,000 values" in problem("migration: [" + "a," * 30_000 + "]\n").message


@pytest.mark.parametrize("odd", ["\x1b", "\x07", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff", "\ufffe"])
def test_what_could_command_or_reorder_a_terminal_has_no_place_in_a_plan(odd: str) -> None:
    found = problem(f"environment: 'a{odd}b'\n")
    assert f"U+{ord(odd):04X}" in found.message
    assert odd not in str(found)
    assert found.position.line == 9


def test_invisible_characters_are_made_visible_in_a_problem() -> None:
    assert "\u200b" not in str(problem("bo\u200bgus: 1\n"))


def test_of_a_number_without_end_a_message_repeats_the_beginning() -> None:
    (found,) = problems(f"environment: 0x{'f' * 9_000}\n")
    assert "different number" in found.message
    assert max(map(len, found.lines)) < 250
