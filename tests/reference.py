"""The generated pages: `python -m tests.reference` writes them, `--check` says if they are old.

docs/configuration.md comes from the schema, docs/commands.md and man/ from the command line itself,
and the tables of docs/how-it-decides.md from the table that decides.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from buckia import documents
from buckia.config.file import NAMES, VARIABLE
from buckia.credentials.kinds import KINDS
from buckia.reconcile import RESURRECTED, SETTLED, TABLE, Verdict
from buckia.rules import BUILT_IN
from buckia.settings.text import dump
from buckia.stores import STORES
from tests import manual
from tests.commandline import (
    SHARED,
    STREAMS,
    Parameter,
    exit_codes,
    first,
    meaning,
    parameters,
    registered,
)
from tests.stores import table

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
MADE: Final = "<!-- Made by `python -m tests.reference`; edit {source} instead. -->\n"

SCHEMA: Final[dict[str, Any]] = documents.schema("config")
PROVIDERS: Final = SCHEMA["$defs"]["options"]["properties"]["provider"]["enum"]
REQUIRED: Final = (
    *SCHEMA["else"]["additionalProperties"]["required"],
    *SCHEMA["$defs"]["bucket"]["required"],
)
NEVER: Final = (
    ".buckia",
    ".buckia.lock",
    ".buckia.d/",
    ".buckia/trash/",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._photo.jpg",
    "App.sqlite-wal",
    "App.sqlite-shm",
    "App.sqlite-journal",
)
"""Names that no configuration includes; each pattern of the code has one here."""
SETTINGS: Final = {
    "s3_settings": "`s3` and `linode`",
    "b2_settings": "`b2`",
    "bunny_settings": "`bunny`",
}
"""The parts of the schema that say what each provider's buckets can have set."""


def main(words: list[str]) -> int:
    """Write the pages, or with `--check` say which are out of date; an exit code."""
    made = pages()
    old = [path for path, page in made.items() if _text(path) != page]
    gone = [path for path in (ROOT / "man").glob("*") if path not in made]
    if words == ["--check"]:
        for path in [*old, *gone]:
            print(f"{path.relative_to(ROOT)} is out of date: run `make docs` and commit it")
        return 1 if old or gone else 0
    for path in gone:
        path.unlink()
    for path in old:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def pages() -> dict[Path, str]:
    """Every generated page as it should be."""
    return {
        DOCS / "configuration.md": configuration(),
        DOCS / "commands.md": commands(),
        DOCS / "how-it-decides.md": decisions(),
        DOCS / "credentials.md": credentials(),
        DOCS / "providers.md": table.page(),
        **{ROOT / "man" / name: page for name, page in manual.pages().items()},
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


# -- configuration --------------------------------------------------------------------------------


def configuration() -> str:
    """docs/configuration.md."""
    bucket = SCHEMA["$defs"]["options"]["properties"]
    whole = SCHEMA["$defs"]["buckia"]["properties"]
    parts = [
        MADE.format(source="schemas/config.schema.json"),
        _about(),
        "## The options of a bucket\n",
        _overview(bucket),
        *(part for name, rule in bucket.items() for part in _option(name, rule)),
        *_settings(),
        "## Settings of the file: `buckia`\n",
        f"{SCHEMA['$defs']['buckia']['description']} No bucket can have this name.\n",
        *(part for name, rule in whole.items() for part in _option(name, rule, "buckia.")),
        "## What is never content\n",
        "Neither copied nor deleted, on either side, whatever the options say:\n",
        *(f"- {why}: {_samples(pattern)}" for pattern, why in BUILT_IN),
    ]
    return "\n".join(parts) + "\n"


def _about() -> str:
    coming = [name for name in PROVIDERS if name not in STORES]
    names = ", ".join(f"`{name}`" for name in NAMES)
    page = [
        "# Configuration\n",
        f"{SCHEMA['description']}\n",
        f"The first of {names} is taken, in the current folder or the nearest one above it; "
        f"`--config FILE` or the environment variable `{VARIABLE}` names another.",
        "`buckia init` writes a commented file to begin with, and `buckia validate` names every "
        "error and warning in yours by line and column.\n",
        "An editor that knows YAML schemas completes and checks with this first line:\n",
        f"```yaml\n# yaml-language-server: $schema={SCHEMA['$id']}\n```\n",
        "A whole file:\n",
        f"```yaml\n{_yaml(SCHEMA['examples'][0])}```\n",
    ]
    if coming:
        named = _joined([f"`{name}`" for name in coming], "and")
        page += [
            f"The stores of {named} are on the way: their options are checked already, their "
            "buckets cannot be opened yet.\n"
        ]
    return "\n".join(page)


def _samples(pattern: re.Pattern[str]) -> str:
    return ", ".join(f"`{name}`" for name in NEVER if pattern.search(name))


def _overview(options: dict[str, Any]) -> str:
    rows = [
        f"| [`{name}`](#{name}) | {_kind(rule)} | {_default(rule, name)} | {_providers(rule)} |"
        for name, rule in options.items()
    ]
    return "\n".join(["| Option | Type | Default | Providers |", "|---|---|---|---|", *rows, ""])


def _option(name: str, rule: dict[str, Any], inside: str = "") -> Iterator[str]:
    rule = _resolved(rule)
    yield f"### `{inside}{name}`\n" if inside else f"### {name}\n"
    yield f"{rule['description']}\n"
    yield f"- Type: {_kind(rule)}"
    yield f"- Default: {_default(rule, name)}"
    if not inside:
        yield f"- Providers: {_providers(rule)}"
    yield f"- Example: `{_example(name, rule)}`\n"
    parts = _parts(rule)
    if parts and name != "defaults":
        yield "| Part | Meaning | Type | Default |\n|---|---|---|---|"
        for part, inner in parts.items():
            meaning = inner["description"].replace("|", "\\|")
            yield f"| `{part}` | {meaning} | {_kind(inner)} | {_default(inner)} |"
        yield ""


def _settings() -> Iterator[str]:
    yield "## Settings of a bucket: `settings`\n"
    yield "What `settings` can declare, by provider. `absent` removes what is found.\n"
    for part, providers in SETTINGS.items():
        yield f"### Settings of {providers}\n"
        for name, rule in SCHEMA["$defs"][part]["properties"].items():
            yield f"**`{name}`**: {rule['description']}\n"
            yield f"```yaml\n{dump({name: _told(rule)})}```\n"
            yield from _setting_parts(rule)


def _told(rule: dict[str, Any]) -> Any:
    """The longest example there is, or a value that is allowed."""
    return [*rule.get("examples", rule.get("enum", ()))][-1 if "examples" in rule else 0]


def _setting_parts(rule: dict[str, Any]) -> Iterator[str]:
    """The parts of a setting, those of its rules, and what is in them in turn, in one table."""
    rows = list(_part_rows(rule))
    if rows:
        yield "| Part | Meaning | Type | Default |\n|---|---|---|---|"
        yield from rows
        yield ""


def _part_rows(rule: dict[str, Any], inside: str = "") -> Iterator[str]:
    for name in ("items", "additionalProperties", "else"):
        inner = rule.get(name)
        rule = {**rule, **_resolved(inner)} if isinstance(inner, dict) else rule
    for name, part in rule.get("properties", {}).items():
        meaning = part["description"].replace("|", "\\|")
        yield f"| `{inside}{name}` | {meaning} | {_kind(part)} | {_default(part)} |"
        yield from _part_rows(part, f"{inside}{name}.")


def _resolved(rule: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in rule:
        return rule
    return {**SCHEMA["$defs"][rule["$ref"].rpartition("/")[2]], **rule}


def _parts(rule: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = rule.get("properties", {}) or rule.get("items", {}).get(
        "properties", {}
    )
    return found


def _kind(rule: dict[str, Any]) -> str:
    rule = _resolved(rule)
    if "enum" in rule:
        return _joined([f"`{_json(value)}`" for value in rule["enum"]], "or")
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    return " or ".join(_word(kind, rule) for kind in kinds)


def _word(kind: str, rule: dict[str, Any]) -> str:
    match kind:
        case "array" if "items" not in rule:
            return "list"
        case "array":
            return f"list of {_kind(rule['items'])}"
        case "object" if isinstance(rule.get("additionalProperties"), dict):
            return f"mapping of names to {_kind(rule['additionalProperties'])}"
        case "number":
            return "number"
        case "integer":
            most = f" to {rule['maximum']}" if "maximum" in rule else ""
            return f"whole number from {rule['minimum']}{most}"
    return {"string": "text", "boolean": "`true` or `false`", "object": "mapping"}[kind]


def _default(rule: dict[str, Any], name: str = "") -> str:
    rule = _resolved(rule)
    if name in REQUIRED:
        return "required"
    if "default" in rule:
        return f"`{_json(rule['default'])}`" if rule["default"] not in ([], {}) else "none"
    if inner := {n: part["default"] for n, part in _parts(rule).items() if "default" in part}:
        return f"`{_json(inner)}`"
    return "none"


def _providers(rule: dict[str, Any]) -> str:
    named = _resolved(rule).get("x-providers", PROVIDERS)
    return "all" if named == PROVIDERS else ", ".join(f"`{name}`" for name in named)


def _example(name: str, rule: dict[str, Any]) -> str:
    known = [*rule.get("examples", ())]
    known += [value for value in rule.get("enum", ()) if value != rule.get("default", "local")]
    default = rule.get("default", {})
    known += [not default] if rule.get("type") == "boolean" else []
    known += [{"provider": "s3", "region": "eu-central-1"}] if name == "defaults" else []
    return f"{name}: {_json([*known, default][0])}"


def _json(value: object) -> str:
    """A value in YAML's flow style, without quotes where none are needed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_json(item) for item in value) + "]"
    plain = isinstance(value, str) and value[:1].isalnum() and not set(value) & set("{}[],#:'\"")
    return str(value) if plain else json.dumps(value)


def _yaml(value: dict[str, Any], indent: str = "") -> str:
    lines = ""
    for key, item in value.items():
        nested = isinstance(item, dict)
        lines += (
            f"{indent}{key}:\n{_yaml(item, indent + '  ')}"
            if nested
            else (f"{indent}{key}: {_json(item)}\n")
        )
    return lines


def _joined(words: list[str], last: str) -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


# -- commands -------------------------------------------------------------------------------------


def commands() -> str:
    """docs/commands.md."""
    every = list(registered())
    shared = [item for item in parameters(every[1][1]) if item.name in SHARED]
    parts = [
        MADE.format(source="the command's function in buckia/cli/"),
        "# Commands\n",
        f"{STREAMS}\n",
        *(f"- [`buckia {n}`](#buckia-{n.replace(' ', '-')}): {first(f)}" for n, f in every),
        "\n`buckia --version` shows the version, `buckia COMMAND --help` the help of a command, "
        "and `buckia --install-completion` teaches your shell to complete commands, options and "
        "buckets.\n",
        *(part for name, function in every for part in _command(name, function)),
        "## Shared options\n",
        "Taken by every command that works with a configuration.\n",
        *_table("Option", shared),
        "## Exit codes\n",
        "The interface for scripts. In Python the same names are exceptions.\n",
        *_exit_codes(),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _command(name: str, function: Callable[..., Any]) -> Iterator[str]:
    every = parameters(function)
    takes = {item.name for item in every} >= SHARED
    arguments = [item for item in every if item.is_argument]
    options = [item for item in every if item not in arguments]
    yield f"## `buckia {name}`\n"
    words = [name, *(item.usage for item in arguments), "[OPTIONS]"]
    yield f"```\nbuckia {' '.join(words)}\n```\n"
    yield f"{inspect.cleandoc(function.__doc__ or '')}\n"
    yield from _table("Argument", arguments)
    yield from _table("Option", [o for o in options if not (takes and o.name in SHARED)])
    if takes:
        yield "And the [shared options](#shared-options).\n"


def _table(kind: str, rows: list[Parameter]) -> Iterator[str]:
    if rows:
        yield f"| {kind} | Meaning | Default |\n|---|---|---|"
        for item in rows:
            default = f"`{item.told}`" if item.told else ""
            cells = (item.written, item.info.help or "", default)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""


def _exit_codes() -> Iterator[str]:
    yield "| Code | Meaning | Errors |\n|---|---|---|"
    for code, kinds in exit_codes().items():
        yield f"| {code} | {meaning(code)} | {', '.join(f'`{kind.__name__}`' for kind in kinds)} |"


# -- credentials ----------------------------------------------------------------------------------


def credentials() -> str:
    """docs/credentials.md with its table as the code has it."""
    return _filled(_text(DOCS / "credentials.md"), "sources", _source_rows())


def _source_rows() -> Iterator[str]:
    yield "| Provider | Part | Options | Environment | Elsewhere |"
    yield "|---|---|---|---|---|"
    for provider, kind in KINDS.items():
        for part in kind.parts:
            needed = "" if part.needed else ", may be missing"
            options = [f"`{option}`" for option in (*part.options, f"credentials.{part.name}")]
            named = f"`{part.variable}`" if part.variable else ""
            further = (kind.further or "") if part is kind.parts[0] else ""
            shown = f"`{provider}` | `{part.name}`{needed} | {_joined(options, 'or')}"
            yield f"| {shown} | {named} | {further} |"


# -- how it decides -------------------------------------------------------------------------------

_CONTENT: Final = {"-": "", "b": "A", "x": "B", "y": "C"}


def decisions() -> str:
    """docs/how-it-decides.md with its tables as the code has them."""
    page = _text(DOCS / "how-it-decides.md")
    for name, rows in (("table", _table_rows()), ("policies", _policy_rows())):
        page = _filled(page, name, rows)
    return page


def _filled(page: str, name: str, rows: Iterator[str]) -> str:
    """A page with the table of that name as the code has it."""
    table = "\n".join(rows)
    mark = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    return re.sub(mark, rf"\g<1>\n{table}\n\n\g<2>", page, flags=re.S)


def _table_rows() -> Iterator[str]:
    yield "| Folder | Last apply | Bucket | both ways | only up | only down | Reason |"
    yield "|---|---|---|---|---|---|---|"
    for row, (reason, *verdicts) in TABLE.items():
        cells = [_CONTENT[mark] for mark in row]
        cells += [_verdict(verdict, (row, verdict) in RESURRECTED) for verdict in verdicts]
        yield f"| {' | '.join(cells)} | `{reason}` |"


def _policy_rows() -> Iterator[str]:
    yield "| Folder | Last apply | Bucket | Policy | both ways | only up | only down |"
    yield "|---|---|---|---|---|---|---|"
    for (row, policy), verdicts in SETTLED.items():
        cells = [*(_CONTENT[mark] for mark in row), f"`{policy}`"]
        yield f"| {' | '.join([*cells, *(_verdict(verdict) for verdict in verdicts)])} |"


def _verdict(verdict: object, flagged: bool = False) -> str:
    word = "" if verdict is Verdict.NOTHING else str(verdict).replace("_", " ")
    return f"{word}, flagged" if flagged else word


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
