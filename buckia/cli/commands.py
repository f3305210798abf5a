"""The commands by name, as the help lists them: where each is, and its one line.

Known without loading any. `Plain` takes words as values without what typer loads for that.
"""

from __future__ import annotations

from enum import Enum
from importlib import import_module
from typing import Any, Final, NamedTuple, get_args, get_origin

import typer


class Listed(NamedTuple):
    """The module in `buckia/cli/` that registers a command or a group, and what it is for."""

    module: str
    line: str


COMMANDS: Final = {
    "init": Listed("checking", "Write a commented configuration to begin with."),
    "validate": Listed("checking", "Check the configuration."),
    "plan": Listed("planning", "Say what apply would do."),
    "show": Listed("showing", "Show a plan file."),
    "plan-diff": Listed("showing", "Tell what changed in a plan since it was reviewed."),
    "status": Listed("watching", "Tell where everything stands."),
    "apply": Listed("applying", "Execute a plan, exactly."),
    "sync": Listed("applying", "Plan and apply in one."),
    "promote": Listed("promoting", "Bring folders of one bucket to others."),
    "verify": Listed("verifying", "Hold both sides against the lockfile."),
    "import": Listed("importing", "Write the live settings of a bucket as configuration."),
    "url": Listed("linking", "Print a URL of an object."),
    "purge": Listed("purging", "Make a CDN forget what it holds of a bucket."),
    "tour": Listed("touring", "See buckia do its main job in a new folder."),
    "unlock": Listed("unlocking", "Remove the lease that a dead run left in a bucket."),
    "doctor": Listed("examining", "Check configuration, credentials and buckets."),
    "gc": Listed("clearing", "End unfinished uploads and clear what killed runs left."),
    "why": Listed("explaining", "Say why a key is treated as it is."),
    "pull": Listed("pulling", "Make a local folder what a published folder is."),
    "resolve": Listed("resolving", "Settle the conflicts of a plan and write a new one."),
    "log": Listed("recalling", "Tell what was applied here."),
    "help": Listed("helping", "Explain an idea: plan, lockfile, conflicts, and more."),
    "trash": Listed("trashing", "What was overwritten or deleted: list, restore, empty."),
    "auth": Listed("authorising", "Credentials in the keyring: set, list, remove, test."),
    "id": Listed("naming", "Names of folders that nobody can guess: new, check."),
    "app": Listed("appdata", "What an app keeps for a user: reset, update, backup, restore."),
}
"""In the order of the help. A test holds it to what the modules register."""


def register(app: typer.Typer, *names: str) -> None:
    """Add these commands; loads their modules. What such a module has besides comes along."""
    for module in dict.fromkeys(COMMANDS[name].module for name in names):
        import_module(f"buckia.cli.{module}").register(app)


def list_all(app: typer.Typer) -> None:
    """Add every command as no more than a name and its line, for the help."""
    for name, listed in COMMANDS.items():
        app.command(name, help=listed.line)(_nothing)


def _nothing() -> None:
    """What is only listed is not run."""


class Plain:
    """Makes words into values for one parameter of typer's.

    Text, switches, choices and defaults need no more than is here; for everything else, mistakes
    included, typer is asked, which loads a library that takes longer than most commands do.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, as the parameter's annotation wants it; typer's own errors."""
        kind = param.type_descriptor.annotation
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if several and get_origin(kind) is list and isinstance(value, list | tuple):
            (kind,) = get_args(kind)
            made = [_plain(kind, item) for item in value]
            if _UNKNOWN not in made:
                return made
        elif not several and (one := _plain(kind, value)) is not _UNKNOWN:
            return one
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


_UNKNOWN: Final = object()


def _plain(kind: Any, value: Any) -> Any:
    if type(value) is kind:
        return value
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next((choice for choice in kind if choice.value == value), _UNKNOWN)
    return _UNKNOWN


def lighten(command: Any, parent: typer.Context | None = None) -> None:
    """Have a command, or all of a group, take words by `Plain`. Where typer works in another way
    than it does today, nothing changes."""
    context = typer.Context(command, parent=parent, **command.context_settings)
    for param in command.get_params(context):  # with the one for help
        if getattr(param, "_runtime_param", param) is None:
            param._runtime_param = Plain()
    for below in getattr(command, "commands", {}).values():
        lighten(below, context)
