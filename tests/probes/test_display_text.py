"""No character that nobody sees reaches a screen, and none is lost."""

from __future__ import annotations

import json
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probes.display_text import json_escaped, visible, yaml_quoted

UNSEEN = "\x00\x07\x08\r\x1b\x7f\x85\x9b\x9d\u00ad\u034f\u061c\u115f\u180e\u200b\u200d\u200e\u2028\u2029\u202e\u2060\u2066\u2800"
UNSEEN += "\u3164\ufeff\ufff9\ufe01\U000e0041\U000e007f\U000e0100\ud800\udfff\ue000\u00a0\u3000"


@pytest.mark.parametrize("each", UNSEEN, ids=lambda each: f"{ord(each):x}")
def test_it_is_shown_as_its_number(each: str) -> None:
    assert visible(f"a{each}b") == f"a\\u{{{ord(each):x}}}b"


@pytest.mark.parametrize("text", ["ordérs", "日本語", "⚠️ now", "1️⃣", "→ ▲ █ ✓ ▁", "Ω≈ç"])
def test_what_is_seen_stays(text: str) -> None:
    assert visible(text) == text


def test_a_selector_is_kept_after_a_picture_alone() -> None:
    assert visible("⚠\ufe0fx\ufe0f") == "⚠\ufe0fx\\u{fe0f}"


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_two_names_never_look_alike(one: str, other: str) -> None:
    if "\\u{" not in one + other:
        assert (visible(one) == visible(other)) is (one == other)


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_unseen_is_left_and_twice_is_once(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(each) for each in shown if each not in " \n"} & {
        "Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp", "Zs"
    }  # fmt: skip
    assert visible(shown) == shown


@given(st.text())
def test_json_reads_back_as_it_was(text: str) -> None:
    written = json_escaped(json.dumps({"a": text}, ensure_ascii=False))
    assert json.loads(written) == {"a": text}
    assert visible(written) == written


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_yaml_reads_back_as_it_was(text: str) -> None:
    written = yaml_quoted(text)
    assert yaml.safe_load(written) == text
    assert visible(written, keep="") == written
