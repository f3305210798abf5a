"""`app`: the folder that an app keeps for a user, made from demo content, backed up, restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from buckia import text
from buckia.cli import checkout
from buckia.cli.applying import carry_out, demand_yes, propose
from buckia.cli.checkout import AllowLocal
from buckia.cli.options import Choice, LockTimeout, Shared, complete_bucket, unfold
from buckia.cli.session import Session, can_ask, opened
from buckia.errors import BuckiaError, UsageError
from buckia.terms import Direction

if TYPE_CHECKING:
    from buckia.config import Config
    from buckia.runs.appdata import Reset, Updated
    from buckia.runs.appfolders import Folder

User = Annotated[
    str, typer.Argument(metavar="USER", help="The id of the user's folder, without its path.")
]
Demo = Annotated[
    str,
    typer.Option("--from", metavar="DEMO", help="The id of the demo folder, or a set of just it."),
]
Bucket = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Whose local folders are meant, where a folder is in several.",
        autocompletion=complete_bucket,
    ),
]
InBucket = Annotated[
    str | None,
    typer.Argument(
        metavar="BUCKET", help="The bucket, if several could be.", autocompletion=complete_bucket
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it, and do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=False)
    for command in (reset, update, backup, restore):
        group.command()(unfold(command))
    app.add_typer(
        group, name="app", help="What an app keeps for a user: reset, update, backup, restore."
    )


def reset(
    user: User,
    demo: Demo,
    bucket: Bucket = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    allow_local: AllowLocal = False,
    *,
    shared: Shared,
) -> None:
    """Make a user's local folder anew from demo content.

    What was in it goes to the trash; databases are cloned through SQLite. Files that the
    configuration excludes stay. No bucket is changed: the next plan tells what follows.
    """
    if not (yes or dry_run or can_ask()):
        raise UsageError("app reset asks, and there is no terminal to ask in: say --yes")
    if not (dry_run or allow_local):
        checkout.refuse_folder(user)
    with opened(shared) as session:
        with session.looking():
            made = session.project.plan_reset(user, demo, bucket)
        told = f"{text.name(made.user.path)} from {text.name(made.demo.path)}: {_counted(made)}"
        if dry_run:
            _print([*_marked(made), told])
            return
        if not yes:
            for line in _marked(made):
                session.note(line)
            _demand(f"Reset {told}?")
        with session.looking(), session.changing():
            session.project.reset(made)
        session.note(f"Reset {told}.{_kept(made.trash, made.replaced or made.removed)}")


def _counted(made: Reset) -> str:
    new = len(made.copied) - len(made.replaced)
    counts = {"new": new, "replaced": len(made.replaced), "removed": len(made.removed)}
    parts = [f"{count:,} {word}" for word, count in counts.items() if count]
    return ", ".join([*parts, f"{made.unchanged:,} unchanged"])


def _marked(made: Reset) -> Iterator[str]:
    """Every file that changes, behind `+`, `~` or `-`."""
    for name in made.copied:
        yield f"  {'~' if name in made.replaced else '+'}  {text.name(name)}"
    for name in made.removed:
        yield f"  -  {text.name(name)}"


def _kept(trash: str, anything: object) -> str:
    return f" What was there is in the trash, under {trash}." if anything else ""


def _demand(question: str) -> None:
    from buckia.cli.ask import confirm

    if not confirm(question):
        raise BuckiaError("the answer was no; nothing was changed")


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line)  # noqa: T201


def update(
    user: User,
    demo: Demo,
    bucket: Bucket = None,
    dry_run: DryRun = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    allow_local: AllowLocal = False,
    *,
    shared: Shared,
) -> None:
    """Bring new demo content into a user's local folder.

    Rows of the demo's databases are added to the user's, or replace those with the same primary
    key; files that are missing are copied. All other rows and files of the user stay. A database
    changes in one transaction, or not at all, and what it was goes to the trash.
    """
    from buckia import documents

    if not (dry_run or allow_local):
        checkout.refuse_folder(user)
    with opened(shared) as session:
        with session.looking(), session.changing():
            done = session.project.update(user, demo, bucket, dry_run=dry_run)
        if json:
            head = {"format": "buckia.update", "format_version": "1.0", "dry_run": dry_run}
            session.publish(documents.render(head, {"copied": done.copied, "tables": _rows(done)}))
        else:
            _print(list(_told(done)))
        session.note(_summary(done, dry_run=dry_run))


def _rows(done: Updated) -> list[dict[str, object]]:
    return [
        {
            "database": database.path,
            "table": table.name,
            "inserted": table.inserted,
            "updated": table.updated,
        }
        for database in done.databases
        for table in database.tables
    ]


def _told(done: Updated) -> Iterator[str]:
    for name in done.copied:
        yield f"{text.name(name)}  copied"
    for row in _rows(done):
        where = f"{text.name(str(row['database']))}  {text.visible(str(row['table']))}"
        yield f"{where}  {row['inserted']:,} inserted, {row['updated']:,} updated"


def _summary(done: Updated, *, dry_run: bool) -> str:
    tables = [table for database in done.databases for table in database.tables]
    where = f"{text.name(done.user.path)} from {text.name(done.demo.path)}"
    if not (tables or done.copied):
        return f"Nothing to do: {where} is up to date."
    counts = [
        f"{text.count_of(len(done.copied), 'file')} copied",
        f"{text.count_of(sum(table.inserted for table in tables), 'row')} inserted",
        f"{sum(table.updated for table in tables):,} updated",
    ]
    if dry_run:
        return f"Would update {where}: {', '.join(counts)}. Nothing was changed."
    return f"Updated {where}: {', '.join(counts)}.{_kept(done.trash, done.databases)}"


@contextmanager
def _one_way(
    user: str, bucket: str | None, direction: Direction, shared: Shared
) -> Iterator[tuple[Session, Choice, Folder]]:
    """A session whose configuration has the folder go one way, and what is to be planned."""
    from buckia.runs import appfolders

    found: list[Folder] = []

    def directed(config: Config) -> Config:
        found.append(appfolders.in_bucket(config, user, bucket))
        return appfolders.directed(config, found[0], direction)

    with opened(shared, directed) as session:
        (folder,) = found
        paths = [folder.prefix.rstrip("/")]
        yield session, Choice(names=[folder.bucket], paths=paths, direction=direction), folder


def backup(
    user: User,
    bucket: InBucket = None,
    dry_run: DryRun = False,
    lock_timeout: LockTimeout = 0.0,
    *,
    shared: Shared,
) -> None:
    """Bring a user's folder to its bucket: files, and one consistent state of each database.

    It is a plan for this folder alone, carried out. What has changed in the bucket is a conflict.
    """
    with _one_way(user, bucket, Direction.UPLOAD, shared) as (session, choice, _):
        made = propose(session, session.plan(choice))
        if not dry_run:
            carry_out(session, made, lock_timeout)


def restore(
    user: User,
    bucket: InBucket = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    allow_local: AllowLocal = False,
    lock_timeout: LockTimeout = 0.0,
    *,
    shared: Shared,
) -> None:
    """Bring a user's folder back from its bucket.

    It is a plan for this folder alone, carried out. The bucket wins over what has changed here,
    which goes to the trash; files that were never backed up stay.
    """
    if not (yes or dry_run or can_ask()):
        raise UsageError("app restore asks, and there is no terminal to ask in: say --yes")
    with _one_way(user, bucket, Direction.DOWNLOAD, shared) as (session, choice, folder):
        made = propose(session, session.plan(choice))
        if not made.actions and not (session.project.root / folder.path).is_dir():
            raise UsageError(f"there is no {user} in the bucket and none here; check the id")
        if dry_run:
            return
        if not allow_local:
            checkout.refuse_plan(made)
        if made.actions and not yes:
            demand_yes(made)
        carry_out(session, made, lock_timeout)
