"""How what stands between now and GO is worded: who is asked, and what is behind it."""

from __future__ import annotations

import pytest
from decide.scene import CALM, Scene, ask, at, blind, item, probe, reading, success, trigger

from cockpit.plan.model import Item
from probes.reading import Reason

VPN = item("vpn", sign_off=ask("on_call"))
UPLOAD = item("upload", sign_off=ask("on_call"), killer=True)
BACKUP = item("backup", sign_off=ask("on_call"))


def test_who_may_sign_is_said_with_every_role_that_may() -> None:
    asked = ask("on_call", "db_owner")
    scene = Scene(*CALM, success("team", "", sign_off=asked), after=(item("vpn", sign_off=asked),)).feed("0")
    assert {step.subject: step.who for step in scene.situation.path_to_go} == dict.fromkeys(
        ("team", "vpn"), "on_call or db_owner"
    )


def test_what_was_there_before_is_the_cause_until_it_is_acknowledged() -> None:
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.05"))
    scene.board.add("m", reading(at(-15), {"rate": 0.2}))
    assert scene.feed("0.2").situation.verdict.cause == "m rate 20.0 % (limit 5.0 %)"
    step = scene.situation.path_to_go[0]
    assert (step.what, step.subject) == ("acknowledge: errors", "errors")


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ((VPN,), "vpn: needs sign-off: on-call"),
        ((VPN, BACKUP), "2 sign-offs are missing (vpn: needs sign-off: on-call)"),
        ((VPN, UPLOAD), "2 sign-offs are missing (1 critical: upload: needs sign-off: on-call)"),
        ((VPN, UPLOAD, BACKUP), "3 sign-offs are missing (1 critical: upload: needs sign-off: on-call)"),
    ],
)
def test_what_people_owe_is_one_reason_that_names_what_is_critical(items: tuple[Item, ...], reason: str) -> None:
    verdict = Scene(*CALM, after=items).feed("0").situation.verdict
    assert (verdict.reasons, verdict.cause) == ((reason,), "")


@pytest.mark.parametrize(("probes", "more"), [("m", ""), ("mn", " (+1 more cause)"), ("mnk", " (+2 more causes)")])
def test_what_cannot_be_seen_is_one_reason_by_its_widest_cause(probes: str, more: str) -> None:
    rules = [success(name, f"{name}.ok") for name in probes]
    scene = Scene(*rules, trigger("none", "m.running < 1"), probes=tuple(map(probe, probes)))
    for name, reason in zip(probes, (Reason.ACCESS_DENIED, Reason.NOT_FOUND, Reason.REFUSED), strict=False):
        scene.board.add(name, blind(at(15), reason, f"{name} fails", f"mend {name}"))
    verdict = scene.wait(15).situation.verdict
    assert verdict.reasons == (f"m fails: m (2 checks cannot be evaluated); mend m{more}",)
    assert verdict.cause == "m fails"


def test_what_waits_for_the_same_is_one_reason_and_what_waits_alone_is_named() -> None:
    scene = Scene(success("a", "m.ok"), success("b", "n.ok"), trigger("none", "m.running < 1"))
    assert scene.situation.verdict.reasons == ("3 checks: no reading yet",)
    assert scene.feed("0").situation.verdict.reasons == ("b UNKNOWN: no reading of n yet",)
