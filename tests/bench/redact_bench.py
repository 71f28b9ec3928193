"""Hiding secrets in text of nasty shapes: four times the text must take about four times as long. Target: under 6 each.

And what it costs that many secrets are known by value.
"""

from __future__ import annotations

import time

from probes.known_secrets import KNOWN as KNOWN_SECRETS
from probes.redact import LIMIT, redact

UNITS = (
    "x",
    "a.b-",
    "password",
    "password ",
    'password="',
    "eyJ-",
    "eyJaaaaaaaaaa.",
    "://a:",
    "://",
    "a:",
    '\\"',
    "secret='\\",
    "-----BEGIN ",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END ",
    "token=,a,",
    "cookie: ",
    " ",
    "AKIA",
    "basic ",
    "--a-",
    "--secret ",
    "?token=",
    "pwd\\\\",
    "secret:[",
    "secret:{",
    "password \n",
    'token=\\"x',
    "a@",
    "password '",
    "identified  ",
)
"""Repeated, each makes a text on which a careless pattern would take quadratic time: sixteen times as long."""


def cost_s(unit: str, size: int) -> float:
    """The least of three CPU times, seconds."""
    text = (unit * (size // len(unit) + 1))[:size]
    spent = []
    for _ in range(3):
        began = time.process_time()
        redact(text)
        spent.append(time.process_time() - began)
    return min(spent)


LINE = '2026-01-02T03:04:05Z INFO web request id=8f14e45fceea167a path=/api/documents/42 status=200 took=17ms "ok"\n'
KNOWN = 50


def known_ratio() -> tuple[float, float]:
    """Seconds for 64 KiB of an ordinary log: with no secret known, and with 50."""
    KNOWN_SECRETS.forget_all()
    none = cost_s(LINE, LIMIT)
    for n in range(KNOWN):
        KNOWN_SECRETS.remember(f"Zx{n:02d}-kQ2m'V7bN4/{n * 7919:06d}+Lw==")
    try:
        return none, cost_s(LINE, LIMIT)
    finally:
        KNOWN_SECRETS.forget_all()


def main() -> None:
    worst = max(UNITS, key=lambda unit: cost_s(unit, LIMIT) / max(cost_s(unit, LIMIT // 4), 1e-3))
    small, large, beyond = (cost_s(worst, size) for size in (LIMIT // 4, LIMIT, 4 * LIMIT))
    print(
        f"redact(), worst shape {worst!r}: 16 KiB {small * 1000:.1f} ms, 64 KiB {large * 1000:.1f} ms, "
        f"256 KiB {beyond * 1000:.1f} ms; ratio {large / max(small, 1e-3):.1f} for four times the text, "
        f"{beyond / max(large, 1e-3):.1f} beyond the limit"
    )
    none, many = known_ratio()
    print(
        f"redact(), 64 KiB of a log: {none * 1000:.1f} ms, with {KNOWN} known secrets {many * 1000:.1f} ms; "
        f"ratio {many / max(none, 1e-3):.1f}"
    )


if __name__ == "__main__":
    main()
