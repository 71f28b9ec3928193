"""What somebody writes who has other languages in mind, and what the cockpit answers: what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.plan.load import load_plan
from cockpit.plan.source.problems import PlanError

PLAN = """\
plan: v1
name: p
target: {account: "${account}"}
vars: {account: "123456789012"}
people: [{id: ann, name: Ann, roles: [sre]}]
probes:
  site: {uses: http.health, with: {url: "https://a.example"}}
  cert: {uses: tls.certificate, with: {host: a.example}}
  cpu: {uses: cloudwatch.metric, with: {namespace: AWS/SQS, metric: NumberOfMessagesSent, dimensions: {QueueName: q}, stat: Sum}}
gates: [{id: go, title: Go, before: deploy, poll: {roles: [sre], required: 1, valid_for: 30m}}]
success_criteria:
  - {id: good, title: G, success_condition: "site.latency_ms < 800"}
"""
WINDOW = 'window: {from: "30.12.2026 22:00", to: "2026-12-31T04:00", time_zone: Europe/Berlin}\n'
CASES = {
    "a number for an account": ('"123456789012"', "123456789012", 'the value of the var in quotes, account: "123456789012"'),
    "text in an ordering": ("< 800", "< '800'", "site.latency_ms is a number, but is compared with '800', text"),
    "a statistic in lower case": ("stat: Sum", "stat: sum", "Sum, Average, Minimum"),
    "an address for a host": ("host: a.example", 'host: "https://a.example"', "for example host: orders.example.com"),
    "quotation marks for print": ('"site.latency_ms < 800"', "\u201csite.latency_ms < 800\u201d", "a quotation mark for print"),
    "a sign for at most": ("< 800", "\u2264 800", "write <="),
    "another tool's braces": ("host: a.example", "host: {{ host }}", 'write "${name}"'),
    "a space that is none": ("  cert: {uses", "\u00a0\u00a0cert: {uses", "U+00A0"),
    "a sentence": ('"site.latency_ms < 800"', "the site answers quickly", "a sentence, not a condition"),
    "an id with a space": ("id: good", "id: all good", "a letter, then letters of English"),
    "a share of the time for success": ('800"}', '800", within: 5m}', "is of rollback triggers alone"),
    "a comma for thousands": ("< 800", "< 1,000", "a comma is no part of a number: write 1000"),
    "a comma for a point": ("< 800", "< 0,5", "a comma is no part of a number: write 0.5"),
    "a parameter beside with": (', with: {host: a.example}', ", host: a.example", "stands under with: {host: ...}"),
    "a mapping without its name": (", with: {host: a.example}", ", {host: a.example}", "has no name before it: write name: {"),
    "a condition's key misspelt": ("success_condition", "sucess_condition", "did you mean 'success_condition'?"),
    "roles that are no list": ("roles: [sre]}]\nprobes", "roles: sre}]\nprobes", "must be a list (- ...)"),
    "a date of another country": ("people:", WINDOW + "people:", 'in quotes, "2026-11-30T22:00"'),
    "a shell's variable": ("host: a.example", 'host: "${HOSTNAME_OF}"', "read the environment with ${env:HOSTNAME_OF}"),
    "a shell's variable without braces": ("host: a.example", "host: $HOST", "write ${HOST} for a var, ${env:HOST} for the"),
    "within an address": ("https://a.example", "https://$HOST/x", "a var is written ${name}"),
    "a condition in two kinds of quotes": ('"site.latency_ms < 800"', "'\"site.latency_ms < 800\"'", "leave the inner ones out"),
    "minutes and seconds": ('800"}', '800", for: 0:05}', "write a duration as 90s, 5m or 1h30m"),
    "an old word for true": ('800"}', '800", for: yes}', "write true or false, or put it in quotes"),
    "more votes than people": ("required: 1", "required: 2", "these roles have 1 person (ann)"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_mistake_is_one_message_that_says_what_to_write(name: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    load_plan(path, environ={})
    old, new, said = CASES[name]
    assert old in PLAN
    path.write_text(PLAN.replace(old, new))
    with pytest.raises(PlanError) as refused:
        load_plan(path, environ={})
    (problem,) = refused.value.problems
    assert said in problem.message
