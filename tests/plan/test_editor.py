"""The schemas in an editor: yaml-language-server, driven as an editor drives it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest

from cockpit.plan.document import json_schema

SERVER = shutil.which("yaml-language-server")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        SERVER is None, reason="yaml-language-server is not on PATH: npm install -g yaml-language-server"
    ),
]
SHIPPED = json_schema.path().parent
DOCUMENT = {"snippetSupport": True, "documentationFormat": ["markdown"]}
CAPABLE = {
    "textDocument": {"completion": {"completionItem": DOCUMENT}, "hover": {"contentFormat": ["markdown"]}},
}
SETTINGS = {"hover": True, "completion": True, "validate": True, "schemaStore": {"enable": False}}


class Editor:
    """An editor with one folder open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)
        self._found: dict[str, list[dict[str, Any]]] = {}
        assert SERVER is not None
        self._process = subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": CAPABLE})
        self._note("initialized", {})
        self._note("workspace/didChangeConfiguration", {"settings": {"yaml": SETTINGS}})

    def hover(self, text: str) -> str:
        """What is shown for the word at the mark ^ of a text; its schema is named in its first line."""
        answer = self._ask("textDocument/hover", self._at(text))
        return str(answer["contents"]["value"]) if answer else ""

    def completions(self, text: str) -> dict[str, str]:
        """Label -> what is put in, at the mark ^."""
        answer = self._ask("textDocument/completion", self._at(text))
        return {each["label"]: each.get("insertText", "") for each in answer["items"]}

    def problems(self, text: str) -> list[str]:
        uri = self._open(text)
        while uri not in self._found:
            self._take(self._next())
        return [each["message"] for each in self._found[uri]]

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _at(self, text: str) -> dict[str, Any]:
        before, _, after = text.partition("^")
        line, _, start = before.rpartition("\n")
        place = {"line": line.count("\n") + 1, "character": len(start)}
        return {"textDocument": {"uri": self._open(before + after)}, "position": place}

    def _open(self, text: str) -> str:
        uri = (self.folder / f"{next(self._numbers)}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._note("textDocument/didOpen", {"textDocument": document})
        return uri

    def _ask(self, method: str, given: dict[str, Any]) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": given})
        while True:
            message = self._next()
            if message.get("id") == number and "method" not in message:
                return message["result"]
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self._found[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            asked = message["params"].get("items", []) if message["method"] == "workspace/configuration" else None
            self._send({"id": message["id"], "result": asked and [{} for _ in asked]})

    def _note(self, method: str, given: dict[str, Any]) -> None:
        self._send({"method": method, "params": given})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream = self._stream(self._process.stdin)
        stream.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        stream.flush()

    def _next(self) -> dict[str, Any]:
        stream, length = self._stream(self._process.stdout), 0
        while line := stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(stream.read(length))
        return message

    @staticmethod
    def _stream(stream: IO[bytes] | None) -> IO[bytes]:
        assert stream is not None
        return stream


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("plans")
    for file in json_schema.schemas():
        shutil.copy(SHIPPED / file, folder / file)
    there = Editor(folder)
    yield there
    there.close()


def of(kind: str, text: str) -> str:
    return f"# yaml-language-server: $schema={kind}.v1.schema.json\n{text}"


HEAD = "plan: v1\nname: x\n"
HEALTH = HEAD + "probes:\n  h:\n    uses: http.health\n    with:\n      {}\n"


@pytest.mark.parametrize("name", ["minimal", "orders", "alarms", "quiet-night", "transparent-trust"])
def test_it_finds_nothing_wrong_with_a_plan_that_is_shipped(editor: Editor, name: str) -> None:
    assert editor.problems((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")) == []


def test_a_parameter_of_a_probe_is_explained_with_its_type_and_an_example(editor: Editor) -> None:
    shown = editor.hover(of("plan", HEALTH.format("ur^l: https://orders.example.com")))
    assert "The whole address: https://host/path." in shown
    assert "```yaml\nurl: https://orders.example.com/health\n```" in shown


def test_each_kind_of_probe_is_offered_with_what_it_observes(editor: Editor) -> None:
    text = of("plan", HEAD + "probes:\n  h:\n    uses: http.hea^lth\n    with: {url: https://orders.example.com}\n")
    assert "`ecs.service`: " in editor.hover(text)
    assert {"ecs.deployment", "sqs.queue"} <= set(editor.completions(text.replace("http.hea^lth", "^")))


def test_a_new_entry_is_put_in_whole_and_a_default_as_plans_write_it(editor: Editor) -> None:
    offered = editor.completions(of("plan", HEAD + "success_criteria:\n  - ^\n"))
    assert offered["new success"].startswith("id: $1\n")
    assert editor.completions(of("plan", HEALTH.format("^")))["timeout"] == "timeout: ${1:5s}"


def test_what_the_loader_refuses_is_marked(editor: Editor) -> None:
    wrong = "  e:\n    uses: ecs.servise\n  f:\n    uses: ecs.service\n    with: {cluser: a}\n"
    found = editor.problems(of("plan", HEALTH.format("url: https://orders.example.com") + wrong))
    assert any(each.startswith("Value is not accepted") for each in found)
    assert "Property cluser is not allowed." in found


def test_a_part_in_a_file_and_a_file_of_vars_have_schemas_of_their_own(editor: Editor) -> None:
    part = "part: v1\ninputs:\n  service: {{}}\nprobes:\n  h:\n    uses: http.health\n    with:\n      {}\n"
    assert "The whole address" in editor.hover(of("part", part.format("ur^l: '${service}'")))
    assert editor.problems(of("part", part.format("url: '${service}'"))) == []
    assert editor.problems(of("part", part.format("url: '${service}'") + "include: []\n")) == [
        "Property include is not allowed."
    ]
    assert editor.problems(of("vars", "environment: production\napi_tasks: 6\n")) == []
    assert len(editor.problems(of("vars", "api: {tasks: 6}\n"))) == 1
