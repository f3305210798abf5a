"""Every error buckia raises on purpose, and the exit code each one ends the command with.

    BuckiaError               1   something went wrong that has no better name below
    ├── UsageError           64   the command line asks for something that makes no sense
    ├── ConfigError          78   `.buckia` is missing, malformed or contradicts itself
    ├── DocumentError        65   a plan, lockfile or journal cannot be trusted
    ├── ConflictError         3   both sides changed; a person has to choose
    ├── StaleError            4   the world moved since the plan was made; nothing was changed
    ├── IncompleteError       5   some actions are done, some are not; the same plan resumes
    ├── BlockedError          6   a limit forbids the plan
    ├── LockedError           7   somebody else is applying
    ├── Interrupted         130   stopped by a signal, saved, resumable
    ├── LocalError            1   a local file cannot be read or written
    └── StoreError            8   the bucket cannot be reached or refuses
        ├── NotFoundError         the object, or the bucket, is not there
        ├── PreconditionError     the object is not what the write said it replaces
        ├── IntegrityError        the bytes are not the bytes that were announced
        ├── AccessError           credentials are missing, wrong or lack a right
        └── UnavailableError      no answer, or "not now", after all retries

A message is one line for a person: what happened, to what, why, what to do next.
"""

from __future__ import annotations


class BuckiaError(Exception):
    """The base of every error raised on purpose; anything else that escapes is a bug."""

    exit_code = 1


class UsageError(BuckiaError):
    """The command line asks for something that makes no sense."""

    exit_code = 64


class ConfigError(BuckiaError):
    """The configuration is missing, malformed or contradicts itself."""

    exit_code = 78


class DocumentError(BuckiaError):
    """A plan, lockfile or journal is damaged, edited or of an unknown format."""

    exit_code = 65


class ConflictError(BuckiaError):
    """Both sides changed and the policy leaves the choice to a person."""

    exit_code = 3


class StaleError(BuckiaError):
    """The world is not what the plan was made from. Nothing was changed."""

    exit_code = 4


class IncompleteError(BuckiaError):
    """Some actions were done and some were not. The same plan resumes."""

    exit_code = 5


class BlockedError(BuckiaError):
    """A limit of the configuration forbids the plan."""

    exit_code = 6


class LockedError(BuckiaError):
    """Another run holds the lock."""

    exit_code = 7


class Interrupted(BuckiaError):
    """A signal stopped the run after what was done had been saved."""

    exit_code = 130


class LocalError(BuckiaError):
    """A local file or folder cannot be read or written."""


class StoreError(BuckiaError):
    """The bucket cannot be reached or refuses.

    `tried` means that all attempts were made which the request deserves.
    """

    exit_code = 8
    tried = False


class NotFoundError(StoreError):
    """The object, or the bucket itself, does not exist."""


class PreconditionError(StoreError):
    """The object is not, or no longer, what the write says it replaces."""


class IntegrityError(StoreError):
    """The bytes that arrived are not the bytes that were announced."""


class AccessError(StoreError):
    """Credentials are missing, wrong, or lack a right."""


class UnavailableError(StoreError):
    """The service did not answer, or said "not now", after all retries."""
