"""Every problem says where: the file, the line, the column, and the words themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plans.written_plan import HEAD, marked, own_probes, problem, problems

from cockpit.plan.source.source_file import Source
from cockpit.plan.source.yaml_tree import Tree, parse

__all__ = ["own_probes"]


def test_a_problem_reads_as_the_format_promises() -> None:
    text = "rollback_triggers:\n  - id: t\n    title: T\n    failure_condition: live.runing < 1\n"
    assert str(problem(text)) == (
        "p.yaml:12:29: rollback_triggers[0].failure_condition: "
        "probe 'live' (sample.live) has no field 'runing'; did you mean 'running'?\n"
        "    12 |     failure_condition: live.runing < 1\n"
        "       |                             ^^^^^^"
    )


@pytest.mark.parametrize(
    "written",
    [
        "live.ok && live.runing < 1",
        "'live.ok && live.runing < 1'",
        "'live.status != ''x'' && live.runing < 1'",
        '"live.ok && live.runing < 1"',
        '"live.status != \\"x\\" && \\u006Cive.ok && live.runing < 1"',
        "\"live.status != 'a\\tb' &&\\\n        live.runing < 1\"",
        "live.ok\n      && live.runing\n      < 1",
        "'live.ok\n\n      && live.runing < 1'",
        "|\n      live.ok\n        && live.runing < 1",
        ">-   # folded\n      live.ok\n\n      && live.runing < 1\n",
        "|2-\n        live.ok &&\n      live.runing < 1",
    ],
)
def test_a_condition_is_marked_in_every_way_of_writing_it(written: str) -> None:
    found = problem(f"success_criteria:\n  - id: c\n    title: C\n    success_condition: {written}\n")
    assert marked(found) == "runing"
    assert str(found).splitlines()[1].split("| ")[1] == found.source_line


@given(
    words=st.lists(st.text("abcé漢'\"\\#:-{}", min_size=1, max_size=6), min_size=1, max_size=8),
    at=st.integers(0, 7),
    style=st.sampled_from(["'", '"', "|", ">"]),
)
def test_any_word_is_found_in_any_style(words: list[str], at: int, style: str) -> None:
    value = " ".join(words)
    if style == "'":
        written = "'" + value.replace("'", "''").replace(" ", "\n  ", 1) + "'"
    elif style == '"':
        written = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace(" ", "\n  ", 1) + '"'
    else:
        written = f"{style}-\n  " + value.replace(" ", "\n  ")
    tree = Tree(Source.of(f"a: {written}\n", "p.yaml"))
    parse(tree)
    word = words[at % len(words)]
    offset = sum(len(w) + 1 for w in words[: at % len(words)])
    place = tree.within(("a",), tree.value["a"], offset, len(word))
    line = tree.source.line(place.position.line)
    found = line[place.position.column - 1 : place.position.column - 1 + place.length]
    if style == "'":
        found = found.replace("''", "'")
    elif style == '"':
        found = found.replace('\\"', '"').replace("\\\\", "\\")
    assert found == word


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    found = problems(
        "verdict_dwell: 5\n"
        "checklist:\n"
        "  - section: S\n"
        "    items:\n"
        "      - {id: i, title: I, expect: live.ok, blockin: false}\n"
        "      - {id: i, title: J, sign_off: {ask: x, roles: [nobody]}}\n"
        "      - {id: k, title: K}\n"
        "success_criteria:\n"
        "  - {id: c, title: C, sevrity: major, success_condition: live.runing == 2}\n"
        "  - {id: d, success_condition: 1}\n"
    )
    assert [(one.position.line, marked(one)) for one in found] == [
        (9, "5"),
        (13, "blockin"),
        (14, "i"),
        (14, "nobody"),
        (15, "{id: k, title: K}"),
        (17, "sevrity"),
        (17, "runing"),
        (18, "{id: d, success_condition: 1}"),
        (18, "1"),
    ]


def test_a_broken_probe_is_blamed_once_not_by_every_condition_on_it() -> None:
    head = HEAD.replace("uses: sample.live", "uses: sample.liv")
    found = problems("success_criteria: [{id: c, title: C, success_condition: live.ok && metric.ok}]\n", head=head)
    assert [one.message for one in found] == ["there is no probe 'sample.liv'; did you mean 'sample.live'?"]


def test_a_long_line_is_shown_around_the_mark() -> None:
    found = problem("contacts: {" + "a" * 90 + ": " + "b" * 300 + ", c: 5}\n")
    shown = str(found).splitlines()
    assert all(len(line) < 200 for line in shown[1:])
    assert shown[1][shown[2].index("^")] == "5"


def test_wide_characters_keep_the_mark_in_place() -> None:
    shown = str(problem("contacts: {漢字: 5}\n")).splitlines()
    assert shown[2].index("^") - shown[1].index("5") == 2  # two characters of two cells each


def test_a_password_written_into_a_plan_is_starred_out() -> None:
    head = HEAD.replace("target: x}}\npeople", "target: x, pasword: 'postgresql://me:hunter2@db/x'}}\npeople")
    said = str(problem("", head=head))
    assert "did you mean 'password'?" in said
    assert "hunter2" not in said
