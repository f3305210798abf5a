"""How each program does each kind of work at its best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.benchmarks.stage import NEAR, Arena, Contestant, _nothing

_RCLONE: Final = ("--fast-list", "--checkers=16", "--transfers=16", "--s3-upload-concurrency=8")
_LEAN: Final = ("--s3-no-head", "--ignore-checksum", "--no-traverse")
_LARGE: Final = ("--s3-chunk-size=16M", "--multi-thread-streams=8", "--multi-thread-chunk-size=64M")

Make = Callable[[], None]


class Maker:
    """Makes contestants that share how their runs begin and how they are checked."""

    def __init__(
        self, arena: Arena, folder: Path, reset: Make = _nothing, check: Make = _nothing
    ) -> None:
        self._arena = arena
        self._folder = folder
        self._reset = reset
        self._check = check

    def one(
        self,
        name: str,
        settings: str,
        commands: Callable[[], list[list[str]]],
        *,
        content: bool = True,
        reset: Make | None = None,
        check: Make | None = None,
    ) -> Contestant:
        """A contestant. The first word of each command is a program's name."""

        def resolved() -> list[list[str]]:
            return [[self._arena.programs[line[0]], *line[1:]] for line in commands()]

        begin, judge = reset or self._reset, check or self._check
        return Contestant(name, settings, resolved, self._folder, begin, judge, content)

    def buckia(
        self, *lines: list[str], settings: str = f"{NEAR} workers", reset: Make | None = None
    ) -> Contestant:
        """buckia, with one command after the other."""
        return self.one(
            "buckia", settings, lambda: [["buckia", *line] for line in lines], reset=reset
        )

    def dry_runs(self, source: str, bucket: Callable[[], str]) -> list[Contestant]:
        """Every peer's way to tell that there is nothing to do."""
        fast = ["rclone", "sync", source]
        return [
            self.one(
                "s5cmd sync --dry-run",
                "size and time",
                lambda: [["s5cmd", "--dry-run", "sync", f"{source}/", f"s3://{bucket()}/"]],
                content=False,
            ),
            self.one(
                "rclone sync --dry-run, size",
                "--size-only --fast-list, 16 checkers",
                lambda: [
                    [*fast, f"bench:{bucket()}", "--dry-run", "--size-only", *_RCLONE[:2]],
                ],
                content=False,
            ),
            self.one(
                "rclone sync --dry-run, size and time",
                "--update --use-server-modtime --fast-list, 16 checkers",
                lambda: [
                    [
                        *fast,
                        f"bench:{bucket()}",
                        "--dry-run",
                        "--update",
                        "--use-server-modtime",
                        *_RCLONE[:2],
                    ],
                ],
                content=False,
            ),
            self.rclone_by_checksum(source, bucket),
            self.one(
                "aws s3 sync --dryrun",
                "size and time, as it comes",
                lambda: [["aws", "s3", "sync", source, f"s3://{bucket()}", "--dryrun"]],
                content=False,
            ),
        ]

    def rclone_by_checksum(self, source: str, bucket: Callable[[], str]) -> Contestant:
        """The peer that compares content."""
        words = ["--dry-run", "--checksum", *_RCLONE[:2]]
        return self.one(
            "rclone sync --dry-run, checksum",
            "--checksum --fast-list, 16 checkers",
            lambda: [["rclone", "sync", source, f"bench:{bucket()}", *words]],
        )

    def copies(self, source: str, target: str, bucket: Callable[[], str]) -> list[Contestant]:
        """Every peer's way to copy all of a folder or of a bucket, whose name begins with `@`; `{}`
        stands for the bucket of this run."""

        def fill(place: str, scheme: str) -> str:
            return scheme + place[1:].format(bucket()) if place.startswith("@") else place

        def ends(scheme: str, ending: str = "") -> list[str]:
            one, other = fill(source, scheme), fill(target, scheme)
            return [one + ending, other]

        wild = "/*"
        return [
            self.one(
                "s5cmd cp",
                "--numworkers 64",
                lambda: [["s5cmd", "--numworkers", "64", "cp", *_slash(ends("s3://", wild))]],
            ),
            self.one(
                "rclone copy",
                "16 transfers, --s3-no-head --ignore-checksum --no-traverse --size-only",
                lambda: [
                    ["rclone", "copy", *ends("bench:"), *_RCLONE, *_LEAN, *_LARGE, "--size-only"]
                ],
            ),
            self.one(
                "aws s3 cp",
                "--recursive, as it comes",
                lambda: [["aws", "s3", "cp", "--recursive", "--only-show-errors", *ends("s3://")]],
            ),
        ]


def _slash(ends: list[str]) -> list[str]:
    return [ends[0], ends[1].rstrip("/") + "/"]
