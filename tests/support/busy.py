"""`busy.py TIMES COMMAND ...`: run a command so often, each time to a good end, while other processes keep the machine busy.

The busy ones end with this process, however it ends: each is given the reading end of a pipe that only this process can write.
"""

from __future__ import annotations

import subprocess
import sys

OTHERS = 4
LOOP = """
import os, sys
os.set_blocking(0, False)
while True:
    for _ in range(1_000_000):
        pass
    try:
        if not os.read(0, 1):
            break
    except BlockingIOError:
        pass
"""


def main(times: int, command: list[str]) -> int:
    others = [subprocess.Popen([sys.executable, "-c", LOOP], stdin=subprocess.PIPE) for _ in range(OTHERS)]
    try:
        for number in range(1, times + 1):
            print(f"busy: {number} of {times}", flush=True)
            ended = subprocess.run(command, check=False).returncode
            if ended:
                return ended
        return 0
    except KeyboardInterrupt:
        return 130
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
