"""Evidence: why a thing is as it is, wherever enter is pressed, in words that foreign text cannot twist."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui.stage import START, Stage, opened, shown, until

from cockpit.decide.events import Vote
from cockpit.tui import theme
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.pages import EvidenceScreen
from cockpit.tui.views.evidence import evidence
from cockpit.tui.views.lookup import change_of, find, is_known
from probes.reading import Evidence, Reading, Reason, Unknown

ESCAPES = "\x1b[2J\x1b]52;c;ZXZpbA==\x07 \u202ekcabllor\u202c"


WHY = {
    "criterion": (["1", "end", "up", "enter"], ["✗ TRIPPED", "errors.rate > 0.05", "plan.yaml:12:5", "r-1", "╌"]),
    "item": (["2", "down", "enter"], ["✓ PASS", "critical", "service.running == 2"]),
    "signed item": (["2", "down", "enter"], ["! TO SIGN", "Which address answered? (on-call)"]),
    "gate": (["2", "end", "enter"], ["Go / no-go", "○ open", "missing"]),
    "probe": (["3", "enter"], ["✓ SEES", "read 9 times, every 15s", "12.0 %", "https://console.example/ecs"]),
    "timeline entry": (["6", "enter"], ["✗ TRIPPED", "errors.rate > 0.05"]),
    "verdict": (["6", "down", "enter"], ["Verdict: HOLD → ROLLBACK", "AT THE SAME TIME", "✗ TRIPPED"]),
}


async def test_enter_says_why() -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app, (120, 40)) as pilot:
        for name, (keys, expected) in WHY.items():
            await pilot.press(*keys)
            assert isinstance(app.screen, EvidenceScreen), name
            for part in expected:
                assert part in shown(app), name


@pytest.mark.parametrize("stage", [Stage().burning(), Stage().blinded(), Stage()], ids=["burning", "blind", "new"])
@pytest.mark.parametrize("width", [36, 57, 77, 197])
def test_no_line_of_evidence_is_wider_than_its_page(stage: Stage, width: int) -> None:
    ids = [c.id for c in stage.situation.criteria] + [p.name for p in stage.situation.probes]
    ids += [item.id for section in stage.situation.sections for item in section.items]
    ids += [gate.id for gate in stage.situation.gates] + [f"change:{n}" for n in range(len(stage.changes()))]
    for id_ in ids:
        assert is_known(stage, id_)
        for line in evidence(stage, id_, width, 15).split("\n"):
            assert line.cell_len <= width, (id_, line.plain)


def test_on_a_short_terminal_what_decides_is_on_the_first_page() -> None:
    text = evidence(Stage().burning(), "errors.high", 57, 15).plain.split("\n")[:15]
    assert any("TRIPPED" in line for line in text)
    assert any("limit 5.0 %" in line for line in text)
    assert any("╌" in line for line in text)
    blind = evidence(Stage().blinded(), "errors.high", 57, 15).plain
    assert blind.count("allow ecs:DescribeServices") == 1
    assert "what to do: allow ecs:DescribeServices, then press r" in blind


def test_a_chart_is_red_where_a_trigger_holds_or_a_criterion_does_not() -> None:
    stage = Stage().calm(1)
    stage.saw(rate=0.5, running=1)
    for id_, red in (("errors.high", True), ("tasks.healthy", True), ("tasks.gone", False)):
        styles = {str(span.style) for span in evidence(stage, id_, 80, 30).spans}
        assert (theme.BAD_FILL in " ".join(styles)) is red, id_


def test_what_is_not_in_the_plan_has_no_evidence() -> None:
    stage = Stage()
    assert find(stage.situation, "nothing") is None
    assert not is_known(stage, "")
    assert change_of(stage, "change:999") is None
    assert change_of(stage, "change:x") is None
    assert "is not in this plan" in evidence(stage, "nothing", 60, 20).plain


def twisted() -> Stage:
    """Every text that comes from outside tries to steer the terminal."""
    stage = Stage().calm(1)
    why = Unknown(Reason.ACCESS_DENIED, f"denied [/b] {ESCAPES}", f"ask [bold] {ESCAPES}")
    seen = Evidence(f"query {ESCAPES}", "r-1", "https://c.example", (f"[/aws/x] {ESCAPES}", "tab\there"))
    stage.hand.time = stage.hand.now().replace(microsecond=0)
    for name in stage.plan.probes:
        now = stage.hand.now()
        stage.board.add(name, Reading(now, now, {}, dict.fromkeys(("rate", "running", "ok"), why), seen))
    stage.tick()
    return stage


async def test_foreign_text_cannot_steer_the_terminal_or_turn_its_words() -> None:
    app = CockpitApp(twisted())
    async with opened(app, (140, 45), notifications=True) as pilot:
        for keys in (["1"], ["2"], ["3"], ["6"], ["3", "enter"], ["2", "down", "enter"], ["1", "down", "enter"]):
            await pilot.press(*keys, "c")
            app.show_message(f"[/aws/x] {ESCAPES}")
            await pilot.pause()
            text = shown(app)
            assert not any(char in text for char in "\x1b\x07\u202e\u202c"), keys
            assert "[/aws/x]" in text
            assert not any(char in app.clipboard for char in "\x1b\x07\u202e\n")


async def test_copying_a_line_of_the_timeline_copies_the_change() -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        await pilot.press("6", "down", "c")
        assert app.clipboard.startswith("02:01:45 UTC verdict: HOLD → ROLLBACK: 500 error rate")
        await pilot.press("enter", "c")
        assert app.clipboard.startswith("02:01:45 UTC verdict: HOLD → ROLLBACK: 500 error rate")


async def test_copying_sends_osc_52(monkeypatch: pytest.MonkeyPatch) -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        sent: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", sent.append)
        await pilot.press("c")
        assert any(text.startswith("\x1b]52;c;") for text in sent)


@pytest.mark.parametrize("key", ["c", "ctrl+s"])
async def test_a_folder_that_cannot_be_written_is_told_and_ends_nothing(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    app = CockpitApp(Stage().burning())
    async with opened(app, (200, 24)) as pilot:  # room for the path on one line
        await pilot.press(key)
        await until(pilot, lambda: "Not a directory" in shown(app))
        assert app.is_running


async def test_a_bundle_can_be_saved_from_every_place(tmp_path: Path) -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        await pilot.press("6", "enter", "ctrl+s")
        await pilot.pause()
    folder = next(tmp_path.rglob("situation.json")).parent
    assert sorted(path.name for path in folder.iterdir()) == ["screen.svg", "situation.json", "situation.txt"]
    assert "TRIPPED" in (folder / "situation.txt").read_text()


async def test_evidence_is_renewed_while_it_is_open() -> None:
    stage = Stage().calm()
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press("end", "up", "enter")
        assert "CLEAR" in shown(app)
        stage.saw(rate=0.5)
        await pilot.pause()
        assert "BREACHING" in shown(app)


def test_a_gate_names_who_has_voted() -> None:
    stage = Stage().calm(0.5)
    vote = Vote(START, "go", "ada", "on_call", "go", plan_digest=stage.plan.digest)
    stage.record.append(vote)
    stage.tick()
    text = evidence(stage, "go", 60, 20).plain
    assert "votes" in text
    assert "go" in text.partition("votes")[2]


def test_a_page_keeps_its_styles_apart() -> None:
    text = evidence(Stage().burning(), "errors.high", 80, 20)
    assert not text.style
    line = Stage().burning().situation.criterion("errors.high").because.line
    at = text.plain.index(line)
    assert not any("bold" in str(span.style) for span in text.spans if span.start <= at < span.end)
