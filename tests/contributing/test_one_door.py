"""Rules about the product's whole source: one door for processes, one for printing, one for threads."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from support.product_sources import sources

STARTS = {"subprocess", "multiprocessing", "pty", "_posixsubprocess"}


STARTERS = re.compile(
    r"(os|asyncio)\.(exec[lv]\w*|spawn\w*|posix_spawnp?|system|popen|fork(pty)?|create_subprocess_\w+|subprocess)"
    r"|\w+\.(subprocess_exec|subprocess_shell)|ProcessPoolExecutor|(concurrent\.)?futures\.ProcessPoolExecutor"
)


DOOR = "probes/clients/child_process.py"


def dotted(node: ast.expr) -> str:
    """Names with dots between them as they are written, and nothing for any other expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def starts(source: ast.Module) -> set[str]:
    """Whatever in a source could start a process."""
    found = set()
    for node in ast.walk(source):
        names = []
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.partition(".")[0] in STARTS}
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {node.module} & STARTS if node.module else set()
        elif isinstance(node, ast.Attribute):
            names = [dotted(node)]
        found |= {name for name in names if STARTERS.fullmatch(name)}
    return found


def test_one_file_alone_starts_processes() -> None:
    """Safe path, cleaned environment and last words are that file's; nothing can be started without them."""
    found = {str(path): names for path, source in sources().items() if (names := starts(source))}
    assert found.keys() == {DOOR}, found


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "from subprocess import run",
        "from os import execv",
        "import asyncio\nasyncio.create_subprocess_shell('x')",
        "import os\nos.posix_spawn('x', [], {})",
        "from concurrent.futures import ProcessPoolExecutor",
    ],
)
def test_each_way_to_start_one_would_be_found(source: str) -> None:
    assert starts(ast.parse(source))


OWN_STREAMS = {
    "cockpit/rehearsal/process/world.py": "a pipe to its launcher",
    "cockpit/rehearsal/object_store/__main__.py": "a pipe to its launcher",
    "cockpit/commands/story_worker.py": "a pipe to the command that started it, whose output goes through the door",
    "cockpit/migration/local_workers.py": "a worker's log, redacted by its formatter, behind the door of its process",
    "cockpit/tui/terminal_streams.py": "asks which stream is the terminal, and gives it back by fixed codes",
    "cockpit/console.py": "the door",
}


def printing(tree: ast.AST) -> list[int]:
    """Lines that print past the door: print, click's and rich's printing, the process's streams."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append(node.lineno)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            named = f"{node.value.id}.{node.attr}"
            if named in {
                "click.echo", "click.secho", "click.prompt", "click.confirm", "click.pause", "click.echo_via_pager",
                "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__", "rich.print",
            }:  # fmt: skip
                found.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module in ("click", "rich", "rich.console", "sys"):
            found += [
                node.lineno
                for each in node.names
                if each.name in ("echo", "secho", "prompt", "print", "stdout", "stderr")
            ]
    return found


def test_nothing_else_prints() -> None:
    past = {}
    for file, tree in sources().items():
        if lines := printing(tree):
            past[str(file)] = lines
    assert set(past) - {"cockpit/commands/migrate/migration_text.py"} == set(OWN_STREAMS), past


WAITED_FOR = {"to_thread", "run_in_executor", "ThreadPoolExecutor", "run", "Runner"}
"""Of asyncio and of concurrent.futures."""


def waited_for(path: Path) -> list[str]:
    """Where a file gives work to a thread that quitting waits for."""
    found = []
    for node in ast.walk(sources()[path]):
        if isinstance(node, ast.Attribute):
            of_asyncio = dotted(node.value) in {"asyncio", "concurrent.futures", "futures"}
            if node.attr == "run_in_executor" or (of_asyncio and node.attr in WAITED_FOR):
                found.append(f"{path}:{node.lineno} {ast.unparse(node)}")
        elif isinstance(node, ast.ImportFrom) and node.module in {"asyncio", "concurrent.futures"}:
            found += [f"{path}:{node.lineno} {each.name}" for each in node.names if each.name in WAITED_FOR]
        elif isinstance(node, ast.Call) and dotted(node.func) in {"Thread", "threading.Thread"}:
            daemon = [ast.unparse(each.value) for each in node.keywords if each.arg == "daemon"]
            found += [] if daemon == ["True"] else [f"{path}:{node.lineno} is no daemon"]
    return found


def test_no_other_file_begins_a_thread_that_quitting_waits_for() -> None:
    own = Path("probes/clients/threads.py")
    assert waited_for(own), "it is found where it is"
    found = [place for path in sources() if path != own for place in waited_for(path)]
    assert found == [], "use in_thread, within or run_loop of probes/clients/threads.py"


def test_nothing_waits_by_select_which_refuses_the_1024th_file() -> None:
    """A cockpit of many probes has as many files, and so has one that was started by something with many: poll() takes any."""
    written = "select" + ".select("
    places = [path for room in ("cockpit", "probes", "tests") for path in sorted(Path(room).rglob("*.py"))]
    found = [str(path) for path in places if written in path.read_text(encoding="utf-8")]
    assert found == []
