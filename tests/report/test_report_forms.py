"""The forms of a report: Markdown, HTML, JUnit, in-toto, and the command."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.cockpit_process import run
from support.junit_schema import fits_the_schema
from support.records.full_record import START, Maker, at, whole

from cockpit.decide import events as kinds
from cockpit.journal.readings import ReadingStore
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.writer import Draft, Journal
from cockpit.report.formats.html import html
from cockpit.report.formats.in_toto import in_toto
from cockpit.report.formats.junit import junit
from cockpit.report.formats.markdown import markdown
from cockpit.report.load_record import account_of
from cockpit.report.model import Account
from probes.reading import Reading

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>\u202e|`[x](http://evil.example)\x1b[2J&amp;'
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "article", "figure", "div", "span",
    "h1", "h2", "h3", "p", "strong", "q", "i", "code", "time", "ul", "ol", "li", "dl", "dt", "dd",
    "svg", "rect", "path", "circle",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "style", "datetime", "viewbox", "preserveaspectratio",
    "role", "aria-label", "x", "y", "width", "height", "d", "cx", "cy", "r", "fill", "stroke", "stroke-width",
    "stroke-linejoin", "stroke-linecap", "stroke-dasharray", "opacity",
}  # fmt: skip


class Seen(HTMLParser):
    """Every tag and attribute of a page, and whether each element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return whole(tmp_path_factory.mktemp("forms"))


@pytest.fixture(scope="module")
def told(made: Maker) -> Account:
    return account_of(made.folder)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """Everything foreign a record can hold, written by somebody who means harm."""
    made = Maker(tmp_path_factory.mktemp("hostile"))
    quoted = json.dumps(HOSTILE.replace("\u202e", "").replace("\x1b", ""))
    text = re.sub(r"title: [^,}\n]+", lambda _: f"title: {quoted}", made.text.decode()).replace(
        "name: Bob", f"name: {quoted}"
    )
    made.folder.plan.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    first = made.open(by=HOSTILE, plan_digest=digest, plan=HOSTILE)
    signed = kinds.SignOff(at(1), "item.signed", HOSTILE, HOSTILE, HOSTILE, digest, evidence=HOSTILE)
    entries: list[kinds.Entry] = [
        signed,
        *(kinds.Change(at(1), each, HOSTILE, HOSTILE, HOSTILE) for each in ("site.up", "item.seen", "verdict", "go")),
        kinds.Vote(at(1), "go", HOSTILE, "on_call", HOSTILE, why=HOSTILE),
        kinds.Waiver(at(1), "item.failed", HOSTILE, HOSTILE, at(900)),
        kinds.Decision(at(1), HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        kinds.Acknowledgement(at(1), HOSTILE, HOSTILE, HOSTILE),
        kinds.StepBegan(at(1), "run.deploy", HOSTILE),
        kinds.StepEnded(at(2), "run.deploy", HOSTILE, "failed", HOSTILE),
        kinds.Happened(at(2), HOSTILE, HOSTILE, HOSTILE),
        kinds.PointOfNoReturn(at(2), HOSTILE),
    ]
    made.say(first, entries)
    made.close(first, 3)
    account = account_of(made.folder)
    assert account.plan.problem == ""
    assert HOSTILE[:8] in account.plan.title
    return account


def test_html_stands_alone(told: Account) -> None:
    page = html(told)
    seen = Seen(page)
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert not seen.open
    style = page[page.index("<style>") : page.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)
    assert "default-src 'none'" in page
    assert "@media print" in style
    assert "@media (max-width: 599px)" in style


def test_html_tells_the_night(told: Account) -> None:
    text = " ".join("".join(Seen(html(told)).texts).split())
    for words in (
        "FIX FORWARD",
        "eleven minutes, counts match",
        "known, and small",
        "a rollback loses files",
        "The cockpit advised FIX FORWARD.",
        "planned 10m, took 12m",
        "from here a rollback loses 3 files that live in S3 alone",
        "trips > 90.0 %",
        "the cockpit was not watching for 5m",
        "never signed; needs backup",
        *told.proof.heads.values(),
    ):
        assert words in text


def test_nothing_hostile_becomes_markup(hostile: Account) -> None:
    page = html(hostile)
    seen = Seen(page)
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    for each in ("<script", "<img", "\u202e", "\x1b"):
        assert each not in page
    assert "alert(1)" in "".join(seen.texts)
    note = markdown(hostile)
    for each in ("<script", "<img", "\u202e", "\x1b", "[x](http"):
        assert each not in note
    assert {line.count("|") - line.count("\\|") for line in note.splitlines() if line.startswith("| ✗")} <= {6}
    ElementTree.fromstring(junit(hostile).encode())
    json.loads(in_toto(hostile))


@pytest.mark.long
def test_eight_hours_of_forty_probes_fit_into_a_mail(tmp_path: Path) -> None:
    hours, many = 8, 40
    probes = "\n".join(
        f"  p{n}: {{uses: http.health, with: {{url: http://a.test}}, interval: 60s}}" for n in range(many)
    )
    criteria = "\n".join(
        f"  - {{id: c{n}, title: Criterion {n}, success_condition: p{n}.latency_ms < 500}}" for n in range(many)
    )
    text = f"plan: v1\nname: big\nprobes:\n{probes}\nsuccess_criteria:\n{criteria}\n".encode()
    folder = RecordFolder.create("big", text, START, tmp_path)
    store = ReadingStore(folder.readings)
    for n in range(hours * 60):
        when = START + timedelta(minutes=n)
        for probe in range(many):
            store.put(f"p{probe}", Reading(when, when, {"ok": True, "latency_ms": (n * 37 + probe * 11) % 900}))
    store.close()
    body = {"plan": "big", "plan_digest": folder.keep_plan(text)}
    now = [START]
    journal = Journal.open(folder.journal, "a", folder.id, body=body, clock=lambda: now[0])
    now[0] = at(hours * 60)
    words = ("MET", "NOT MET")
    journal.extend(
        [
            Draft.of(kinds.Change(at(n / 10), f"c{n % many}", words[n % 2], words[(n + 1) % 2], "p latency " * 8))
            for n in range(hours * 600)
        ]
        + [
            Draft.of(kinds.Change(at(n / 2), "verdict", ("GO", "HOLD")[n % 2], ("HOLD", "GO")[n % 2], "x" * 200))
            for n in range(900)
        ]
    )
    journal.close()
    account = account_of(folder)
    assert len(account.spans) == 901
    assert sum(each.measure is not None and len(each.measure.points) > 30 for each in account.criteria) == many
    page = html(account)
    assert len(page.encode()) < 1_000_000
    assert "and 701 more, in the record" in page


def test_junit_fails_what_failed_and_errs_on_what_was_not_known(told: Account) -> None:
    root = fits_the_schema(junit(told))
    assert root.tag == "testsuites"
    found = {case.get("classname", "").partition(".")[2].partition(".")[2]: case for case in root.iter("testcase")}
    outcomes = {
        name: next((child.tag for child in case if child.tag != "system-out"), "passed") for name, case in found.items()
    }
    assert outcomes == {
        "site.fast": "passed",
        "site.up": "error",
        "pool.full": "failure",
        "pool.gone": "error",
        "item.seen": "passed",
        "item.failed": "passed",
        "item.signed": "passed",
        "item.forgotten": "error",
        "item.never": "error",
    }
    waived = found["item.failed"].find("system-out")
    assert waived is not None
    assert "ann: known, and small (until 2026-01-03" in (waived.text or "")
    assert not list(root.iter("skipped"))
    suites = list(root)
    for name in ("tests", "failures", "errors"):
        assert int(root.get(name, "")) == sum(int(suite.get(name, "")) for suite in suites)
    for suite in suites:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("errors", "")) == len(suite.findall("testcase/error"))
        assert suite[0].tag == "properties"


def test_a_sign_off_that_no_longer_counts_does_not_pass(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    journal = made.open()
    made.say(
        journal,
        [made.change(2, "item.signed", "PENDING", "PASS"), made.sign_off(1, "item.signed", "bob", "not my role")],
    )
    made.close(journal, 3)
    root = ElementTree.fromstring(junit(account_of(made.folder)).encode())
    case = next(case for case in root.iter("testcase") if case.get("classname", "").endswith("item.signed"))
    assert case.find("error") is not None


def test_in_toto_names_what_can_be_hashed_again(told: Account, made: Maker) -> None:
    statement = json.loads(in_toto(told))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:cutover-cockpit:record:v1"
    digests = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    folder = made.folder.path
    assert digests["plan.yaml"] == hashlib.sha256((folder / "plan.yaml").read_bytes()).hexdigest()
    assert digests["readings.sqlite"] == hashlib.sha256((folder / "readings.sqlite").read_bytes()).hexdigest()
    for writer in ("ann-laptop", "readings-keeper"):
        last = (folder / "journal" / f"{writer}.jsonl").read_bytes().splitlines(keepends=True)[-1]
        assert digests[f"journal/{writer}.jsonl#last-line"] == hashlib.sha256(last).hexdigest()
    predicate = statement["predicate"]
    assert predicate["verdict"] == "FIX FORWARD"
    assert predicate["decisions"][0]["advised"] == "FIX FORWARD"
    assert {each["subject"] for each in predicate["signOffs"]} == {"item.signed", "item.forgotten"}


def test_markdown_begins_with_what_became_of_it(told: Account) -> None:
    note = markdown(told)
    assert note.startswith("# The move: FIX FORWARD\n")
    assert note.index("## Open questions") < note.index("## The verdict over time") < note.index("## Checklist")
    assert "| 22:50:00 | 10m | FIX FORWARD | The pool is full: 95 % (trips > 90 %) |" in note
    assert (
        "**fix forward** by bob (not cryptographically signed) (advised: FIX FORWARD): a rollback loses files" in note
    )


def test_a_rehearsal_says_so_loudly(tmp_path: Path) -> None:
    made = Maker(tmp_path)
    made.open(rehearsal=True).close()
    told = account_of(made.folder)
    assert "**REHEARSAL.**" in markdown(told)
    assert '<span class="tag loud">REHEARSAL</span>' in html(told)


def cockpit(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    return run(arguments, os.environ | {"XDG_STATE_HOME": str(state), "HOME": str(state)})


def test_the_command(made: Maker, tmp_path: Path) -> None:
    path = str(made.folder.path)
    shown = cockpit("report", path, "--format", "json", state=tmp_path)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["form"] == "cutover-cockpit/account/1"
    out = tmp_path / "report.html"
    written = cockpit("report", path, "--format", "html", "--out", str(out), state=tmp_path)
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text().startswith("<!doctype html>")
    for arguments in (
        ("nothing",),
        (path, "--allowed-signers", "nothing"),
        (path, "--format", "pdf"),
        (path, "--anchor", "x"),
    ):
        refused = cockpit("report", *arguments, state=tmp_path)
        assert refused.returncode == 64
        assert "Traceback" not in refused.stderr


def test_what_was_given_to_somebody_outside_proves_it(made: Maker, tmp_path: Path) -> None:
    heads = account_of(made.folder).proof.heads
    signers = tmp_path / "who"
    signers.write_text(f"ann {made.public}\n")
    anchors = [word for head in heads.values() for word in ("--anchor", head)]
    shown = cockpit(
        "report", str(made.folder.path), "--format", "json", "--allowed-signers", str(signers), *anchors, state=tmp_path
    )
    proof = json.loads(shown.stdout)["proof"]
    assert proof["broken"] == []
    assert {name for name, standing in proof["standings"].items() if standing != "PROVEN"} == {"signers", "time"}
    assert all("not cryptographically signed" in each or "machine's clock" in each for each in proof["unproven"])


@pytest.mark.parametrize("form", [markdown, html])
def test_nothing_of_how_a_record_is_kept_is_read_by_a_manager(tmp_path: Path, form: Callable[[Account], str]) -> None:
    made = whole(tmp_path)
    notes = (
        "ended: copy: done (2026-01-02 22:26:00.021330Z by the database)",
        "decided: 2026-01-02T22:26:00+00:00 ann",
    )
    later = made.open("later")
    made.say(later, [kinds.Happened(at(61), "migration", note, "ann") for note in notes])
    made.close(later, 62)
    told = account_of(made.folder)
    shown = " ".join(Seen(form(told)).texts) if form is html else form(told)
    assert re.findall(r"\b(?:pre_deploy|post_deploy|fix_forward|on_call|db_owner|execute)\b", shown) == []
    assert re.findall(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d", shown) == [], "times as people write them"
    assert "on-call" in shown
    assert "fix forward" in shown
