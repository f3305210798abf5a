"""`python -m tests.weeks [NAME ...] [--files N]`: the whole week on each kind of bucket, with what
it took and what was asked.

Without a name all but moto, which takes its time; those on a Ceph gateway if its Debian packages
are there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.homes import HOMES, Books, Home
from tests.scenario import SOURCES, Week, live_a_week
from tests.stores.record import has_gateway


def main(words: list[str]) -> int:
    """Live them, and print a table; an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.weeks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(HOMES))
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--each", type=int, default=10, help="deletions, additions, renames a side")
    said = parser.parse_args(words)
    here = ["folder", *(["ceph", "linode"] if has_gateway() else []), "b2", "bunny"]
    rows = [_live(name, said.files, said.each) for name in said.names or here]
    heads = ("Bucket", "files", "seconds", "requests of plans and applies", "the server counted")
    print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    print("\n".join(rows))
    return 0


def _live(name: str, files: int, each: int) -> str:
    print(f"\n{name}", flush=True)
    with tempfile.TemporaryDirectory() as folder, HOMES[name](Path(folder)) as home:
        week, began = home.live(Path(folder), home.bucket), time.monotonic()
        live_a_week(week, SOURCES, files=files, size=0, each=each, say=print)
        seconds = time.monotonic() - began
        files = len(week.local())
        told = _line(home.told(week.used))
        row = f"| {name} | {files} | {seconds:.0f} | {told} | {_judged(home, week)} |"
        print(row, flush=True)
        return row


def _judged(home: Home, week: Week) -> str:
    """Whether the server counted the same, what was done to compare both sides included."""
    saw = home.check()
    if home.asked is None:
        return "keeps no books"
    asked, told = home.asked(), home.told(week.used + week.besides)
    return ("the same" if asked == told else _line(asked)) + (f"; {saw}" if saw else "")


def _line(books: Books) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(books.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
