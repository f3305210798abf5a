"""Where the credential of a bucket comes from: every source there is, in one order.

    1. the bucket's own options, mostly as `${NAME}`
    2. `token: NAME`: the environment variable BUCKIA_TOKEN_NAME, else the system's keyring
    3. the environment variables of the provider
    4. what the provider's own tools keep: ~/.aws, SSO, a role; the account file of b2

The first that has it counts, and then it is taken from there whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Final

from msgspec import Struct

from buckia.config import BucketConfig
from buckia.credentials import vault
from buckia.credentials.kinds import KINDS, Kind, parse, texts, variable
from buckia.errors import AccessError

_PREFIX: Final = variable("")

Values = dict[str, str]


class Found(Struct, frozen=True):
    """A credential by the provider's own names, and where it comes from, for people.

    `values` is empty where the provider's package looks by itself. `sought` names the sources that
    had nothing, in their order.
    """

    values: Values
    source: str
    sought: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Found({self.source!r})"


NONE: Final = Found({}, "none needed")
"""For a directory as bucket."""


class Source(Struct, frozen=True):
    """A place to look in: its name for people, and the look; None when nothing is there."""

    name: str
    look: Callable[[], Values | None]


def find(bucket: BucketConfig, env: Mapping[str, str] = os.environ) -> Found:
    """The credential of a bucket.

    Raises `AccessError` that names every source which was tried, and where half of it was found;
    `ConfigError` for a token that is not of this provider.
    """
    kind = KINDS.get(bucket.provider)
    if kind is None:
        return NONE
    sought: list[str] = []
    for source in _sources(bucket, kind, env):
        try:
            values = source.look()
        except vault.NoKeyring as problem:
            sought.append(f"{source.name} ({str(problem).partition('; or')[0]})")
            continue
        if values is None or (values and not _has_any(values, kind)):
            sought.append(source.name)
        elif not values:
            return Found({}, source.name, tuple(sought))
        else:
            _demand_whole(bucket, source, values, kind)
            return Found(_completed(values, bucket, kind, env), source.name, tuple(sought))
    raise AccessError(
        f"bucket `{bucket.name}`: no credentials in {_listed(sought)}; {_advice(bucket, kind)}"
    )


def secrets_in(env: Mapping[str, str]) -> set[str]:
    """Every secret that stands in the environment under a name that `find` would look at."""
    parts = [part for kind in KINDS.values() for part in kind.parts if part.secret]
    found = {env[part.variable] for part in parts if part.variable and env.get(part.variable)}
    for name, value in env.items():
        if name.startswith(_PREFIX):
            found |= texts(value)
    return found


def _sources(bucket: BucketConfig, kind: Kind, env: Mapping[str, str]) -> Iterator[Source]:
    options = [option for part in kind.needed for option in part.options[:1]]
    named = _joined([f"`{option}`" for option in options])
    yield Source(f"{named} of the configuration", lambda: _given(bucket, kind))
    if bucket.profile and bucket.provider in ("s3", "linode"):
        yield Source(f"the profile `{bucket.profile}`", dict)
    if token := bucket.token:
        named_so = variable(token)
        yield Source(named_so, lambda: _written(env.get(named_so), kind, named_so))
        place = f"`{token}` in the keyring"
        yield Source(place, lambda: _written(vault.fetch(token), kind, place))
    if own := [part.variable for part in kind.needed if part.variable]:
        yield Source(_joined(own), lambda: _exported(kind, env))
    if bucket.provider == "b2":
        yield Source(kind.further or "", lambda: _kept_by_b2(bucket, env))
    elif kind.further:
        yield Source(kind.further, dict)


def _given(bucket: BucketConfig, kind: Kind) -> Values | None:
    """What stands in the options of the bucket."""
    found = {
        part.name: bucket.credentials.get(part.name)
        or next(filter(None, (getattr(bucket, option) for option in part.options)), None)
        for part in kind.parts
    }
    return {name: value for name, value in found.items() if value} or None


def _written(text: str | None, kind: Kind, where: str) -> Values | None:
    return parse(text, kind, where) if text and text.strip() else None


def _exported(kind: Kind, env: Mapping[str, str]) -> Values | None:
    found = {part.name: env.get(part.variable or "", "") for part in kind.parts}
    return {name: value for name, value in found.items() if value} or None


def _kept_by_b2(bucket: BucketConfig, env: Mapping[str, str]) -> Values | None:
    from buckia.stores import load_store

    load_store("b2")  # says what to install where b2sdk is missing
    found = import_module("buckia.stores.b2_account_file").read(env, bucket.domain)
    return (
        dict(zip((part.name for part in KINDS["b2"].parts), found, strict=True)) if found else None
    )


def _has_any(values: Values, kind: Kind) -> bool:
    return any(part.name in values for part in kind.needed)


def _demand_whole(bucket: BucketConfig, source: Source, values: Values, kind: Kind) -> None:
    """Raise `AccessError` where one half is in a source and the other is not."""
    missing = [part.name for part in kind.needed if part.name not in values]
    if missing:
        there = [part.name for part in kind.needed if part.name in values]
        raise AccessError(
            f"bucket `{bucket.name}`: {source.name}: found {_joined(there)} without "
            f"{_joined(missing)}; give both there, or neither"
        )


def _completed(values: Values, bucket: BucketConfig, kind: Kind, env: Mapping[str, str]) -> Values:
    """With the parts that are not needed, from wherever they are without asking a keyring."""
    for more in (_given(bucket, kind), _exported(kind, env)):
        optional = {part.name for part in kind.parts if not part.needed}
        values = {n: v for n, v in (more or {}).items() if n in optional} | values
    return values


def _advice(bucket: BucketConfig, kind: Kind) -> str:
    if bucket.token:
        return f"`buckia auth set {bucket.token}` keeps it in the keyring"
    names = _joined([part.variable for part in kind.needed if part.variable])
    return f"set {names}, or `token: NAME` after `buckia auth set NAME`"


def _joined(words: list[str]) -> str:
    return " and ".join(words)


def _listed(words: list[str]) -> str:
    return ", ".join(words[:-1]) + f" or {words[-1]}" if words[1:] else words[0]
