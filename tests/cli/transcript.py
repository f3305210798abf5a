"""Transcripts: text files of commands with exactly what they print and how they end.

    # a comment
    $ write .buckia          a helper; lines that begin with `| ` are its content, or stdin
    | common: {...}
    $ buckia plan --out p    a command; stdout as it is, stderr after `! `, the exit code if not 0
    ! Plan: nothing to do, 0 files unchanged.

Helpers: write, append, rm, mkdir, mv, cp, edit PATH OLD NEW, ls, env NAME=VALUE,
sql PATH STATEMENT..., publish FOLDER GENERATION: what is in FOLDER, with a manifest, is on a web
server at http://HOST/F/. There is no shell.
Digests, durations and the workspace's own path are made the same everywhere.

Whatever a transcript is about, a command that is refused says so in one line, prints nothing on
stdout (but a start and an end for `apply --json`) and changes nothing. `doctor` is not refused
anything: what is wrong is its result.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.console import Ended, buckia
from tests.publishing import publish
from tests.publishing import tree as tree_of
from tests.servers.folder import WebFolder

REFUSALS = frozenset({4, 7, 8, 64, 65, 78})
"""Exit codes that promise that nothing was changed."""

_HOST = "http://HOST"

_SAME = (
    (re.compile(r"(?<=  last apply )\S.*"), "..."),
    (re.compile(r'"last":\{.*?\}(?=,"lease")'), '"last":...'),
    (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:..."),
    (re.compile(r"\bin \d+\.\d s\b"), "in N s"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "YYYY-MM-DD hh:mm:ss"),
    (re.compile(r'"modified":\d{19}'), '"modified":...'),
    (re.compile(r'"lineage":"[0-9a-f-]{36}"'), '"lineage":"..."'),
    (re.compile(r'"started":"[^"]+"'), '"started":"..."'),
    (re.compile(r'"(who|host)":"[^"]+"'), r'"\1":"..."'),
    (re.compile(r'"seconds":[\d.e-]+'), '"seconds":N'),
    (re.compile(r"\S+@\S+(?=  (?:done|failed|cut|open))"), "YOU@HOST"),
    (re.compile(r"(?<=  who      )\S+ on \S+"), "YOU on HOST"),
    (re.compile(r"(?<=  took     )\S+ s"), "N s"),
    (re.compile(r"identity/[0-9a-f-]{36}"), "identity/..."),
    (re.compile(r"\.buckia\.d/trash/[0-9a-f]{12}"), ".buckia.d/trash/..."),
)


@dataclass
class Step:
    """A command line of a transcript, with its input and the comments before it."""

    line: str
    before: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)


def parse(page: str) -> list[Step]:
    """The commands of a transcript; what it says they print is left to a comparison of pages."""
    steps: list[Step] = []
    comments: list[str] = []
    for line in page.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:], comments))
            comments = []
        elif line.startswith("| ") and steps:
            steps[-1].given.append(line[2:])
        elif line.startswith("# "):
            comments.append(line)
    return steps


def play(page: str, folder: Path, web: WebFolder) -> str:
    """The page as it should be: every command run in `folder`, its output in place."""
    lines: list[str] = []
    for step in parse(page):
        if step.before and lines and lines[-1]:
            lines.append("")
        asked = [*step.before, f"$ {step.line}", *(f"| {line}" for line in step.given)]
        answered = [line.replace(web.host, _HOST) for line in _play(step, folder, web)]
        lines += [*asked, *answered, *([""] if answered else [])]
    return "\n".join(lines).rstrip("\n") + "\n"


def _play(step: Step, folder: Path, web: WebFolder) -> Iterator[str]:
    content = "".join(f"{line}\n" for line in step.given)
    words = shlex.split(step.line.replace(_HOST, web.host))
    if words[0] == "publish":
        publish(web, tree_of(folder / words[1]), int(words[2]))
        return
    if words[0] != "buckia":
        told = HELPERS[words[0]](folder, content, *words[1:])
        yield from (_plain(line, folder) for line in told)
        return
    if "<" in words:
        *words, _, source = words
        content = (folder / source).read_text()
    before = tree(folder)
    ended = buckia(*words[1:], given=content)
    if ended.code in REFUSALS and "doctor" not in words[:2]:
        lines = 1 if "validate" not in words else ended.err.count("\n")
        stream = words[1:2] == ["apply"] and "--json" in words
        out = ended.out if stream and '"event":"outcome"' not in ended.out else ""
        assert (ended.out, ended.err.count("\n"), tree(folder)) == (out, lines, before), ended
    yield from _output(ended, folder)


def _output(ended: Ended, folder: Path) -> Iterator[str]:
    yield from (line for line in _plain(ended.out, folder).splitlines())
    yield from (f"! {line}".rstrip() for line in _plain(ended.err, folder).splitlines())
    if ended.code:
        yield f"[{ended.code}]"


def _plain(text: str, folder: Path) -> str:
    text = text.replace(str(folder), "/WORKSPACE").rstrip()
    for pattern, same in _SAME:
        text = pattern.sub(same, text)
    return text


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything in a workspace but buckia's working folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if ".buckia.d" not in path.parts
    }


def _write(folder: Path, content: str, path: str, *words: str) -> Iterator[str]:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content or " ".join(words) + "\n")
    return iter(())


def _append(folder: Path, content: str, path: str, *words: str) -> Iterator[str]:
    with (folder / path).open("a") as file:
        file.write(content or " ".join(words) + "\n")
    return iter(())


def _edit(folder: Path, content: str, path: str, old: str, new: str) -> Iterator[str]:
    before = (folder / path).read_text()
    assert old in before, (path, old)
    (folder / path).write_text(before.replace(old, new))
    return iter(())


def _rm(folder: Path, content: str, path: str) -> Iterator[str]:
    target = folder / path
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    return iter(())


def _mkdir(folder: Path, content: str, path: str) -> Iterator[str]:
    (folder / path).mkdir(parents=True)
    return iter(())


def _mv(folder: Path, content: str, old: str, new: str) -> Iterator[str]:
    (folder / old).rename(folder / new)
    return iter(())


def _cp(folder: Path, content: str, old: str, new: str) -> Iterator[str]:
    shutil.copy(folder / old, folder / new)
    return iter(())


def _ls(folder: Path, content: str) -> Iterator[str]:
    return (path for path, data in sorted(tree(folder).items()) if data is not None)


def _sql(folder: Path, content: str, path: str, *statements: str) -> Iterator[str]:
    with closing(sqlite3.connect(folder / path, isolation_level=None)) as database:
        for statement in statements:
            for row in database.execute(statement).fetchall():
                yield "|".join(map(str, row))


def _env(folder: Path, content: str, setting: str) -> Iterator[str]:
    name, _, value = setting.partition("=")
    os.environ[name] = value  # the fixture `workspace` puts the environment back
    return iter(())


HELPERS: dict[str, Callable[..., Iterator[str]]] = {
    "write": _write,
    "append": _append,
    "edit": _edit,
    "rm": _rm,
    "mkdir": _mkdir,
    "mv": _mv,
    "cp": _cp,
    "ls": _ls,
    "env": _env,
    "sql": _sql,
}
