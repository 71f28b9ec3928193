"""Every member of every table of states is shown by every front end: a new one needs no second place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tui.stage import Stage

from cockpit.decide.situation import Situation
from cockpit.decide.states import Check, GateState, State, StepState, Visibility, Word
from cockpit.plan.model import Kind
from cockpit.report.formats.situation_json import situation_json
from cockpit.report.formats.situation_text import situation_text
from cockpit.tui.views import lists
from probes.reading import Reason, Unknown


@pytest.fixture(scope="module")
def situation() -> Situation:
    return Stage().calm(2).situation


def shown(situation: Situation) -> str:
    """All that the terminal's lists, the text and the JSON say."""
    rows = [
        *lists.cutover(situation, lambda probe, field: ()),
        *lists.checklist(situation, set()),
        *lists.probes(situation, {}, {}),
    ]
    cells = (text.plain for row in rows for _, text in row.cells)
    return "\n".join((*cells, situation_text(situation), situation_json(situation)))


def with_criteria(situation: Situation, **changed: Any) -> Situation:
    return replace(situation, criteria=tuple(replace(status, **changed) for status in situation.criteria))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("state", list(State))
def test_every_state_of_a_criterion_is_shown(situation: Situation, state: State, kind: Kind) -> None:
    if kind in state.judging.kinds:
        assert f"{state.meaning.symbol} {state.label}" in shown(with_criteria(situation, state=state, kind=kind))


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_for_not_knowing_is_shown(situation: Situation, reason: Reason) -> None:
    unknown = Unknown(reason, "detail", "hint")
    there = with_criteria(situation, state=State.UNKNOWN, unknown=unknown)
    assert str(reason) in shown(there)
    for_people = "\n".join(text.plain for row in lists.cutover(there, lambda *_: ()) for _, text in row.cells)
    assert (str(reason) in for_people) is not reason.traits.is_own, "people are shown words, not a name of ours"


@pytest.mark.parametrize("check", list(Check))
def test_every_check_of_an_item_is_shown(situation: Situation, check: Check) -> None:
    sections = tuple(
        replace(section, items=tuple(replace(item, check=check) for item in section.items))
        for section in situation.sections
    )
    assert f"{check.meaning.symbol} {check.label}" in shown(replace(situation, sections=sections))


@pytest.mark.parametrize("word", list(Word))
def test_every_verdict_is_shown(situation: Situation, word: Word) -> None:
    assert f"{word.meaning.symbol} {word}" in shown(replace(situation, verdict=replace(situation.verdict, word=word)))


@pytest.mark.parametrize("visibility", list(Visibility))
def test_every_visibility_of_a_probe_is_shown(situation: Situation, visibility: Visibility) -> None:
    probes = tuple(replace(probe, visibility=visibility) for probe in situation.probes)
    assert f"{visibility.meaning.symbol} {visibility}" in shown(replace(situation, probes=probes))


@pytest.mark.parametrize("state", [*GateState, *StepState])
def test_every_state_of_a_gate_or_step_has_its_cell(state: GateState | StepState) -> None:
    assert lists.state_text(state).plain == f"{state.meaning.symbol} {state.label}"
