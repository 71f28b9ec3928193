"""The command line in a process of its own, without any AWS settings of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.waiting import LAST_RESORT_S

COCKPIT = Path(sys.executable).with_name("cockpit")
ROOT = Path(__file__).parents[2]


def cockpit(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = clean | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent"} | environ
    return subprocess.run(
        [str(COCKPIT), *arguments],
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_S,
        env=env,
        cwd=ROOT,
        check=False,
    )
