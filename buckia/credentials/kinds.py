"""What a credential of each provider consists of, and how it is written as one text. Pure.

The table is the one home of names: the reader of configurations, the environment and the keyring,
the documentation and the tests go by it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from buckia.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""What a credential may be called."""

LONGEST: Final = 16 * 1024
"""Characters of a credential at most; session tokens of Amazon have two thousand."""


class Part(Struct, frozen=True):
    """One value of a credential.

    name      as the provider calls it, in `credentials` and in JSON
    options   options of a bucket that may hold it, the first that does counts
    variable  the environment variable that holds it without being named anywhere
    needed    whether nothing works without it
    secret    whether it has to be hidden; the others only name a key
    """

    name: str
    options: tuple[str, ...] = ()
    variable: str | None = None
    needed: bool = True
    secret: bool = True


class Kind(Struct, frozen=True):
    """The credential of one provider.

    parts    its values; one text holds the needed ones joined by a colon
    further  where the provider's own package or tool keeps it, for people
    """

    parts: tuple[Part, ...]
    further: str | None = None

    @property
    def needed(self) -> tuple[Part, ...]:
        """The parts that nothing works without."""
        return tuple(part for part in self.parts if part.needed)


_AWS: Final = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws, SSO, the role of the machine"


def _s3(key_id: str | None, secret: str | None) -> Kind:
    return Kind(
        (
            Part("access_key_id", ("api_key",), key_id, secret=False),
            Part("secret_access_key", ("password",), secret),
            Part("session_token", needed=False),
        ),
        _AWS,
    )


KINDS: Final[Mapping[str, Kind]] = {
    "s3": _s3(None, None),
    "linode": _s3("LINODE_ACCESS_KEY_ID", "LINODE_SECRET_ACCESS_KEY"),
    "b2": Kind(
        (
            Part("application_key_id", ("api_key",), "B2_APPLICATION_KEY_ID", secret=False),
            Part("application_key", ("password", "storage_api_key"), "B2_APPLICATION_KEY"),
        ),
        "the account file of the b2 command",
    ),
    "bunny": Kind(
        (
            Part("password", ("storage_api_key", "password"), "BUNNY_STORAGE_KEY"),
            Part("api_key", ("api_key",), "BUNNY_API_KEY", needed=False),
            Part("token_key", ("token_key",), "BUNNY_TOKEN_KEY", needed=False),
        )
    ),
}
"""By provider; `local` needs none."""


def variable(name: str) -> str:
    """The environment variable that holds the credential of a name: `BUCKIA_TOKEN_MY_KEY`."""
    return "BUCKIA_TOKEN_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def parse(text: str, kind: Kind, where: str) -> dict[str, str]:
    """The parts in a text: JSON of their names, or the needed ones joined by a colon.

    Raises `ConfigError`, which never shows any of it, for a text that holds something else.
    """
    text, names = text.strip(), [part.name for part in kind.parts]
    if text.startswith("{"):
        values = _object(text)
        if values is None or not values.keys() <= set(names):
            raise ConfigError(f"{where}: not JSON with texts named {', '.join(names)}; write it so")
    else:
        wanted = [part.name for part in kind.needed]
        values = dict(zip(wanted, text.split(":", len(wanted) - 1), strict=False))
    missing = [part.name for part in kind.needed if not values.get(part.name)]
    if missing:
        form = ":".join(part.name for part in kind.needed)
        raise ConfigError(f"{where}: lacks {' and '.join(missing)}; write {form}, or JSON")
    return {name: value for name, value in values.items() if value}


def texts(text: str) -> set[str]:
    """Everything in a credential's text that may be a secret, whatever kind it is of."""
    text = text.strip()
    found = {text, text.partition(":")[2]} | set((_object(text) or {}).values())
    return {value for value in found if value}


def _object(text: str) -> dict[str, str] | None:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    plain = isinstance(read, dict) and all(isinstance(value, str) for value in read.values())
    return read if plain else None
