"""A cockpit installed without its extra says what a rehearsal needs; nothing of it is imported before that."""

from __future__ import annotations

from importlib import metadata

import pytest

from cockpit.rehearsal.installed import NotInstalledError, require_rehearsal_packages


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_rehearsal_packages()
    found = metadata.version

    def without(name: str) -> str:
        if name == "moto":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "version", without)
    with pytest.raises(NotInstalledError) as caught:
        require_rehearsal_packages()
    assert "not installed: moto. " in str(caught.value)
    assert "pipx install --force '.[rehearsal]'" in str(caught.value)
