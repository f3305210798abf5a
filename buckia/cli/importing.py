"""`import`: the live settings of a bucket as configuration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli import papers
from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.session import opened
from buckia.errors import AccessError, ConfigError

if TYPE_CHECKING:
    from buckia.cli.session import Session
    from buckia.runs.importing import Imported


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(unfold(import_))


def import_(
    bucket: Annotated[
        str, typer.Argument(metavar="BUCKET", help="Which.", autocompletion=complete_bucket)
    ],
    write: Annotated[
        bool, typer.Option("--write", help="Write them into the configuration file.")
    ] = False,
    *,
    shared: Shared,
) -> None:
    """Write the live settings of a bucket as configuration.

    Prints `settings` as they would have to be declared so that a plan finds nothing to configure:
    those that are declared, and those that somebody has set. With --write they take the place of
    the `settings` in the configuration file, where nothing else changes; what cannot be written
    without touching something else is refused.
    """
    import msgspec

    from buckia.config.editing import escaped
    from buckia.settings.text import dump

    with opened(shared) as session:
        with session.looking():
            found = session.project.import_settings(bucket)
        document = {bucket: {"settings": escaped(found.said)}}
        session.project.hygiene.demand_clean(msgspec.json.encode(document), "what is imported")
        if write:
            _write(session, bucket, found)
        else:
            papers.write(dump(document).encode(), papers.STREAM)
        _tell(session, found)


def _write(session: Session, bucket: str, found: Imported) -> None:
    from buckia.config.editing import with_settings

    path = session.project.config.path
    if path is None or path.suffix == ".toml":
        raise ConfigError(
            "--write writes YAML, and the configuration is TOML; leave it out to print them"
        )
    edited = with_settings(path.read_bytes(), bucket, found.said)
    papers.replace(path.resolve(), edited)
    count = text.count_of(len(found.said), "setting")
    session.note(f"Wrote {count} of {text.name(bucket)} to {path.name}.")


def _tell(session: Session, found: Imported) -> None:
    """Say what is not there, and raise where a right is missing."""
    for name, why in found.left_out.items():
        print(text.visible(f"left out: {name}: {why}"), file=sys.stderr)  # noqa: T201
    if found.denied:
        count = text.count_of(len(found.denied), "setting")
        raise AccessError(f"{count} could not be read: {', '.join(found.denied)}; get the right")
