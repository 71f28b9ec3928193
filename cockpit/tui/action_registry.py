"""Every action of the terminal, once. Bindings, footer, help and palette are all made from this list."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum, auto
from typing import TypeVar

from probes.frozen import frozen

T = TypeVar("T")


class Handler(StrEnum):
    """Who carries an action out: each has a table of exactly the actions that name it, see `handled`."""

    SCREEN = auto()
    """Opens the main screen of the same id."""
    GENERAL = auto()
    DESK = auto()
    """What a person signs and decides."""
    MIGRATION = auto()
    REPLAY = auto()


class Where(StrEnum):
    """Where an action makes sense."""

    EVERYWHERE = auto()
    LISTS = auto()
    MIGRATION = auto()
    """On the Migration screen."""
    LIVE = auto()
    """While the cutover runs, not in a replay."""
    REPLAY = auto()
    REHEARSAL = auto()
    ROLLBACK = auto()
    """On the Rollback screen, while there is something to decide; its key may do something else elsewhere."""
    EVIDENCE = auto()
    """On a page of evidence; the same."""
    TYPED = auto()
    """On a page with a line to type in; the same."""


PLACED = frozenset({Where.ROLLBACK, Where.EVIDENCE, Where.TYPED})
"""Where a screen binds keys of its own, before those of every screen."""

_NAMED = {"slash": "/", "backslash": "\\", "at": "@", "minus": "-", "plus": "+", "underscore": "_", "escape": "esc"}
"""Keys that have other names in Textual than in Unicode, or longer ones than on the keyboard."""


def shown_key(key: str) -> str:
    """A key of Textual's, as people read it.

    >>> [shown_key(key) for key in ("slash", "question_mark", "ctrl+s", "f8", "f", "space")]
    ['/', '?', '^s', 'F8', 'f', 'space']
    """
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    if key[:1] == "f" and key[1:].isdigit():
        return key.upper()
    if key in _NAMED or key in ("space", "enter", "tab") or len(key) == 1:
        return _NAMED.get(key, key)
    for hyphens in range(key.count("_") + 1):  # "question mark", "greater-than sign"
        with suppress(KeyError):
            return unicodedata.lookup(key.replace("_", "-", hyphens).replace("_", " "))
    return key


@frozen
class Action:
    """One thing a key does. `footer` ranks it for the footer (0: not there)."""

    id: str
    key: str
    label: str
    help: str
    where: Where = Where.EVERYWHERE
    handler: Handler = Handler.GENERAL
    dangerous: bool = False
    footer: int = 0
    also: str = ""
    """Further keys for the same action, as Textual writes them."""

    @property
    def shown(self) -> str:
        """The key as people read it."""
        return shown_key(self.key)

    @property
    def keys(self) -> str:
        return ",".join(filter(None, (self.key, self.also)))


def _screen(id_: str, key: str, label: str, help_: str) -> Action:
    return Action(id_, key, label, help_, handler=Handler.SCREEN)


def _desk(id_: str, key: str, label: str, help_: str) -> Action:
    return Action(id_, key, label, help_, Where.LIVE, Handler.DESK)


def _decision(id_: str, key: str, label: str, help_: str) -> Action:
    return Action(id_, key, label, help_, Where.ROLLBACK, Handler.DESK)


def _migration(id_: str, key: str, label: str, help_: str) -> Action:
    return Action(id_, key, label, help_, Where.MIGRATION, Handler.MIGRATION, dangerous=True)


def _replay(id_: str, key: str, label: str, help_: str, footer: int = 0) -> Action:
    return Action(id_, key, label, help_, Where.REPLAY, Handler.REPLAY, footer=footer)


ACTIONS: tuple[Action, ...] = (
    _screen("go_cutover", "1", "Cutover", "Success criteria and rollback triggers"),
    _screen("go_checklist", "2", "Checklist", "Every line of the checklist, by section"),
    _screen("go_probes", "3", "Probes", "What can be seen, what cannot, and what to do about it"),
    _screen("go_migration", "4", "Migration", "The files' move to S3: progress, guards, failures"),
    _screen("go_rollback", "5", "Rollback", "What tripped, the decision, and the rollback step by step"),
    _screen("go_timeline", "6", "Timeline", "Every change of the verdict and of each state"),
    _screen("go_runbook", "7", "Runbook", "The steps of the cutover: read, do, describe the result"),
    Action(
        "evidence",
        "enter",
        "evidence",
        "Evidence for the selected line; folds a section heading",
        Where.LISTS,
        footer=1,
    ),
    Action("submit", "enter", "submit", "On a page with a line to type in: send what you typed", Where.TYPED),
    Action("back", "escape", "back", "Back to where you came from; never quits"),
    Action("top", "g", "top", "To the first line", Where.LISTS),
    Action("bottom", "G", "end", "To the last line", Where.LISTS),
    Action("filter", "slash", "filter", "Show only lines that contain a text", Where.LISTS, footer=2),
    Action("failing", "exclamation_mark", "failing", "Show only what is failing or missing", Where.LISTS, footer=3),
    _desk("sign", "s", "sign", "Sign the selected line: the question, what is seen now, your answer"),
    _desk("next", "n", "next to sign", "Go through everything open that you can sign, one by one"),
    Action("mine", "y", "mine", "Show only what you can sign", Where.LIVE),
    _desk("undo", "z", "withdraw", "Withdraw your sign-off, waiver or step; both entries stay in the record"),
    _desk("waive", "w", "waive", "Suspend the selected line for a while, with a reason"),
    _desk("acknowledge", "a", "acknowledge", "Acknowledge what was true before the cutover began"),
    _desk("vote", "v", "vote", "Vote go, no-go or hold at a gate"),
    _desk(
        "start_step",
        "f7",
        "start step",
        "Start the selected step of the runbook or the rollback, in its list or on its page",
    ),
    _desk("begin", "f8", "begin", "Begin the deployment: the cutover's next phase"),
    _desk("who", "i", "identify", "Identify yourself at this cockpit"),
    _desk(
        "accept",
        "A",
        "accept",
        "Accept by name: the AWS principal now in use, or that lines of others are missing",
    ),
    _decision("roll_back", "r", "roll back", "Decide to roll back, then go through the rollback plan"),
    _decision("fix_forward", "f", "fix forward", "Decide to stay on the new system and fix it"),
    _decision("dismiss", "d", "dismiss", "Dismiss the rollback, or withdraw the decision under way, with a reason"),
    Action(
        "probe_now", "r", "read now", "Read the probes of the selected line now, or all of them", Where.LIVE, footer=4
    ),
    Action("pause", "p", "pause", "Pause reading (shows a banner); again to resume", Where.LIVE),
    Action(
        "copy",
        "c",
        "copy",
        "Copy the reason, or a step's command as it is (clipboard and file)",
        Where.LISTS,
        also="f6",
    ),
    Action("link", "o", "link", "Show and copy the console or runbook link", Where.LISTS),
    Action("zoom_in", "plus", "closer", "Half the time on every chart", Where.EVIDENCE),
    Action("zoom_out", "minus", "farther", "Twice the time on every chart", Where.EVIDENCE),
    Action("save", "ctrl+s", "save", "Save an evidence bundle: screen, situation as text and JSON"),
    Action(
        "arm",
        "f9",
        "arm",
        "Enable keys that change production, after typing the account; again to be read-only",
        Where.LIVE,
    ),
    _migration("move_start", "m", "start", "Start or continue the copy, or verify what was copied"),
    _migration("move_hold", "h", "hold", "Pause the migration, or resume it"),
    _migration("move_drain", "d", "drain", "End the run once files in flight have finished"),
    _migration("move_abort", "x", "abort", "End the run at once; nothing is lost"),
    _migration("move_more", "plus", "more", "Allow twice as many uploads at once"),
    _migration("move_fewer", "minus", "fewer", "Allow half as many uploads at once"),
    _migration("move_rate", "b", "cap", "Cap files a second: 100, 500, 2,000, none"),
    _migration("move_retry", "t", "retry", "Try quarantined files again"),
    _migration("move_purge", "u", "purge", "Remove the verified files' bytes: the point of no return"),
    _migration("move_restore", "e", "restore", "Copy every file back to the database"),
    Action("faults", "f", "faults", "Inject or clear a fault in the rehearsal", Where.REHEARSAL),
    Action("crew", "C", "crew", "Let the crew sign, vote and move on", Where.REHEARSAL),
    _replay("play", "space", "play", "Play, or stop", footer=1),
    _replay("turn_next", "right_square_bracket", "next verdict", "To the next change of the verdict", footer=2),
    _replay("turn_last", "left_square_bracket", "last verdict", "Back to the last change of the verdict"),
    _replay("step_next", "full_stop", "step", "To the next decision that changed anything"),
    _replay("step_last", "comma", "step back", "Back to the last decision that changed anything"),
    _replay("faster", "greater_than_sign", "faster", "Play faster"),
    _replay("slower", "less_than_sign", "slower", "Play slower"),
    Action("notices", "N", "notices", "Every notice in full, with its time"),
    Action("help", "question_mark", "help", "This page", footer=5),
    Action("palette", "colon", "palette", "Find an action by its name", also="ctrl+p"),
    Action("suspend", "ctrl+z", "to the shell", "Stop the cockpit; fg continues it. Nothing is read meanwhile"),
    Action("quit", "q", "quit", "Leave the cockpit", footer=6, also="ctrl+q"),
)
SCREENS = tuple(action for action in ACTIONS if action.handler is Handler.SCREEN)


def handled(handler: Handler, table: Mapping[str, T]) -> Mapping[str, T]:
    """The table of a handler, by action id. Raises TypeError unless it has exactly the actions that name this handler."""
    wanted = {action.id for action in ACTIONS if action.handler is handler}
    if wanted != table.keys():
        raise TypeError(f"{handler} keys and the registry differ in: {', '.join(sorted(wanted ^ table.keys()))}")
    return table


IN_BROWSER = frozenset(
    {
        *(screen.id for screen in SCREENS),
        *(action.id for action in ACTIONS if action.where in (Where.LISTS, Where.REPLAY, Where.EVIDENCE)),
        *("back", "notices", "help", "palette", "quit"),
    }
) - {"copy", "link"}  # what they copy is written to a file as well
"""What looks and changes nothing, on this machine neither: all there is in a browser."""


def available(*, rehearsal: bool, armed: bool = False, replay: bool = False) -> Iterator[Action]:
    """The actions there are now: dangerous ones only when armed, the rehearsal's and the replay's only in one."""
    for action in ACTIONS:
        there = {Where.REHEARSAL: rehearsal, Where.REPLAY: replay, Where.LIVE: not replay, Where.ROLLBACK: not replay}
        if there.get(action.where, True) and (armed or not action.dangerous):
            yield action


def _keys(*ids: str) -> tuple[str, ...]:
    """The keys of a footer. Raises KeyError for one that is no action."""
    known = {action.id: action.id for action in ACTIONS}
    return tuple(known[id_] for id_ in ids)


PAGE_FOOTER = _keys("back", "copy", "link", "probe_now", "help", "quit")
HELP_FOOTER = _keys("back", "palette", "quit")
REPLAY_FOOTER = _keys("evidence", "play", "turn_next", "filter", "help", "quit")
CHECKLIST_FOOTER = _keys("evidence", "sign", "next", "failing", "help", "quit")
MIGRATION_FOOTER = _keys("move_start", "move_hold", "move_drain", "arm", "help", "quit")
TYPED_FOOTER = _keys("submit", "back")
FAULTS_FOOTER = _keys("back", "crew", "pause", "help", "quit")
STEPS_FOOTER = _keys("evidence", "start_step", "sign", "copy", "help", "quit")
DECIDE_FOOTER = _keys("evidence", "help", "quit")
"""Behind the keys of what can be decided now."""
EVIDENCE_FOOTER = _keys("back", "copy", "probe_now", "zoom_in", "help", "quit")


def footer(*, rehearsal: bool, of: Sequence[str] = (), armed: bool = False, replay: bool = False) -> list[Action]:
    """At most six keys, in order: those of a list, or those a page opened over one asks for."""
    of = of or (REPLAY_FOOTER if replay else ())
    actions = {action.id: action for action in available(rehearsal=rehearsal, armed=armed, replay=replay)}
    if of:
        return [actions[id_] for id_ in of if id_ in actions]
    return sorted((a for a in actions.values() if a.footer), key=lambda a: a.footer)[:6]
