"""A plan may name every probe of systems outside AWS, in the words their parameters have in YAML."""

from __future__ import annotations

import pytest

from cockpit.plan.load import PlanError, load_text
from probes.clients.clients import AwsOptions, Clients
from probes.registry import BUILT_IN, find

PLAN = """\
plan: v1
name: outside
environment: staging
target: {region: us-east-1}
vars: {url: "https://app.example.com"}
probes:
  cert: {uses: tls.certificate, with: {host: app.example.com, addresses: [203.0.113.10], timeout: 3s}}
  oauth: {uses: oauth.nextauth, with: {url: "${url}"}}
  migrations: {uses: prisma.migrations, with: {dsn: "postgresql://h/d", folder: prisma/migrations}}
  indexes: {uses: postgres.indexes, with: {dsn: "postgresql://h/d", indexes: [KnowledgeDocument.s3Key]}}
  seed: {uses: postgres.rows, with: {dsn: "postgresql://h/d", floors: {SkillCategory: 8}}}
  cache: {uses: redis.upstash, with: {url: "https://x.upstash.io"}}
  vendor: {uses: status.page, with: {url: "https://status.anthropic.com", components: [api.anthropic.com]}}
  llm: {uses: llm.models, with: {secret: app/anthropic-api-key, model: claude-sonnet-4-5}}
  slack: {uses: slack.webhook, with: {env: SLACK_WEBHOOK_URL}}
  trip: {uses: s3.roundtrip, with: {bucket: documents, consent: true}}
  tailnet: {uses: tailscale.status, with: {must_not_reach: "${url}"}}
  example: {uses: file.env_example, with: {required: [DATABASE_URL]}}
  hours: {uses: time.window, with: {days: [mon, tue], from: "22:00", to: "06:00", timezone: UTC}}
success_criteria:
  - id: all.good
    title: Everything outside is as it should be
    success_condition: >-
      cert.verified && cert.days_left > 14.0 && oauth.ok && migrations.up_to_date && indexes.ok && seed.enough
      && cache.answered && vendor.operational && llm.answers && slack.well_formed && trip.ok && tailnet.running
      && example.ok && hours.inside
    for: 5m
rollback_triggers:
  - id: oauth.broken
    title: Nobody can sign in
    failure_condition: "!oauth.ok"
    for: 3m
"""


def test_every_probe_outside_aws_can_be_planned_and_made() -> None:
    plan = load_text(PLAN, "plan.yaml", environ={})
    clients = Clients(AwsOptions())
    made = [find(spec.uses) for spec in plan.probes.values()]
    for kind, spec in zip(made, plan.probes.values(), strict=True):
        kind(kind.params_type.model_validate(dict(spec.params)), clients)
    assert len(made) == 13
    assert {kind.name for kind in made if kind.writes} == {"slack.webhook", "s3.roundtrip"}


def test_a_time_of_day_without_quotes_is_refused_with_its_place() -> None:
    with pytest.raises(PlanError, match="different number to different YAML readers"):
        load_text(PLAN.replace('"22:00"', "22:00"), "plan.yaml", environ={})


@pytest.mark.parametrize("name", [name for name in BUILT_IN if find(name).writes])
def test_a_probe_that_writes_does_not_without_consent(name: str) -> None:
    consent = find(name).params_type.model_fields["consent"]
    assert consent.default is False
