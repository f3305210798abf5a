"""`url`: where others find an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.session import opened
from buckia.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from buckia.project import Project


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unfold(url))


def url(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The object, by its key.")],
    bucket: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which bucket, where there are several.",
            autocompletion=complete_bucket,
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="1h", help="How long it is good for: 15m, 12h, 7d; default 1h."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="The plain URL, for a bucket that everybody may read.")
    ] = False,
    *,
    shared: Shared,
) -> None:
    """Print a URL of an object.

    Whoever has it can read the object until it expires, so treat it as a secret. `s3` and `b2`
    sign for seven days at most, and temporary credentials end sooner, with all they signed. B2
    lets the same URL read every name that begins with KEY. With --public nothing is signed and
    nothing is asked: whether everybody may read is up to the bucket.
    """
    from buckia.rules import seconds

    if public and expires is not None:
        raise UsageError("--public makes a URL that does not expire; leave --expires out")
    lasting = seconds(expires or "1h", minutes=True)
    with opened(shared) as session:
        project = session.project
        name = _bucket(project, bucket)
        if public:
            print(project.public_url(name, key))  # noqa: T201
            return
        with session.looking():
            made = project.signed_url(name, key, lasting)
            if project.remote(name).head(key) is None:
                raise NotFoundError(
                    f"`{name}` has no object {text.name(key)}; `buckia status` tells what there is"
                )
        print(made)  # noqa: T201


def _bucket(project: Project, wanted: str | None) -> str:
    """The bucket that is meant."""
    names = project.names([wanted] if wanted is not None else ())
    if len(names) > 1:
        raise UsageError(f"there are several buckets; say which with --bucket: {', '.join(names)}")
    return names[0]
