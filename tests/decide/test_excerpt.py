"""Of a line of raw detail what went wrong is shown, and nothing of what every deployment says."""

from __future__ import annotations

import pytest

from cockpit.decide.excerpt import LONGEST, excerpt


def test_a_structured_line_of_a_log_is_what_happened_and_why() -> None:
    assert excerpt('{"msg": "refused", "code": 503, "status": 200, "error": "refused", "event": ""}') == "503: refused"
    assert excerpt('{"code": 400, "reason": true, "cause": 500}') == "400: 500"
    assert excerpt('{"code": 399}') == '{"code": 399}'
    assert excerpt('{"msg": "cut sho') == '{"msg": "cut sho'


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("2026-03-01 02:00:00.1 missing: app/api-key", "missing: app/api-key"),
        (
            'connection failed: connection to server at "db" (10.0.0.7), port 5432 failed: FATAL:  no slots',
            "db:5432: no slots",
        ),
        ("", ""),
        ("until 18:48  RequestCount Sum 72", ""),
        ("web: 3 running, 2 pending", ""),
        ("(service web) has reached a steady state.", ""),
        ("10.0.0.7:8080 healthy", ""),
        ("10.0.0.7:8080 unhealthy: Target.Timeout", "10.0.0.7:8080 unhealthy: Target.Timeout"),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 1) + "…"),
    ],
)
def test_a_line_is_shown_without_its_time_or_not_at_all_where_it_says_no_cause(line: str, shown: str) -> None:
    assert excerpt(line) == shown
