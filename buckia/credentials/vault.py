"""The system's keyring, through the optional package keyring: credentials by their names.

Keyrings cannot be asked what is in them, so one entry holds the names, and the provider of each
where it was told. No value ever gets into an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from buckia.credentials.kinds import variable
from buckia.errors import BuckiaError

Result = TypeVar("Result")

SERVICE: Final = "buckia"
"""Under what the keyring of the system files everything."""

_INDEX: Final = "(names)"
"""The entry that holds the names; no credential can be called so."""


class NoKeyring(BuckiaError):
    """There is no keyring that can be used: the package is missing, or the system has none."""


def fetch(name: str) -> str | None:
    """The credential of a name, None where there is none."""
    found = _use(name, lambda keyring: keyring.get_password(SERVICE, name))
    return found if isinstance(found, str) else None


def keep(name: str, text: str, provider: str | None) -> None:
    """Put a credential in, over one that is there; told back is proved."""
    _put(name, name, text)
    known = {**names(), name: provider or ""}
    _put(name, _INDEX, json.dumps(known, sort_keys=True))


def drop(name: str) -> bool:
    """Take a credential out; whether there was one."""
    there = fetch(name) is not None
    if there:
        _use(name, lambda keyring: keyring.delete_password(SERVICE, name))
    known = names()
    if known.pop(name, None) is not None:
        _put(name, _INDEX, json.dumps(known, sort_keys=True))
    return there


def names() -> dict[str, str]:
    """Every name that was put in here, and its provider, "" where it was not told."""
    found = _use("NAME", lambda keyring: keyring.get_password(SERVICE, _INDEX))
    try:
        read = json.loads(found or "{}")
    except ValueError:
        return {}
    known = read if isinstance(read, dict) else {}
    return {str(name): str(provider) for name, provider in sorted(known.items())}


def _put(name: str, entry: str, text: str) -> None:
    """Some keyrings take what they do not keep, so each entry is read back."""
    _use(name, lambda keyring: keyring.set_password(SERVICE, entry, text))
    if _use(name, lambda keyring: keyring.get_password(SERVICE, entry)) != text:
        raise _none("it does not keep what it is given", name)


def _use(name: str, act: Callable[[Any], Result]) -> Result:
    """One request to the keyring. `name` is what it is about, for the way out."""
    try:
        import keyring  # an extra, and slow to load: only those who use it pay for it
        from keyring.backends import fail
    except ModuleNotFoundError:
        why = 'the package keyring is missing: pip install "buckia[keyring]"'
        raise _none(why, name) from None
    try:
        if not isinstance(keyring.get_keyring(), fail.Keyring):
            return act(keyring)
    except Exception as problem:  # backends are other people's plugins and raise what they like
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(problem).__name__).lower()
        raise _none(f"it answers with {kind!r}", name) from None
    raise _none("this system has none that keyring knows", name)


def _none(why: str, name: str) -> NoKeyring:
    return NoKeyring(
        f"the system's keyring cannot be used: {why}; or set the environment variable "
        f"{variable(name)}"
    )
