"""Finding, reading and checking a `.buckia`: every error at once, each with line and column."""

from __future__ import annotations

import contextlib
import datetime
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import buckia.config.schema as judge
from buckia.config import BucketConfig, Config, InvalidConfig, Settings, limits_from
from buckia.config.advice import advise
from buckia.config.checks import nesting
from buckia.config.env import Expanded, expand
from buckia.config.schema import Problem, dotted, one_line, suggest
from buckia.config.source import MAX_BYTES, Source, kind_of, read
from buckia.errors import ConfigError
from buckia.rules import seconds

NAMES: Final = (".buckia", ".buckia.yaml", ".buckia.toml")
"""What a configuration is called, the first found counts."""

VARIABLE: Final = "BUCKIA_CONFIG"

_RESERVED: Final = "buckia"
_SETTINGS: Final = "settings"

_ESSENTIAL: Final = {"", "provider", "bucket_name", "paths", "files", "upload_files"}
"""Without these right, nothing sensible can be said of the rest of a bucket."""


@dataclass(frozen=True)
class Finding:
    """One error or warning. Line and column count from 1; `option` is dotted, such as `a.paths[0]`.

    As text it reads `line:column: option: message`.
    """

    severity: Literal["error", "warning"]
    line: int
    column: int
    option: str
    message: str

    def __str__(self) -> str:
        place = f"{self.line}:{self.column}: "
        mood = "warning: " if self.severity == "warning" else ""
        option = f"{self.option}: " if self.option else ""
        return one_line(place + mood + option + self.message)


class InvalidFile(ConfigError):
    """A configuration file with errors: all of them in `findings`, the first in the first line."""

    def __init__(self, path: Path, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        first, *rest = (f"{path}:{finding}" for finding in findings)
        more = f" (and {len(rest)} more: `buckia validate` shows all)" if rest else ""
        super().__init__("\n".join((first + more, *rest)))


def find(start: Path, explicit: str | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """The configuration file to use.

    `explicit` (`--config`) goes before the variable BUCKIA_CONFIG; both are relative to `start`.
    Else the first of `.buckia`, `.buckia.yaml`, `.buckia.toml` in `start` or, as git does it, the
    nearest folder above that has one. A directory of that name is not a configuration. Raises
    `ConfigError` when there is none.
    """
    for said, by in ((explicit, "--config"), (env.get(VARIABLE), VARIABLE)):
        if said:
            return _named(start, said, by)
    start = start.absolute()
    for folder in (start, *start.parents):
        for name in NAMES:
            if _is(folder / name, stat.S_ISREG):
                return folder / name
    looked = f"no {NAMES[0]}, {NAMES[1]} or {NAMES[2]} in {start} or above"
    raise ConfigError(f"{looked}; `buckia init` writes one, `--config FILE` names another")


def _named(start: Path, said: str, by: str) -> Path:
    path = start / said
    with contextlib.suppress(RuntimeError):  # `~name` of nobody stays as it is
        path = start / Path(said).expanduser()
    if _is(path, stat.S_ISDIR):
        raise ConfigError(f"{by}: {said} is a directory; name a file in it")
    if not _is(path, bool):
        raise ConfigError(f"{by}: {said} does not exist; `buckia init` writes a configuration")
    return path


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def load(path: Path, env: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file. Raises `InvalidFile`, a `ConfigError`, with all its errors."""
    config, findings = _examine(path, _content(path), env)
    if config is None:
        raise InvalidFile(path, [item for item in findings if item.severity == "error"])
    return config


def check(path: Path, env: Mapping[str, str] = os.environ) -> list[Finding]:
    """Every error and warning of a file, in the order of its lines. Never raises for content."""
    try:
        content = _content(path)
    except ConfigError as problem:
        return [Finding("error", 1, 1, "", str(problem))]
    return _examine(path, content, env)[1]


def build(
    data: Mapping[str, Any], *, root: Path = Path(), env: Mapping[str, str] = os.environ
) -> Config:
    """The configuration in a mapping of the same shape as a file. Raises `InvalidConfig`."""
    draft = _Draft(Source(data=dict(data)), root, env)
    config = draft.config(None)
    if config is None:
        raise InvalidConfig("configuration", draft.problems)
    return config


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read: {problem.strerror}; check its permissions"
        ) from None


def _examine(
    path: Path, content: bytes, env: Mapping[str, str]
) -> tuple[Config | None, list[Finding]]:
    source = read(content, toml=path.suffix == ".toml")
    found = [Finding("error", *f.mark, dotted(f.path), f.message) for f in source.faults]
    if source.faults and source.data is None:
        return None, found
    draft = _Draft(source, path.absolute().parent, env)
    config = draft.config(path)
    found += [draft.finding("error", problem) for problem in draft.problems]
    found += [draft.finding("warning", problem) for problem in draft.warnings]
    whole = config if not source.faults else None
    return whole, sorted(dict.fromkeys(found), key=lambda f: (f.line, f.column))


class _Draft:
    """A file on its way to a `Config`: merged with its defaults, expanded, judged, built."""

    def __init__(self, source: Source, root: Path, env: Mapping[str, str]) -> None:
        self.source = source
        self.root = root
        self.expanded: Expanded = expand(_merged(_dated(source)), env)
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def config(self, path: Path | None) -> Config | None:
        """The configuration, or None with `problems`; `warnings` are filled either way."""
        data = self.expanded.data
        unset = {problem.path for problem in self.expanded.problems}
        judged = judge.problems({} if data is None else data, tell=self.tell)
        self.problems += self.expanded.problems
        self.problems += [problem for problem in judged if problem.path not in unset]
        if not isinstance(data, dict):
            return None
        buckets = dict(self.buckets(data))
        settings = self.settings(data)
        self.warnings += advise(buckets, settings, self.source.data)
        self.warnings += self.unset_secrets()
        return None if self.problems else Config(self.root, path, buckets, settings)

    def buckets(self, data: dict[str, Any]) -> Iterator[tuple[str, BucketConfig]]:
        """The buckets that can be built, if need be without the options that are refused."""
        for name, said in data.items():
            refused = self.refused(name)
            if name == _RESERVED or refused & _ESSENTIAL:
                continue
            options = {option: value for option, value in said.items() if option not in refused}
            missing = tuple(dict.fromkeys(self.expanded.missing.get(name, ())))
            try:
                bucket = BucketConfig(**options, name=name, missing_env=missing)
            except InvalidConfig as invalid:
                self.problems += [_inside(name, problem) for problem in invalid.problems]
                continue
            if why := nesting(bucket, self.root):
                self.problems.append(Problem((name, "bucket_name"), why))
            try:
                bucket.declared(self.root)
            except ConfigError as problem:
                self.problems.append(Problem((name, "settings", "policy"), str(problem)))
            yield name, bucket

    def refused(self, name: str) -> set[object]:
        """The options of a bucket that have problems; "" stands for the bucket as a whole."""
        paths = (problem.path for problem in self.problems if problem.path[:1] == (name,))
        return {path[1] if len(path) > 1 else "" for path in paths}

    def settings(self, data: dict[str, Any]) -> Settings:
        refused = self.refused(_RESERVED)
        here = {} if "" in refused else data.get(_RESERVED, {})
        said = {option: value for option, value in here.items() if option not in refused}
        state = said.get("state", {}).get("bucket")
        if state is not None and (state not in data or state == _RESERVED):
            message = f"there is no bucket `{state}` in this file{suggest(state, data)}"
            self.problems.append(Problem((_RESERVED, "state", "bucket"), message))
        sets = {
            name: tuple(folder.rstrip("/") for folder in folders)
            for name, folders in said.get("sets", {}).items()
        }
        limits = limits_from(said.get("limits", {}))
        journal = said.get("journal", {})
        keep = seconds(journal["keep"]) if "keep" in journal else None
        count = int(journal.get("count", Settings.journal_count))
        return Settings(int(said.get("version", 1)), state, sets, limits, count, keep)

    def unset_secrets(self) -> Iterator[Problem]:
        for name, missing in self.expanded.missing.items():
            for item in missing if name != _RESERVED else ():
                option = item.partition("`")[2].rstrip("`").split(".")
                message = f"the environment variable {item.partition(' ')[0]} is not set"
                yield Problem((name, *option), f"{message}; the bucket cannot be used without it")

    def tell(self, path: judge.Path, value: object, text: bool) -> str:
        """What was found, as it was written: unexpanded, and before YAML read it as something."""
        path = self.origin(path)
        written = _at(self.source.data, path)
        if path not in self.source.odd or value is None or not text:
            return judge.describe(path, written if isinstance(written, str) else value, text)
        shown = "a value" if judge.SECRETS & set(path) else f"`{self.source.odd[path]}`"
        return f"{shown} that YAML reads as {kind_of(value)} unless it stands in quotes"

    def origin(self, path: judge.Path) -> judge.Path:
        """Where a value that a bucket has from the defaults really stands."""
        if len(path) < 2 or path[0] == _RESERVED or path[:2] in self.source.values:
            return path
        places = ((_RESERVED, "defaults", path[1]), (_RESERVED, path[1]))
        found = (place for place in places if place in self.source.values)
        return (*next(found, path[:2]), *path[2:])

    def finding(self, severity: Literal["error", "warning"], problem: Problem) -> Finding:
        path = self.origin(problem.path)
        mark = self.source.mark(path, problem.on_key)
        return Finding(severity, *mark, dotted(path), problem.message)


def _inside(name: str, problem: Problem) -> Problem:
    return Problem((name, *problem.path), problem.message, problem.on_key)


def _merged(data: Any) -> Any:
    """Every bucket with the defaults of the file for the options it leaves out."""
    said = data.get(_RESERVED) if isinstance(data, dict) else None
    if not isinstance(said, dict):
        return data
    shared: dict[str, Any] = {"limits": said["limits"]} if "limits" in said else {}
    if isinstance(defaults := said.get("defaults"), dict):
        shared |= defaults
    return {
        name: {**shared, **value} if name != _RESERVED and isinstance(value, dict) else value
        for name, value in data.items()
    }


def _dated(source: Source) -> Any:
    """The data with dates in settings as they are written: policies and rules hold many."""
    dates = {path: text for path, text in source.odd.items() if _SETTINGS in path[1:3]}

    def told(value: Any, path: judge.Path) -> Any:
        if isinstance(value, dict):
            return {name: told(item, (*path, name)) for name, item in value.items()}
        if isinstance(value, list):
            return [told(item, (*path, index)) for index, item in enumerate(value)]
        return dates[path] if path in dates and isinstance(value, datetime.date) else value

    return told(source.data, ()) if dates else source.data


def _at(data: Any, path: judge.Path) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data
