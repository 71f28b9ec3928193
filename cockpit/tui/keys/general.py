"""What the keys do that every screen has, or every list: help, filter, copy, save, arm ..."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.tui.action_registry import Handler, handled
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.confirm import ConfirmScreen
from cockpit.tui.screens.pages import FaultsScreen, HelpScreen, NoticesScreen
from cockpit.tui.views import evidence_bundle
from cockpit.tui.views.lookup import find, read_again

if TYPE_CHECKING:
    from cockpit.tui.cockpit import Cockpit


class GeneralKeys:
    """Each method does one action of the registry."""

    def __init__(self, cockpit: Cockpit) -> None:
        self._cockpit = cockpit

    def do(self, action: str) -> None:
        KEYS[action](self)

    @property
    def _front(self) -> FrameScreen | None:
        front = self._cockpit.screen
        return front if isinstance(front, FrameScreen) else None

    @property
    def _subject(self) -> str:
        return self._front.subject() if self._front is not None else ""

    # -- this screen -------------------------------------------------------------------------------------------------

    def _back(self) -> None:
        if self._front is not None and not self._front.back():
            self._cockpit.leave()

    def _evidence(self) -> None:
        if self._front is not None:
            self._front.open_selected()

    def _submit(self) -> None:
        if self._front is not None and self._front.offers("submit"):
            self._front.submit()
        else:
            self._cockpit.refuse("there is no line to type in here")

    def _filter(self) -> None:
        if self._front is not None:
            self._front.open_filter()

    def _failing(self) -> None:
        if self._front is not None:
            self._front.toggle_failing()

    def _top(self) -> None:
        if self._front is not None:
            self._front.to_edge(top=True)

    def _bottom(self) -> None:
        if self._front is not None:
            self._front.to_edge(top=False)

    def _zoom(self, by: int) -> None:
        if self._front is not None and self._front.offers("zoom_in"):
            self._front.zoom(by)
        else:
            self._cockpit.refuse("charts are on a line's evidence: press enter on it first")

    def _zoom_in(self) -> None:
        self._zoom(1)

    def _zoom_out(self) -> None:
        self._zoom(-1)

    def _mine(self) -> None:
        if self._front is not None:
            self._front.toggle_mine()

    # -- this line ---------------------------------------------------------------------------------------------------

    def _probe_now(self) -> None:
        subject = find(self._cockpit.cutover.situation, self._subject)
        because = getattr(subject, "because", None)
        names = because.probes if because is not None else [getattr(subject, "name", "")] if subject else []
        if self._subject:  # what blinds it blinds others too: all of them are read again
            names = list(dict.fromkeys((*names, *read_again(self._cockpit.cutover.situation, self._subject))))
        for name in names or [""]:
            self._cockpit.cutover.probe_now(name)
        self._cockpit.show_message(f"reading {', '.join(names) if names and names[0] else 'every probe'}")

    def _copy(self) -> None:
        cockpit, front = self._cockpit, self._front
        if front is None:
            return
        text = front.clipboard_text()
        cockpit.copy_to_clipboard(text)
        try:
            cockpit.show_message(f"copied, and added to {evidence_bundle.keep_text(cockpit.saved_to, text)}")
        except OSError as error:
            cockpit.show_message(f"copied; could not be added to {cockpit.saved_to}: {error.strerror}")

    def _link(self) -> None:
        link = evidence_bundle.link(find(self._cockpit.cutover.situation, self._subject))
        if link:
            self._cockpit.copy_to_clipboard(link)
            self._cockpit.show_message(link)
        else:
            self._cockpit.refuse("there is no link for this line")

    # -- the cockpit -------------------------------------------------------------------------------------------------

    def _pause(self) -> None:
        cockpit = self._cockpit
        if cockpit.cutover.paused or not self._counts:
            self._toggle_pause()
            return
        consequences = "Nothing is read and nothing is evaluated until p is pressed again. The record keeps a gap."
        cockpit.push_screen(
            ConfirmScreen(f"PAUSE reading ({cockpit.label})", consequences, "pause", self._toggle_pause)
        )

    def _toggle_pause(self) -> None:
        self._cockpit.cutover.toggle_pause()
        self._cockpit.paint()

    def _save(self) -> None:
        cockpit = self._cockpit
        try:
            saved = evidence_bundle.save(cockpit.saved_to, cockpit.cutover.situation, cockpit.export_screenshot())
        except OSError as error:
            cockpit.show_message(
                f"nothing saved to {cockpit.saved_to}: {error.strerror}; make it writable, then try again"
            )
        else:
            cockpit.show_message(f"saved to {saved}")

    def _arm(self) -> None:
        cockpit = self._cockpit
        if cockpit.armed:
            cockpit.armed = False
            cockpit.show_message("read-only again")
        else:
            watch = cockpit.cutover
            account = watch.account or watch.plan.target.account or watch.plan.name
            consequences = "Enables keys that change production. They still ask before what cannot be undone."
            title = f"ARM the cockpit on {account} ({cockpit.label})"
            cockpit.push_screen(ConfirmScreen(title, consequences, account, self._armed))
        cockpit.paint()

    def _armed(self) -> None:
        self._cockpit.armed = True
        self._cockpit.show_message("ARMED: F9 makes it read-only again")
        self._cockpit.paint()

    def _faults(self) -> None:
        if not isinstance(self._front, FaultsScreen):
            self._cockpit.push_screen(FaultsScreen())

    def _crew(self) -> None:
        if self._cockpit.drill is None:
            return
        made = self._cockpit.drill.crew_signs()
        entries = "1 entry" if made == 1 else f"{made} entries"
        self._cockpit.show_message(f"{entries} by the crew" if made else "nothing waits for the crew to sign or vote")

    def _notices(self) -> None:
        if not isinstance(self._front, NoticesScreen):
            self._cockpit.push_screen(NoticesScreen())

    def _help(self) -> None:
        if not isinstance(self._front, HelpScreen):
            self._cockpit.push_screen(HelpScreen())

    def _palette(self) -> None:
        self._cockpit.action_command_palette()

    def _suspend(self) -> None:
        self._cockpit.action_suspend_process()

    def _quit(self) -> None:
        cockpit = self._cockpit
        if not self._counts or not (why := under_way(cockpit)):
            cockpit.exit()
            return
        consequences = f"{'; '.join(why)}. Nothing is read, judged or posted from here once it has ended."
        cockpit.push_screen(ConfirmScreen(f"QUIT ({cockpit.label})", consequences, "quit", cockpit.exit))

    @property
    def _counts(self) -> bool:
        """Whether somebody may depend on this cockpit: not in a rehearsal, nor in a replay."""
        return self._cockpit.drill is None and self._cockpit.controls is None


def under_way(cockpit: Cockpit) -> list[str]:
    """What quitting would leave to others, a clause each; empty where nothing is."""
    verdict = cockpit.cutover.situation.verdict
    found = {
        "the cockpit is armed": cockpit.armed,
        "a rollback waits for a decision": verdict.latch is not None,
        f"{verdict.label} is under way": verdict.latch is None and verdict.under_way is not None,
        "files are being moved, and go on without this cockpit": cockpit.controller is not None
        and cockpit.controller.progress.active,
    }
    return [what for what, so in found.items() if so]


KEYS = handled(
    Handler.GENERAL,
    {
        "back": GeneralKeys._back,
        "submit": GeneralKeys._submit,
        "evidence": GeneralKeys._evidence,
        "filter": GeneralKeys._filter,
        "failing": GeneralKeys._failing,
        "mine": GeneralKeys._mine,
        "top": GeneralKeys._top,
        "bottom": GeneralKeys._bottom,
        "zoom_in": GeneralKeys._zoom_in,
        "zoom_out": GeneralKeys._zoom_out,
        "probe_now": GeneralKeys._probe_now,
        "copy": GeneralKeys._copy,
        "link": GeneralKeys._link,
        "pause": GeneralKeys._pause,
        "save": GeneralKeys._save,
        "arm": GeneralKeys._arm,
        "faults": GeneralKeys._faults,
        "crew": GeneralKeys._crew,
        "notices": GeneralKeys._notices,
        "help": GeneralKeys._help,
        "palette": GeneralKeys._palette,
        "suspend": GeneralKeys._suspend,
        "quit": GeneralKeys._quit,
    },
)
