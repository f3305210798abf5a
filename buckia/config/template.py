"""The commented `.buckia` that `buckia init` writes."""

from __future__ import annotations

import json
from typing import Final

import buckia.config.schema as judge
from buckia.config import InvalidConfig

_YAML_WORDS: Final = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def template(provider: str, name: str = "assets") -> str:
    """A `.buckia` with one bucket, valid as it stands; secrets come from the environment.

    Raises `ConfigError` for an unknown provider or a name no bucket can have.
    """
    probe = {name: {"provider": provider, "bucket_name": name, "region": "any"}}
    if problems := judge.problems(probe):
        raise InvalidConfig("template", problems)
    from jinja2 import (
        Environment,
        PackageLoader,
        StrictUndefined,
    )  # loaded late: only init needs it

    # S701: the result is YAML for an editor, and `name` has just been judged.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("buckia"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    plain = name[0].isalpha() and name.lower() not in _YAML_WORDS
    page = environment.get_template("config.jinja2")
    return page.render(provider=provider, name=name, key=name if plain else json.dumps(name))
