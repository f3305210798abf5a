"""Run one program and write down what it used: wall, user and system seconds, peak in kB.

It runs as a process of its own that has nothing loaded: on Linux the peak of a program is never
less than that of the process which began it.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(out: str, command: list[str]) -> int:
    """Run it; its exit code."""
    began = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123  (pathlib would be loaded)
        json.dump([wall, used.ru_utime, used.ru_stime, used.ru_maxrss], file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
