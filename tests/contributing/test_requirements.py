"""The pinned requirements can be audited: a name, an exact version and hashes a line; no address, no option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FILES = sorted((Path(__file__).parents[2] / "requirements").glob("*.txt"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_line_is_pinned_and_hashed(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    entries = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    assert entries
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        said, *hashes = re.split(r"\s--hash=", entry)
        requirement = Requirement(said.strip())
        assert requirement.url is None, entry
        (pin,) = requirement.specifier
        assert pin.operator == "==", entry
        assert "*" not in pin.version, entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes), entry
        key = requirement.name, str(requirement.marker)
        assert key not in seen, entry
        seen.add(key)
    assert "://" not in text


def test_there_are_six() -> None:
    names = ["all.txt", "installer.txt", "mutants.txt", "rehearsal.txt", "run.txt", "serve.txt"]
    assert [file.name for file in FILES] == names
