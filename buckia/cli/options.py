"""The options that several commands take, each group a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from buckia.terms import Direction

if TYPE_CHECKING:
    from pathlib import Path

    from buckia.config import Config
    from buckia.rules import Overrides


def complete_bucket(ctx: typer.Context, incomplete: str) -> list[str]:
    """The buckets that a shell can complete to; none where there is no sound configuration."""
    config = _config(ctx)
    return [name for name in config.buckets if name.startswith(incomplete)] if config else []


def complete_folder(ctx: typer.Context, incomplete: str) -> list[str]:
    """The sets and folders that a shell can complete to."""
    config = _config(ctx)
    if config is None:
        return []
    folders = {name.rstrip("/") for bucket in config.buckets.values() for name in bucket.folders}
    known = folders | config.settings.sets.keys()
    return sorted(name for name in known if name.startswith(incomplete))


def complete_plan(incomplete: str) -> list[str]:
    """The plan files that a shell can complete to, and folders on the way to some."""
    from pathlib import Path

    folder, slash, _ = incomplete.rpartition("/")
    found: list[str] = []
    try:
        for path in sorted(Path(folder or ".").iterdir()):
            name = f"{folder}{slash}{path.name}"
            if not name.startswith(incomplete) or path.name.startswith("."):
                continue
            if path.is_dir():
                found.append(f"{name}/")
            elif path.suffix == ".json" and _is_plan(path):
                found.append(name)
    except OSError:
        return found
    return found


def _is_plan(path: Path) -> bool:
    """Whether a file begins as plans do."""
    with path.open("rb") as file:
        return b'"buckia.plan"' in file.read(64)


def _config(ctx: typer.Context) -> Config | None:
    """The configuration that is in use; None where there is no sound one."""
    from pathlib import Path

    from buckia.config import file as config_file

    try:
        return config_file.load(config_file.find(Path(), ctx.params.get("config")))
    except Exception:
        return None


@dataclass(frozen=True, kw_only=True)
class Configured:
    """Which configuration a command works with."""

    config: Annotated[
        str | None,
        typer.Option("--config", "-c", metavar="FILE", help="The configuration to use."),
    ] = None


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Telling:
    """How much is told."""

    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, show_default=False, help="Tell more; -vv tells all."
        ),
    ] = 0
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors only.")
    ] = False
    log_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Append everything that is told to a file.")
    ] = None
    log_format: Annotated[
        LogFormat, typer.Option(help="How the log is written: as text, or JSON, one object a line.")
    ] = LogFormat.TEXT


@dataclass(frozen=True, kw_only=True)
class Shared(Telling, Configured):
    """What every command takes that works with a configuration."""


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """Which buckets a command is about."""

    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="BUCKET", help="All buckets, or these.", autocompletion=complete_bucket
        ),
    ] = None
    bucket: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="The same as an option.", autocompletion=complete_bucket),
    ] = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """The buckets named either way; empty means all."""
        return (*(self.names or ()), *(self.bucket or ()))


class Side(StrEnum):
    """One of the two that are kept in step."""

    LOCAL = "local"
    REMOTE = "remote"


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """Limits lifted for one plan. They stand in it, for whoever reviews it."""

    allow_deletes: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Allow this many deletions a side in each bucket."),
    ] = None
    accept_empty: Annotated[
        list[Side] | None,
        typer.Option(
            metavar="local|remote", help="This side is meant to be empty, or to hold nothing known."
        ),
    ] = None

    @property
    def overrides(self) -> Overrides:
        """The same as the rules have it."""
        from buckia.rules import Overrides

        return Overrides(self.allow_deletes, frozenset(map(str, self.accept_empty or ())))


@dataclass(frozen=True, kw_only=True)
class Choice(Allowance, Buckets):
    """What a plan is asked about."""

    paths: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH...", help="Only what is at or below these paths or keys."),
    ] = None
    direction: Annotated[Direction, typer.Option(help="Only what travels this way.")] = (
        Direction.BOTH
    )
    skip_conflicts: Annotated[
        bool, typer.Option("--skip-conflicts", help="Leave conflicts as they are and do the rest.")
    ] = False

    @property
    def one_way(self) -> Direction | None:
        """The direction, where one was asked for."""
        return None if self.direction is Direction.BOTH else self.direction


LockTimeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        help="How long to wait while others apply, here or there.",
    ),
]
"""An option of whatever applies."""


def unfold(function: Callable[..., None]) -> Callable[..., None]:
    """A function as typer wants it: each parameter that is a dataclass becomes its fields."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}

    @wraps(function)
    def command(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        function(**given)

    parameters = list(_parameters(function, hints))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command


def _parameters(
    function: Callable[..., None], hints: dict[str, Any]
) -> Iterator[inspect.Parameter]:
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints[name]
        if not is_dataclass(kind):
            yield inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=parameter.default, annotation=kind
            )
            continue
        types = get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=types[field.name],
            )
