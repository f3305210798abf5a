"""`auth`: credentials in the system's keyring, by name. Their values are never printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from buckia import text
from buckia.cli.checking import Provider
from buckia.cli.options import Shared, complete_bucket, unfold
from buckia.cli.session import can_ask, locate, opened
from buckia.errors import BuckiaError, ConfigError, UsageError

if TYPE_CHECKING:
    from buckia.cli.session import Session
    from buckia.config import Config
    from buckia.credentials.kinds import Kind

_ADVICE: Final = (
    "auth set takes no credential as an argument: every program on this computer would see it; "
    "it is asked for, or read from stdin; change the one given here"
)

_KEYRING: Final = "the keyring"

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the credential is called.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=False)
    group.command("set")(unfold(set_one))
    group.command("list")(unfold(list_all))
    group.command("remove")(unfold(remove))
    group.command("test")(unfold(test))
    app.add_typer(group, name="auth", help="Credentials in the keyring: set, list, remove, test.")


def set_one(
    name: Name,
    extra: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    provider: Annotated[
        Provider | None, typer.Option(help="Whose it is, where no bucket of `.buckia` says so.")
    ] = None,
    *,
    shared: Shared,
) -> None:
    """Keep a credential in the system's keyring, over one of that name.

    It is asked for without being shown, or read from stdin where that is no terminal: the secret
    alone (`bunny`), `key_id:secret` (`s3`, `linode`, `b2`), or JSON by the provider's own names. A
    bucket takes it with `token: NAME`.
    """
    from buckia.credentials import vault
    from buckia.credentials.kinds import KINDS, NAME, parse

    if extra:
        raise UsageError(_ADVICE)
    if not NAME.fullmatch(name):
        raise UsageError(f"{text.name(name)}: use letters, digits, `.`, `_` and `-`")
    whose = str(provider) if provider else _provider(name, _config(shared))
    if whose == Provider.LOCAL:
        raise UsageError("`local` needs no credential; name another provider")
    kind = KINDS.get(whose or "")
    said = _ask(name, kind) if can_ask() else _read()
    if kind:
        parse(said, kind, f"the credential `{name}`")
    vault.keep(name, said, whose)
    if not shared.quiet:
        _say(f"Kept as {text.name(name)} in the keyring; a bucket takes it with `token: {name}`.")


def _provider(name: str, config: Config | None) -> str | None:
    """Whose credential it is, by the buckets that take it; None where they do not say."""
    buckets = config.buckets.values() if config else ()
    found = {bucket.provider for bucket in buckets if bucket.token == name}
    return found.pop() if len(found) == 1 else None


def _config(shared: Shared) -> Config | None:
    """The configuration, if there is a sound one; a name can be kept before there is."""
    from buckia.config import file as config_file

    try:
        return config_file.load(locate(shared.config))
    except ConfigError:
        if shared.config is not None:
            raise
        return None


def _ask(name: str, kind: Kind | None) -> str:
    """What a person types, each part by itself."""
    from json import dumps

    if kind is None:
        return _typed(f"Secret, key_id:secret or JSON for {name}: ")
    asked = {part.name: f"{part.name.replace('_', ' ')} for {name}: " for part in kind.needed}
    return dumps({part: _typed(question) for part, question in asked.items()})


def _typed(question: str) -> str:
    from getpass import getpass

    try:
        typed = getpass(question, sys.stderr).strip()
    except EOFError:
        typed = ""
    if not typed:
        raise UsageError("nothing was typed; nothing was kept; run it again")
    return typed


def _read() -> str:
    from buckia.credentials.kinds import LONGEST

    said = sys.stdin.read(LONGEST + 1).strip()
    if not said or len(said) > LONGEST:
        raise UsageError("stdin holds no credential; pipe it in, or run this in a terminal")
    return said


class _Known(NamedTuple):
    """A credential as it may be told.

    providers  whose it is, by the keyring and by the buckets that take it
    where      `the keyring`, a variable, or None for nowhere
    """

    name: str
    providers: tuple[str, ...]
    where: str | None
    buckets: tuple[str, ...] = ()


def list_all(
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    *,
    shared: Shared,
) -> None:
    """List the names of credentials, whose they are, and where each is found.

    Those in the keyring, those that buckets of `.buckia` take, and BUCKIA_TOKEN_ variables.
    """
    from buckia import documents
    from buckia.cli import papers
    from buckia.cli.planning import draw
    from buckia.cli.rows import Rows

    found = sorted(_known(_config(shared)))
    if json:
        head = {"format": "buckia.credentials", "format_version": "1.0"}
        papers.write(documents.render(head, {"credentials": [_data(k) for k in found]}), "-")
    elif found:
        draw(Rows([_row(known) for known in found], None))
    elif not shared.quiet:
        _say("No credentials are kept; `buckia auth set NAME` keeps one.")


def _data(known: _Known) -> dict[str, object]:
    kept, nowhere = known.where == _KEYRING, known.where is None
    return {
        "name": known.name,
        "providers": list(known.providers),
        "source": "keyring" if kept else None if nowhere else "environment",
        "variable": None if kept or nowhere else known.where,
        "buckets": list(known.buckets),
    }


def _row(known: _Known) -> tuple[str, str, str, str]:
    taken = ", ".join(map(text.name, known.buckets))
    whose = "/".join(known.providers) or "?"
    return known.name, whose, known.where or "nowhere", f"for {taken}" if taken else ""


def _known(config: Config | None) -> Iterator[_Known]:
    """Every credential that is kept, taken, or in the environment."""
    from buckia.credentials import vault
    from buckia.credentials.kinds import variable

    try:
        kept = vault.names()
    except vault.NoKeyring as problem:
        kept = {}
        _say(f"Note: {str(problem).partition('; or')[0]}.")
    buckets = list(config.buckets.values()) if config else []
    every = {*kept, *(bucket.token for bucket in buckets if bucket.token)}
    for name in every:
        users = [bucket for bucket in buckets if bucket.token == name]
        whose = {bucket.provider for bucket in users} | ({kept[name]} if kept.get(name) else set())
        where = variable(name) if os.environ.get(variable(name)) else None
        where = where or (_KEYRING if name in kept else None)
        yield _Known(name, tuple(sorted(whose)), where, tuple(bucket.name for bucket in users))
    for name in os.environ.keys() - {variable(name) for name in every}:
        if name.startswith(variable("")) and os.environ[name]:
            yield _Known(name.removeprefix(variable("")).lower(), (), name)


def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    *,
    shared: Shared,
) -> None:
    """Take a credential out of the keyring."""
    from buckia.cli.ask import confirm
    from buckia.credentials import vault

    if not (yes or can_ask()):
        raise UsageError("auth remove asks, and there is no terminal to ask in: add --yes")
    if vault.fetch(name) is None and name not in vault.names():
        raise BuckiaError(f"the keyring has no {text.name(name)}; `buckia auth list` tells what is")
    if not yes and not confirm(f"Take {text.name(name)} out of the keyring?"):
        raise BuckiaError("the answer was no; nothing was changed")
    vault.drop(name)
    if not shared.quiet:
        _say(f"Removed {text.name(name)} from the keyring.")


def test(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|BUCKET",
            help="A credential, or a bucket of the configuration.",
            autocompletion=complete_bucket,
        ),
    ],
    *,
    shared: Shared,
) -> None:
    """Make one small request with a credential and say what works.

    By the name of a bucket, or of a credential: then with every bucket that takes it.
    """
    with opened(shared) as session:
        failed = None
        names = _meant(session, what)
        for name in names:
            try:
                with session.looking():
                    told = session.project.sign_in(name)
                session.note(f"{text.name(name)}: {told}")
            except BuckiaError as problem:
                if len(names) > 1:
                    session.note(f"{text.name(name)}: {text.visible(str(problem))}")
                failed = failed or problem
        if failed:
            raise failed


def _meant(session: Session, what: str) -> list[str]:
    config = session.project.config
    found = [name for name, bucket in config.buckets.items() if bucket.token == what]
    if what not in config.buckets and not found:
        raise UsageError(
            f"{text.name(what)} is no bucket, and no bucket takes it: write `token: {what}` into "
            f"one; there is {', '.join(config.buckets)}"
        )
    return found or [what]


def _say(words: str) -> None:
    print(words, file=sys.stderr)  # noqa: T201
