"""Hiding secrets in text of nasty shapes: four times the text must take about four times as long. Target: under 6 each."""

from __future__ import annotations

import time

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


def main() -> None:
    worst = max(UNITS, key=lambda unit: cost_s(unit, LIMIT) / max(cost_s(unit, LIMIT // 4), 1e-3))
    small, large, beyond = (cost_s(worst, size) for size in (LIMIT // 4, LIMIT, 4 * LIMIT))
    print(
        f"redact(), worst shape {worst!r}: 16 KiB {small * 1000:.1f} ms, 64 KiB {large * 1000:.1f} ms, "
        f"256 KiB {beyond * 1000:.1f} ms; ratio {large / max(small, 1e-3):.1f} for four times the text, "
        f"{beyond / max(large, 1e-3):.1f} beyond the limit"
    )


if __name__ == "__main__":
    main()
