"""`cockpit backtest`: a plan's criteria and triggers over the past, as the night would have judged it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import click

from cockpit.commands.live_session import WrongAccount, clients_of, clock_in_use, identify
from cockpit.commands.options import PLAN, PROFILE, REGION, VARIABLES, LiveOptions
from cockpit.commands.plan_loading import load
from cockpit.commands.progress_line import Progress
from cockpit.console import json_text, output, output_document, output_file
from cockpit.engine.trusted_plans import TrustedPlans
from cockpit.exit_codes import COULD_NOT_JUDGE, HOLD, USAGE
from cockpit.formatting import count
from cockpit.log_file import log_to_file
from cockpit.plan.model import Plan
from cockpit.stories.backtest.backtested import Backtested
from cockpit.stories.backtest.backtested_html import backtested_html
from cockpit.stories.backtest.backtested_text import backtested_json, backtested_junit, backtested_lines
from cockpit.stories.backtest.past_run import PastPlan, backtest, cost, past_plan, warm_up
from probes.clients.past_clients import PastClients
from probes.clients.threads import run_loop
from probes.periods import parse_duration

PastForm = Literal["text", "json", "html", "junit"]
CLOUDWATCH_BEGAN = datetime(2009, 5, 17, tzinfo=UTC)
"""Nothing before that has a past."""
FREE_SERIES = 1_000
"""Of more series CloudWatch is asked only with --yes."""
PRICE_A_THOUSAND = 0.01
"""US dollars for a thousand metrics that GetMetricData is asked for; the list price in most regions."""


@click.command("backtest")
@PLAN
@click.option("--from", "since", required=True, metavar="TIME", help="2026-11-22T22:00Z, or 7d: so long ago.")
@click.option("--to", "until", default="0m", metavar="TIME", help="Likewise; default: now.")
@PROFILE
@REGION
@VARIABLES
@click.option("--format", "form", type=click.Choice(get_args(PastForm)), default="text", show_default=True)
@click.option("--out", default="", metavar="FILE", type=click.Path(dir_okay=False), help="Write it to a file.")
@click.option("--yes", is_flag=True, help=f"Ask for more than {FREE_SERIES:,} metrics without asking back.")
def main(
    plan: str,
    since: str,
    until: str,
    profile: str,
    region: str,
    variables: tuple[str, ...],
    form: PastForm,
    out: str,
    yes: bool,
) -> int:
    """Judge the past by a plan: when triggers would have tripped, when GO could have been had, what other limits would do.

    Reads CloudWatch metrics alone, and changes nothing; what has no past is listed. Exit code 1: a trigger would have
    tripped, or a criterion or GO was never met.
    """
    log_to_file()
    loaded = load(plan, variables)
    live = LiveOptions(profile, region, None, variables)
    now = clock_in_use().now()
    begins, ends = _span(since, until, now)
    past = past_plan(loaded, TrustedPlans().held_back(loaded, variables))
    if not any(True for _ in past.plan.criteria()):
        output("nothing of this plan has a past: none of its criteria reads a CloudWatch metric", err=True)
        return COULD_NOT_JUDGE
    price = cost(past, begins, ends, now)
    calls = f"{count(price.series, 'metric')}, {count(price.calls, 'call')} of GetMetricData"
    dollars = price.series * PRICE_A_THOUSAND / 1000
    output(f"asking for {calls}: {'less than a cent' if dollars < 0.01 else f'about ${dollars:.2f}'}", err=True)
    if price.series > FREE_SERIES and not yes:
        output(f"that is more than {FREE_SERIES:,} metrics: add --yes", err=True)
        return USAGE
    try:
        found = run_loop(_read(loaded, past, live, (begins, ends, now), price.too_old))
    except WrongAccount as wrong:
        output(str(wrong), err=True)
        return COULD_NOT_JUDGE
    if not any(each.points for each in found.series):
        output(*backtested_lines(found), err=True)
        return COULD_NOT_JUDGE
    _show(found, form, out)
    return HOLD if any(True for _ in found.findings()) else 0


async def _read(
    plan: Plan, past: PastPlan, live: LiveOptions, span: tuple[datetime, datetime, datetime], notes: tuple[str, ...]
) -> Backtested:
    since, until, now = span
    clients = clients_of(plan, live, clock_in_use(), TrustedPlans().allowed_addresses(plan))
    over_past = PastClients(clients, since - warm_up(past.plan), until, now)
    progress = Progress("backtest", 0)

    def on_step(done: int, total: int, what: str) -> None:
        progress.total = total
        progress.at(done, what)

    try:
        await identify(plan, clients)
        return await backtest(plan, past, over_past, since, until, on_step, notes)
    finally:
        progress.done()
        await over_past.close()
        await clients.close()


def _span(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """From when to when; exit 64 for what is no time, or the wrong way round."""
    moments = []
    for name, text in (("--from", since), ("--to", until)):
        try:
            moments.append(_moment(text, now))
        except ValueError:
            output(f"{name} {text}: write 2026-11-22T22:00Z, or how long ago: 7d, 12h", err=True)
            raise SystemExit(USAGE) from None
    begins, ends = moments[0], min(moments[1], now)
    if ends - begins < timedelta(minutes=1):
        output(f"--from {since} is not before --to {until}, or not before now", err=True)
        raise SystemExit(USAGE)
    return begins, ends


def _moment(text: str, now: datetime) -> datetime:
    """Raises ValueError. Without a zone it is UTC; whole minutes, as periods begin."""
    try:
        moment = now - parse_duration(text)
    except OverflowError:
        raise ValueError(f"{text} is before the calendar begins") from None
    except ValueError:
        moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    except OverflowError:
        raise ValueError(f"{text} is outside the calendar") from None
    if moment < CLOUDWATCH_BEGAN:
        raise ValueError(f"{text} is before there was a CloudWatch")
    return moment


def _show(found: Backtested, form: PastForm, out: str) -> None:
    if form == "text" and not out:
        output(*backtested_lines(found))
    else:
        text = _text(found, form)
        if out:
            output_file(out, text)
        else:
            output_document(text)


def _text(found: Backtested, form: PastForm) -> str:
    match form:
        case "html":
            return backtested_html(found)
        case "junit":
            return backtested_junit(found)
        case "json":
            return json_text(backtested_json(found))
        case "text":
            return "".join(f"{line}\n" for line in backtested_lines(found))
