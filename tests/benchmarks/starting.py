"""What starting costs before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.contestants import Maker
from tests.benchmarks.stage import Arena, Contestant, Prepare, Stage


def _start(name: str, words: list[str]) -> Prepare:
    @contextmanager
    def prepare(arena: Arena) -> Iterator[Stage]:
        with arena.room(name) as place:
            project = arena.project(place)
            (project / ".buckia").write_text(
                "demo:\n  provider: local\n  bucket_name: bucket\n  paths: [files/]\n"
            )
            (project / "bucket").mkdir()
            make = Maker(arena, project)
            yield Stage([make.buckia(words, settings=" ".join(words)), *_others(make)])

    return prepare


def _others(make: Maker) -> list[Contestant]:
    def least(name: str, words: list[str]) -> Contestant:
        return make.one(name, "the least it can be asked", lambda: [words])

    return [
        least("aws --version", ["aws", "--version"]),
        least("rclone version", ["rclone", "version"]),
        least("python -c pass", ["python", "-c", "pass"]),
    ]


helped = _start("start-help", ["--help"])
looked = _start("start-status", ["status"])
