"""Risks, the application's environment, secrets and services: what is accepted, and what is refused with its place."""

from __future__ import annotations

import pytest
from support.plans.written_plan import own_probes, plan, problem

from cockpit.plan.summary import summarise
from cockpit.plan.surroundings import Level

__all__ = ["own_probes"]
ITEM = "checklist: [{section: S, items: [{id: i, title: I, expect: live.ok}]}]\n"
SECRET = "secrets: [{name: app/key, keys: [a]}]\n"


def test_they_are_read_and_shown() -> None:
    made = plan(
        ITEM
        + SECRET
        + "risks: [{id: r, title: R, level: high, risk: it breaks, watch: [i], ref: 'r.md:1'}]\n"
        + "environment_variables: [{name: KEY, secret: app/key}, {name: MODE, value: x, required: false}]\n"
        + "services: [{id: s, title: Store, at: https://s.example, probe: live}]\n"
        + "contacts: {slack: '#c', phone: {at: '112', ref: 'r.md:2'}}\n"
    )
    (risk,) = made.risks
    assert (risk.level, risk.watch, risk.ref) == (Level.HIGH, ("i",), "r.md:1")
    assert [(v.name, v.required, v.secret) for v in made.environment_variables] == [
        ("KEY", True, "app/key"),
        ("MODE", False, ""),
    ]
    assert made.secrets[0].keys == ("a",)
    assert (made.services[0].probe, made.services[0].position.line) == ("live", risk.position.line + 2)
    assert (made.contacts, made.contact_refs) == ({"slack": "#c", "phone": "112"}, {"phone": "r.md:2"})
    said = "\n".join(summarise(made))
    assert "1 high" in said
    assert "1 required, 1 of them from secrets; 1 optional" in said
    assert "Store" in said


def test_a_risk_nothing_would_show_is_named() -> None:
    assert "nothing would show r" in " ".join(summarise(plan("risks: [{id: r, title: R, risk: it breaks}]\n")))
    assert "nothing would show" not in " ".join(
        summarise(plan("risks: [{id: r, title: R, risk: x, level: accepted}]\n"))
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ITEM + "risks: [{id: r, title: R, risk: x, watch: [j]}]\n", "there is no item, criterion or guard 'j'"),
        ("risks: [{id: r, title: R, risk: x, level: huge}]\n", "'high'"),
        ("risks: [{id: r, title: R}]\n", "'risk' is missing"),
        ("risks: [{id: r, title: R, risk: x}, {id: r, title: R, risk: x}]\n", "the id 'r' is already used in line 9"),
        (SECRET + "environment_variables: [{name: K, secret: app/kez}]\n", "did you mean 'app/key'?"),
        (SECRET + "environment_variables: [{name: K, secret: app/key, value: v}]\n", "has no value here"),
        ("environment_variables: [{name: K}, {name: K}]\n", "the name 'K' is already used in line 9"),
        ("environment_variables: [{name: a b}]\n", "a b"),
        ("environment_variables: [{name: K, value: '${env:K}'}]\n", "may be secret"),
        ("secrets: [{name: s}, {name: s}]\n", "the name 's' is already used in line 9"),
        ("secrets: [{name: s, value: v}]\n", "there is no 'value' here"),
        ("services: [{id: s, title: S, at: x, probe: lief}]\n", "there is no probe 'lief' in this plan"),
        ("services: [{id: s, title: S}]\n", "'at' is missing"),
        ("contacts: {slack: {at: x, reff: z}}\n", "there is no 'reff' here"),
        ("contacts: {slack: [x]}\n", "must be text"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, said: str) -> None:
    assert said in str(problem(text, environ={"K": "hunter2"}))
