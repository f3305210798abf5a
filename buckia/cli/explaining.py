"""`why`: why a key is treated as it is. Nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.planning import draw
from buckia.cli.session import opened
from buckia.errors import UsageError

if TYPE_CHECKING:
    from buckia.cli.session import Session


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(why))


def why(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A key, or the path of a local file.")],
    bucket: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only in this bucket.", autocompletion=complete_bucket),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    shared: Shared,
) -> None:
    """Say why a key is treated as it is.

    Which path it maps to, which rule lets it in or keeps it out and where that stands, what both
    sides and the last apply hold, which row of the table that is, what the next apply does and by
    which policy. Every bucket that covers the key is asked, about this key alone: nothing is
    listed. What --json prints is described by schemas/why.schema.json.
    """
    from buckia.cli import show_why

    with opened(shared) as session:
        with session.looking():
            found = [session.project.why(name, key) for name in _covering(session, key, bucket)]
        if json:
            session.publish(show_why.document(key, found))
        else:
            draw(show_why.view(found))


def _covering(session: Session, key: str, bucket: str | None) -> list[str]:
    """The buckets to ask: the one that is named, or those that cover the key, or all."""
    from buckia.runs.explaining import covers

    config = session.project.config
    if not key:
        raise UsageError("an empty text is no key; name one, as `buckia plan -v` shows it")
    if bucket is not None:
        return [config.bucket(bucket).name]
    return [name for name, one in config.buckets.items() if covers(one, key)] or [*config.buckets]
