"""Every action of the terminal, once. Bindings, footer, help and palette are all made from this list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a key does. `where` is "everywhere", "lists", "migration", "replay" or "rehearsal".

    `footer` ranks it for the footer (0: not there).
    """

    id: str
    key: str
    label: str
    help: str
    where: str = "everywhere"
    dangerous: bool = False
    footer: int = 0
    also: str = ""
    """Further keys for the same action, as Textual writes them."""

    @property
    def shown(self) -> str:
        """The key as people read it."""
        names = {
            "question_mark": "?",
            "slash": "/",
            "exclamation_mark": "!",
            "colon": ":",
            "escape": "esc",
            "ctrl+s": "^s",
            "f8": "F8",
            "f9": "F9",
            "space": "space",
            "right_square_bracket": "]",
            "left_square_bracket": "[",
            "full_stop": ".",
            "comma": ",",
            "greater_than_sign": ">",
            "less_than_sign": "<",
            "plus": "+",
            "minus": "-",
        }
        return names.get(self.key, self.key)

    @property
    def keys(self) -> str:
        return ",".join(filter(None, (self.key, self.also)))


ACTIONS: tuple[Action, ...] = (
    Action("go_cutover", "1", "Cutover", "Success criteria and rollback triggers"),
    Action("go_checklist", "2", "Checklist", "Every line of the checklist, by section"),
    Action("go_probes", "3", "Probes", "What can be seen, what cannot, and what to do about it"),
    Action("go_migration", "4", "Migration", "The files' move to S3: progress, guards, failures"),
    Action("go_rollback", "5", "Rollback", "What tripped, the decision, and the way back step by step"),
    Action("go_timeline", "6", "Timeline", "Every change of the verdict and of each state"),
    Action("go_runbook", "7", "Runbook", "The steps of the night: read, do, say what you saw"),
    Action(
        "evidence", "enter", "evidence", "Evidence for the selected line; folds a section heading", "lists", footer=1
    ),
    Action("back", "escape", "back", "Back to where you came from; never quits"),
    Action("filter", "slash", "filter", "Show only lines that contain a text", "lists", footer=2),
    Action("failing", "exclamation_mark", "failing", "Show only what stands in the way", "lists", footer=3),
    Action("sign", "s", "sign", "Sign the selected line: the question, what is seen now, your answer", "lists"),
    Action("next", "n", "next to sign", "Walk everything open that you can sign, one by one", "lists"),
    Action("mine", "y", "mine", "Show only what you can sign", "lists"),
    Action(
        "undo", "z", "take back", "Take back your sign-off, waiver or step; both entries stay in the record", "lists"
    ),
    Action("waive", "w", "waive", "Suspend the selected line for a while, with a reason", "lists"),
    Action("acknowledge", "a", "acknowledge", "Acknowledge what was true before the cutover began", "lists"),
    Action("vote", "v", "vote", "Say go, no-go or hold at a gate", "lists"),
    Action("begin", "f8", "begin", "Begin the deployment: the cutover's next phase"),
    Action("who", "i", "I am", "Say who is at this cockpit now"),
    Action("probe_now", "r", "read now", "Read the probes of the selected line now, or all of them", footer=4),
    Action("pause", "p", "pause", "Stop reading, loudly; again to go on"),
    Action("copy", "c", "copy", "Copy the because-line (clipboard and file)", "lists"),
    Action("link", "o", "link", "Show and copy the console or runbook link", "lists"),
    Action("save", "ctrl+s", "save", "Save an evidence bundle: screen, situation as text and JSON"),
    Action("arm", "f9", "arm", "Allow what changes the world, after typing the account; again to be read-only"),
    Action(
        "move_start",
        "m",
        "start",
        "Start the copy, go on with it, or verify what was copied",
        "migration",
        dangerous=True,
    ),
    Action("move_hold", "h", "hold", "Pause the migration, or let it go on", "migration", dangerous=True),
    Action("move_drain", "d", "drain", "End the run once what is in flight has ended", "migration", dangerous=True),
    Action("move_abort", "x", "abort", "End the run at once; nothing is lost", "migration", dangerous=True),
    Action("move_more", "plus", "more", "Allow twice as many uploads at once", "migration", dangerous=True),
    Action("move_fewer", "minus", "fewer", "Allow half as many uploads at once", "migration", dangerous=True),
    Action("move_rate", "b", "cap", "Cap files a second: 100, 500, 2,000, none", "migration", dangerous=True),
    Action("move_retry", "t", "retry", "Try quarantined files again", "migration", dangerous=True),
    Action(
        "move_purge",
        "u",
        "purge",
        "Empty the verified files' bytes: the point of no return",
        "migration",
        dangerous=True,
    ),
    Action("move_restore", "e", "restore", "Bring every file back to the database", "migration", dangerous=True),
    Action("faults", "f", "faults", "Break or mend something in the rehearsal", "rehearsal"),
    Action("crew", "g", "crew", "Let the crew sign, vote and move on", "rehearsal"),
    Action("play", "space", "play", "Play, or stop", "replay", footer=1),
    Action(
        "turn_next", "right_square_bracket", "next verdict", "To the next change of the verdict", "replay", footer=2
    ),
    Action("turn_last", "left_square_bracket", "last verdict", "Back to the last change of the verdict", "replay"),
    Action("step_next", "full_stop", "step", "To the next decision that changed anything", "replay"),
    Action("step_last", "comma", "step back", "Back to the last decision that changed anything", "replay"),
    Action("faster", "greater_than_sign", "faster", "Play faster", "replay"),
    Action("slower", "less_than_sign", "slower", "Play slower", "replay"),
    Action("help", "question_mark", "help", "This page", footer=5),
    Action("palette", "colon", "palette", "Find an action by its name", also="ctrl+p"),
    Action("quit", "q", "quit", "Leave the cockpit", footer=6, also="ctrl+q"),
)
SCREENS = tuple(action for action in ACTIONS if action.id.startswith("go_"))


SPEAKING = frozenset({"sign", "next", "undo", "waive", "acknowledge", "vote", "begin", "who"})
"""What a person says; see `speaking`."""
LIVE = SPEAKING | {"mine", "probe_now", "pause", "arm"}
"""What there is only while it happens."""


def available(*, rehearsal: bool, armed: bool = False, replay: bool = False) -> Iterator[Action]:
    """The actions there are now: dangerous ones only when armed, the rehearsal's and the replay's only in one."""
    for action in ACTIONS:
        if (action.where == "rehearsal" and not rehearsal) or (action.dangerous and not armed):
            continue
        if ((action.where == "replay") and not replay) or (replay and action.id in LIVE):
            continue
        yield action


PAGE_FOOTER = ("back", "copy", "link", "probe_now", "help", "quit")
HELP_FOOTER = ("back", "palette", "quit")
REPLAY_FOOTER = ("evidence", "play", "turn_next", "filter", "help", "quit")
CHECKLIST_FOOTER = ("evidence", "sign", "next", "failing", "help", "quit")
MIGRATION_FOOTER = ("move_start", "move_hold", "move_drain", "arm", "help", "quit")
CONFIRM_FOOTER = ("back",)
FAULTS_FOOTER = ("back", "crew", "pause", "help", "quit")


def footer(*, rehearsal: bool, of: Sequence[str] = (), armed: bool = False, replay: bool = False) -> list[Action]:
    """At most six keys, in order: those of a list, or those a page opened over one asks for."""
    of = of or (REPLAY_FOOTER if replay else ())
    actions = {action.id: action for action in available(rehearsal=rehearsal, armed=armed, replay=replay)}
    if of:
        return [actions[id_] for id_ in of if id_ in actions]
    return sorted((a for a in actions.values() if a.footer), key=lambda a: a.footer)[:6]
