"""What a bucket, and a file of buckets, is: the same whether it comes from `.buckia` or Python.

Every value is judged by `config.schema.json` and then held against the others; whoever holds a
`BucketConfig` holds a valid one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Final, Literal

import buckia.config.schema as judge
from buckia.config.checks import contradictions
from buckia.config.header_rules import header_rules
from buckia.config.mappings import mappings, slashed, told
from buckia.config.policies import path_of, resolve
from buckia.config.schema import Problem, dotted, one_line, suggest
from buckia.errors import ConfigError
from buckia.headers import HeaderRules
from buckia.layout import Layout
from buckia.model import Policy, Value
from buckia.rules import Limits, Rules, seconds
from buckia.settings import declared

_LISTS: Final = ("conditions", "folders", "paths", "include", "exclude", "protect", "headers")
_TABLES: Final = ("credentials", "files", "upload_files", "rate_limit", "settings")
_UNJUDGED: Final = ("name", "missing_env", *judge.API_ONLY)
_DELETE: Final[dict[bool | str, Literal["no", "yes", "all"]]] = {
    False: "no",
    True: "yes",
    "all": "all",
}


class InvalidConfig(ConfigError):
    """Options that the schema refuses or that contradict each other; `problems` holds them all."""

    def __init__(self, what: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = (f"{what}: {dotted(p.path)}: {p.message}" for p in problems)
        super().__init__("\n".join(one_line(line.replace(": : ", ": ")) for line in lines))


@dataclass(frozen=True, kw_only=True)
class BucketConfig:
    """One bucket and what it holds. The options are those of `.buckia`; the schema explains them.

    A list may be given as one text, a mapping as any mapping; they are kept as tuples and dicts.
    Raises `ConfigError` for what the schema refuses and for options that contradict each other.
    `missing_env` tells which environment variables its secrets want and that are not set, such as
    "S3_SECRET for `password`".
    """

    provider: str
    bucket_name: str
    name: str = ""
    domain: str | None = None
    region: str | None = None
    service: str | None = None
    prefix: str = ""
    storage_zone: str | None = None
    pull_zone: str | None = None
    api: str = "native"
    api_key: str | None = field(default=None, repr=False)
    storage_api_key: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token_key: str | None = field(default=None, repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str | None = None
    profile: str | None = None
    addressing: str = "auto"
    conditions: Sequence[str] | None = None
    folders: Sequence[str] = ()
    paths: Sequence[str | Mapping[str, str]] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    upload_files: Mapping[str, str] = field(default_factory=dict)
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    protect: Sequence[str] = ()
    headers: Sequence[Mapping[str, Any]] = ()
    manifest: bool = False
    media_refs: str | None = None
    storage_class: str | None = None
    encryption: str = "none"
    kms_key: str | None = None
    acceleration: bool = False
    requester_pays: bool = False
    part_size: int | str | None = None
    include_pattern: str | None = None
    exclude_pattern: str | None = None
    delete_orphaned: bool | str = False
    trash: bool | Mapping[str, str] = True
    limits: Limits | Mapping[str, int | str] = Limits()  # noqa: RUF009 - frozen
    conflict_resolution: str = Policy.ASK
    checksum_algorithm: str = "sha256"
    settings: Mapping[str, Any] = field(default_factory=dict)
    audit: bool = False
    max_workers: int = 16
    rate_limit: Mapping[str, str] = field(default_factory=dict)
    missing_env: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        found = judge.problems(self._options(), "bucket")
        if not found:
            self._normalise()
            found = list(contradictions(self))
        if found:
            raise InvalidConfig(f"bucket `{self.name or self.bucket_name}`", found)

    def _options(self) -> dict[str, Any]:
        """What was said, as the schema sees it: JSON values, nothing for an option left out."""
        said = {f.name: _as_data(f.name, getattr(self, f.name)) for f in fields(self)}
        empty: tuple[object, ...] = (None, [], {})
        return {n: v for n, v in said.items() if n not in _UNJUDGED and v not in empty}

    def _normalise(self) -> None:
        said = self._options()
        values: dict[str, object] = {name: tuple(said.get(name, ())) for name in _LISTS}
        values |= {name: said.get(name, {}) for name in _TABLES}
        if self.conditions is None:  # an empty list says something, too
            del values["conditions"]
        values["name"] = self.name or self.bucket_name
        values["prefix"] = slashed(self.prefix)
        values["limits"] = limits_from(self.limits)
        values["trash"] = said.get("trash", True)
        values["conflict_resolution"] = Policy(self.conflict_resolution)
        values["max_workers"] = int(self.max_workers)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def layout(self) -> Layout:
        """Which local path is which key."""
        return Layout(tuple(mappings(self)))

    @cached_property
    def rules(self) -> Rules:
        """Filters, policies and limits."""
        return Rules(
            include=tuple(self.include),
            exclude=tuple(self.exclude),
            include_pattern=self.include_pattern,
            exclude_pattern=self.exclude_pattern,
            delete=_DELETE[self.delete_orphaned],
            policy=Policy(self.conflict_resolution),
            limits=limits_from(self.limits),
            protect=tuple(self.protect),
            headers=HeaderRules(tuple(header_rules(self))),
        )

    @property
    def keeps_trash(self) -> bool:
        """Whether what is overwritten or deleted in the bucket is kept there."""
        return self.trash is not False

    @property
    def retention(self) -> int | None:
        """Seconds after which an apply empties the trash; None for never."""
        return seconds(self.trash["keep"]) if isinstance(self.trash, Mapping) else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value loaded, for the scanner that refuses to write them anywhere."""
        named = {getattr(self, name) for name in judge.SECRETS - {"credentials"}}
        return tuple(sorted(value for value in {*named, *self.credentials.values()} if value))

    def declared(self, root: Path) -> dict[str, Value | None]:
        """The settings that are declared, by name, canonical; None: it is to be absent.

        A policy may lie in a file below `root`. Raises `ConfigError` where it does not.
        """
        return declared(self.provider, resolve(self.settings, root)) if self.settings else {}

    def identity(self) -> dict[str, Any]:
        """What a plan depends on, as plain data: no secrets, no tuning, no absolute paths.

        Two spellings of one configuration have one identity.
        """
        plain = [
            "name",
            "provider",
            "bucket_name",
            "domain",
            "region",
            "prefix",
            "storage_zone",
            "pull_zone",
            "api",
            "encryption",
            "kms_key",
        ]
        rules = self.rules
        return {
            **{name: getattr(self, name) for name in plain},
            "mappings": [told(place) for place in self.layout.mappings],
            "include": list(rules.include),
            "exclude": list(rules.exclude),
            "include_pattern": rules.include_pattern,
            "exclude_pattern": rules.exclude_pattern,
            "protect": list(rules.protect),
            "headers": [{"match": list(r.globs), **r.headers} for r in rules.headers.rules],
            "delete_orphaned": rules.delete,
            "trash": self.keeps_trash,
            "limits": {"max_delete": rules.limits.max_delete, "min": rules.limits.min},
            "conflict_resolution": rules.policy.value,
            "checksum_algorithm": self.checksum_algorithm,
            **({"manifest": True} if self.manifest else {}),
            **({"media_refs": self.media_refs} if self.media_refs else {}),
            **({} if self.conditions is None else {"conditions": sorted(self.conditions)}),
            **({"settings": self._settings_identity()} if self.settings else {}),
        }

    def _settings_identity(self) -> dict[str, Any]:
        """Declared settings in their one spelling, a policy in a file by the path of the file."""
        path = path_of(self.settings)
        inline = {n: v for n, v in self.settings.items() if n != "policy" or path is None}
        return {**declared(self.provider, inline), **({"policy": path} if path else {})}


@dataclass(frozen=True)
class Settings:
    """What `buckia:` says of the file as a whole.

    `state_bucket` names the bucket that keeps the lockfile, None means beside `.buckia`. `sets`
    are folders by the name of their group. `journal_count` is how many journals are kept at most,
    `journal_keep` for how many seconds, None for ever.
    """

    version: int = 1
    state_bucket: str | None = None
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    journal_count: int = 1000
    journal_keep: int | None = None


@dataclass(frozen=True)
class Config:
    """A file of buckets. `root` is the folder all its paths are relative to, `path` the file."""

    root: Path
    path: Path | None
    buckets: Mapping[str, BucketConfig]
    settings: Settings = Settings()

    def bucket(self, name: str) -> BucketConfig:
        """The bucket of that name.

        Raises `ConfigError` for an unknown name, and when its secrets want environment variables
        that are not set: only the bucket that is used needs its secrets.
        """
        if name not in self.buckets:
            near = suggest(name, self.buckets) or f"; there is {', '.join(self.buckets)}"
            raise ConfigError(f"there is no bucket `{name}` in the configuration{near}")
        bucket = self.buckets[name]
        if bucket.missing_env:
            missing = ", ".join(bucket.missing_env)
            raise ConfigError(
                f"bucket `{name}`: environment variable not set: {missing}; set what is missing"
            )
        return bucket


def _as_data(name: str, value: object) -> Any:
    """A value as JSON has it; what has no such form is left for the schema to refuse."""
    match value:
        case PurePath():
            return value.as_posix()
        case Limits():
            return {"max_delete": value.max_delete, "min": value.min}
        case Policy():
            return value.value
        case str() if name in _LISTS:
            return [value]
        case list() | tuple():
            return [_as_data("", item) for item in value]
        case Mapping():
            return {key: _as_data("", item) for key, item in value.items()}
    return value


def limits_from(value: Limits | Mapping[str, int | str]) -> Limits:
    """Limits as a file or a Python user gives them; what is left out has its default."""
    if isinstance(value, Limits):
        return value
    most = value.get("max_delete", Limits().max_delete)
    return Limits(most if isinstance(most, str) else int(most), int(value.get("min", Limits().min)))
