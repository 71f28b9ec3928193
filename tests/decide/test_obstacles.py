"""How what stands between now and GO is worded: who is asked, and what is behind it."""

from __future__ import annotations

from decide.scene import CALM, Scene, ask, at, item, reading, success, trigger


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
