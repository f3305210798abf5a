"""The closed sets of words: directions, policies, ops, kinds of undo. Loads nothing."""

from __future__ import annotations

from enum import StrEnum


class Direction(StrEnum):
    """Which way changes may travel."""

    BOTH = "both"
    UPLOAD = "upload"
    DOWNLOAD = "download"


class Policy(StrEnum):
    """What to do when both sides changed."""

    ASK = "ask"
    LOCAL_WINS = "local_wins"
    REMOTE_WINS = "remote_wins"
    NEWEST_WINS = "newest_wins"
    KEEP_BOTH = "keep_both"
    """Only a person's answer: the local content keeps the key, the other gets a new one."""


class Op(StrEnum):
    """What an action does. The closed set: apply refuses any other."""

    CONFIGURE = "configure"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    COPY = "copy"
    MOVE = "move"
    PUBLISH = "publish"
    DELETE_REMOTE = "delete_remote"
    DELETE_LOCAL = "delete_local"
    ADOPT = "adopt"
    FORGET = "forget"
    PURGE = "purge"


class Undo(StrEnum):
    """Where the bytes an action overwrites or deletes can be found afterwards."""

    VERSION = "version"
    TRASH = "trash"
    NONE = "none"
