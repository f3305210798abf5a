"""`init` and `validate`: a configuration to begin with, and whether it is sound."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from buckia.cli.options import Shared, unfold
from buckia.errors import ConfigError, UsageError
from buckia.text import count_of


class Provider(StrEnum):
    """Whose bucket it is."""

    LOCAL = "local"
    S3 = "s3"
    LINODE = "linode"
    B2 = "b2"
    BUNNY = "bunny"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)
    app.command()(unfold(validate))


def init(
    provider: Annotated[
        Provider, typer.Option(help="Whose bucket it is; `local` is a directory.")
    ] = Provider.LOCAL,
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call the bucket.")] = "assets",
    config: Annotated[
        str, typer.Option("--config", "-c", metavar="FILE", help="The file to write.")
    ] = ".buckia",
) -> None:
    """Write a commented configuration to begin with. Never overwrites one."""
    from buckia.config import InvalidConfig
    from buckia.config import file as config_file
    from buckia.config import template as config_template

    path = Path(config)
    _refuse(path)
    try:
        page = config_template.template(provider.value, name)
    except InvalidConfig as invalid:
        raise UsageError(f"--name {name}: {invalid.problems[0].message}; choose another") from None
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(page)
    except OSError as problem:
        raise UsageError(
            f"{path} cannot be written: {problem.strerror}; name another with --config"
        ) from None
    _say(f"Wrote {path}. Edit it, then `buckia validate` and `buckia plan`.")
    if provider is Provider.LOCAL:
        bucket = config_file.load(path).buckets[name]
        place = path.parent / bucket.bucket_name
        place.mkdir(parents=True, exist_ok=True)
        _say(f"Made {place}/, the directory that stands for the bucket.")


def _refuse(path: Path) -> None:
    """Raise `UsageError` where writing would overwrite or hide a configuration."""
    from buckia.config.file import NAMES

    if path.suffix == ".toml":
        raise UsageError(f"init writes YAML, so {path} would not be read; name it .buckia")
    beside = [path.parent / name for name in NAMES] if path.name in NAMES else []
    for taken in (path, *beside):
        if taken.is_file() or taken.is_symlink():
            raise UsageError(f"{taken} exists and was left as it is; edit it, or name --config")


def validate(*, shared: Shared) -> None:
    """Check the configuration.

    Every error and warning is told at once, each with its file, line and column.
    """
    from buckia.cli.session import locate
    from buckia.config import file as config_file

    path = locate(shared.config)
    findings = config_file.check(path)
    errors = sum(item.severity == "error" for item in findings)
    for item in findings:
        if item.severity == "error" or not shared.quiet:
            _say(f"{path}:{item}")
    if errors:
        raise ConfigError(f"{path} has {count_of(errors, 'error')}; correct what is listed above")
    if not shared.quiet:
        warnings = count_of(len(findings), "warning")
        _say(f"{path} is valid" + (f", with {warnings}." if findings else "."))


def _say(words: str) -> None:
    print(words, file=sys.stderr)  # noqa: T201
