"""docs/faults.md from the table: `python -m tests.faults.page` writes it, `--check` says if it is
old."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.faults.table import ROWS, Ends, Row

PAGE: Final = Path(__file__).parents[2] / "docs" / "faults.md"

HEAD: Final = """\
<!-- Made by `python -m tests.faults.page`; edit tests/faults/table.py instead. -->
# When a service fails or lies

Each row is a fault, where it strikes, what buckia does about it, and the exit code the command
ends with. `pytest -m faults` tries every row in one world: uploads, a replacement, downloads, a
rename and deletions both ways. After each row it checks that no content is lost on either side
(overwritten and deleted bytes are in a trash), that nothing is deleted after a failed write,
that the lockfile says only what is there, and that without the fault the same plan, or a new
one, comes to the end that an undisturbed run comes to.

What is recorded follows from the exit code:

| exit code | what happened | what is recorded |
|---|---|---|
| 0 | all is done | all of it |
| 4 | the sides are not what was reviewed; nothing is changed | nothing |
| 5 | some is done; after a failed write nothing is deleted | what is done; the plan resumes |
| 6 | a safeguard forbids the plan; nothing is changed | nothing |
| 8 | the bucket cannot be reached or trusted; nothing is changed | nothing |

A request is sent at most five times, with pauses that double from 0.2 to 10 seconds and vary by
chance, whatever the provider. Bytes that arrive as others than were sent go once more. What
`Retry-After` asks for comes on top of a pause, where the client that carries the request tells
it: obstore does not, so on S3 everything but listings goes to botocore from the second attempt on.
A service that asks for more than a minute is unavailable. A download that breaks off is taken
up where it broke, at most five times without eight megabytes between. Every write is
conditional, or looked at before each attempt, so a repeated one never overwrites what somebody
else wrote meanwhile; and when a repeated write fails against its own success, the object shows
that by its digest.

Two lies nothing shows at once: a write or a deletion that is answered with success and was not
done, by a service that also gives the right ETag. They are marked "believed"; no content is
lost by them.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_tables()])


def _tables() -> Iterator[str]:
    about = {
        "store": "Any store, at its interface",
        "HTTP": "An S3 service, on the line",
    }
    for level, rows in groupby(ROWS, lambda row: row.level):
        yield f"## {about[level]}\n"
        yield "| during | fault | what buckia does | exit code |\n|---|---|---|---|"
        yield "\n".join(_line(row) for row in rows) + "\n"


def _line(row: Row) -> str:
    return f"| {row.during} | {row.fault} | {row.does} | {Ends(row.ends)} |"


def main(words: list[str]) -> int:
    """Write the page, or with `--check` say that it is out of date; an exit code."""
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    if words == ["--check"]:
        print("docs/faults.md is out of date: run `python -m tests.faults.page` and commit it")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    print("wrote docs/faults.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
