"""A step's command is copied as the plan has it, from its row and from its page: what is pasted is what was written."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from support.plans.shipped_plan import shipped_plan
from tui.stage import HERE, Stage, opened, plan, until
from tui.test_frame_everywhere import Unsigned

from cockpit.engine.operator_desk import Desk
from cockpit.plan.model import Plan, Step
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.lists import ListScreen

SHIPPED = ("alarms", "minimal", "orders", "quiet-night", "transparent-trust")
OPENED = frozenset({"stage", "transparent-trust-production"})
"""Plans whose steps' pages are opened too."""
ODD = "cat <<'EOF' > a.txt\n\tone [bold]\n\n  two \\\n  three\nEOF\nprintf '%s\\n' \"$HOME\"\n"


def commands(of: Plan) -> list[tuple[str, str]]:
    return [(step.id, step.command) for step in (*of.runbook, *of.rollback_plan) if step.command]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_command_is_one_a_shell_can_read(name: str) -> None:
    for step, command in commands(shipped_plan(name)):
        read = subprocess.run(["bash", "-n"], input=command, text=True, capture_output=True, check=False)
        assert (read.returncode, read.stderr) == (0, ""), step


def odd() -> Plan:
    return replace(plan(), runbook=(Step("odd", "A command of many lines", HERE, command=ODD),))


@pytest.mark.parametrize("of", [odd(), *map(shipped_plan, SHIPPED)], ids=lambda of: of.name)
async def test_a_command_is_copied_byte_for_byte(of: Plan) -> None:
    stage = Stage(of)
    app = CockpitApp(stage, desk=Desk(stage, Unsigned(stage)))
    async with opened(app, (100, 40)) as pilot:
        for key, steps in (("7", of.runbook), ("5", of.rollback_plan)):
            await pilot.press(key)
            for step in steps:
                if not step.command:
                    continue
                front = app.screen
                assert isinstance(front, ListScreen)
                front.grid.select(step.id)
                app.copy_to_clipboard("")
                await pilot.press("c")
                assert app.clipboard == step.command, step.id
                if of.name not in OPENED:
                    continue
                app.copy_to_clipboard("")
                await pilot.press("enter")
                await until(pilot, lambda: isinstance(app.screen, AnswerScreen) and bool(app.screen.query("#word")))
                await pilot.press("f6")
                await until(pilot, lambda step=step: app.clipboard == step.command)  # type: ignore[misc]
                await pilot.press("escape")
                await until(pilot, lambda: isinstance(app.screen, ListScreen))
        copied = app.saved_to / "copied.txt"
        assert not commands(of) or all(command in copied.read_text() for _, command in commands(of))
