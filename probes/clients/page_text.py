"""What a page says to people, where an answer is HTML: a gateway's error is read by somebody, not by a browser."""

from __future__ import annotations

from html.parser import HTMLParser

from probes.clients.http import HttpAnswer

GLANCE_CHARACTERS = 4000
"""Of an answer so much is looked at: more than is shown, so that no secret is cut in two, and no long page takes time."""
_UNSEEN = frozenset({"script", "style", "template", "svg"})


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser gives them
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.words.append(data)


def page_text(answer: HttpAnswer) -> str:
    """The beginning of an answer's body: of HTML its words alone, anything else as it is. Not redacted."""
    text = answer.text[:GLANCE_CHARACTERS]
    if "html" not in answer.headers.get("content-type", "") and not text.lstrip()[:9].lower().startswith(
        ("<!doctype", "<html")
    ):
        return text
    page = _Words()
    page.feed(text)
    return " ".join(" ".join(page.words).split()) or text
