"""Settings of Bunny's zones, on a server that speaks the Core API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from buckia import planfile, settings
from buckia.config import BucketConfig, Config
from buckia.errors import AccessError, ConfigError, NotFoundError, PreconditionError, StoreError
from buckia.project import Project
from buckia.stores import bunny_core, settling
from buckia.stores.bunny import BunnyStore
from tests.helpers import ops
from tests.servers.bunny import Bunny
from tests.servers.bunny_core import PASSWORD, ZONE_SECURITY_KEY
from tests.stores.conftest import open_bunny

PULL: Final[dict[str, Any]] = {"ignore_query_strings": False, "blocked_ips": ["1.2.3.4", "2.3.4.5"]}
RULE: Final[dict[str, Any]] = {
    "action": "override_cache_time",
    "parameter_1": "0",
    "triggers": [{"type": "url_extension", "patterns": ["json", "xml"]}],
}
OTHER: Final[dict[str, Any]] = {
    "enabled": False,
    "action": "set_response_header",
    "parameter_1": "X-A",
    "parameter_2": "b",
    "match": "all",
    "triggers": [
        {"type": "url", "patterns": ["https://a.example/*"]},
        {"type": "request_header", "match": "none", "patterns": ["*"], "parameter_1": "X-B"},
    ],
}


@pytest.fixture(autouse=True)
def hurry(bunny: Bunny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's API is the server's."""
    monkeypatch.setattr(settling, "_PAUSES", (0.0,) * 6)
    monkeypatch.setattr(bunny_core, "CORE", bunny.core.endpoint)


def opened(bunny: Bunny, **options: Any) -> BunnyStore:
    """A store on a zone of the account."""
    made = open_bunny(
        bunny,
        **{"pull_zone": "acme-cdn", "account_key": bunny.core.account_key, **options},
    )
    bunny.core.storage_zones[len(bunny.core.storage_zones) + 1] = made._options.zone
    return made


@pytest.fixture
def store(bunny: Bunny) -> Iterator[BunnyStore]:
    """A zone and the pull zone in front of it."""
    made = opened(bunny)
    yield made
    made.close()


def read(store: BunnyStore, name: str, part: Any = None) -> Any:
    return store.settings.read({name: part})[name]


def test_only_the_fields_that_are_declared_are_looked_at_and_set(
    bunny: Bunny, store: BunnyStore
) -> None:
    """The others are nobody's concern."""
    before = bunny.core.pull_zone(77)
    now = read(store, "pull_zone", PULL)
    assert now == {"ignore_query_strings": True, "blocked_ips": []}
    store.settings.configure("pull_zone", PULL, expect=now)
    assert read(store, "pull_zone", PULL) == PULL
    changed = {"IgnoreQueryStrings": False, "BlockedIps": PULL["blocked_ips"]}
    assert bunny.core.pull_zone(77) == {**before, **changed}
    bunny.core.fields["pullzone/77"]["EnableLogging"] = False  # by hand
    assert read(store, "pull_zone", PULL) == PULL
    store.settings.configure("pull_zone", PULL, expect=now)  # done twice is done once
    store.settings.configure(
        "pull_zone", {"enable_logging": True}, expect={"enable_logging": False}
    )
    assert read(store, "pull_zone", PULL) == PULL


def test_edge_rules_are_set_by_their_descriptions(bunny: Bunny, store: BunnyStore) -> None:
    """Made, changed where they are, and removed; those that are not named stay."""
    bunny.core.set_rule(77, {"Description": "theirs", "ActionType": 0, "Triggers": []})
    theirs = bunny.core.rules[77][0]
    store.settings.configure("edge_rules/Fresh", RULE, expect=None)
    assert read(store, "edge_rules/Fresh") == RULE
    made = bunny.core.rules[77][1]
    assert (made["Description"], made["ActionType"], made["OrderIndex"]) == ("Fresh", 3, 1)
    store.settings.configure("edge_rules/Fresh", OTHER, expect=RULE)
    assert read(store, "edge_rules/Fresh") == OTHER
    assert [rule["Guid"] for rule in bunny.core.rules[77]] == [theirs["Guid"], made["Guid"]]
    store.settings.configure("edge_rules/Fresh", RULE, expect=OTHER)
    assert read(store, "edge_rules/Fresh") == RULE
    with pytest.raises(PreconditionError, match="not what was reviewed"):
        store.settings.configure("edge_rules/Fresh", None, expect=OTHER)
    store.settings.configure("edge_rules/Fresh", None, expect=RULE)
    store.settings.configure("edge_rules/Fresh", None, expect=RULE)
    assert bunny.core.rules[77] == [theirs]


def test_a_lost_answer_makes_no_second_rule(bunny: Bunny, store: BunnyStore) -> None:
    """It is looked whether the first came to be."""
    bunny.core.lost_answers = 1
    store.settings.configure("edge_rules/Fresh", RULE, expect=None)
    assert [rule["Description"] for rule in bunny.core.rules[77]] == ["Fresh"]


def test_rules_that_share_a_description_are_left_alone(bunny: Bunny, store: BunnyStore) -> None:
    """Nobody could say which is meant."""
    for _ in range(2):
        bunny.core.set_rule(77, {"Description": "twice", "ActionType": 0, "Triggers": []})
    found = store.settings.read({"edge_rules/twice": None, "edge_rules/none": None})
    assert isinstance(found["edge_rules/twice"], StoreError)
    assert "2 edge rules have this description" in str(found["edge_rules/twice"])
    assert found["edge_rules/none"] is None


def test_a_storage_zone_has_settings_too(bunny: Bunny, store: BunnyStore) -> None:
    """In either shape of the list of zones."""
    wanted = {"rewrite_404_to_200": True, "custom_404_file_path": "/404.html"}
    for number, bare in ((2, False), (3, True)):
        bunny.switches.bare_zones = bare
        made = opened(bunny) if bare else store
        now = read(made, "storage_zone", wanted)
        assert now == {"rewrite_404_to_200": False}
        made.settings.configure("storage_zone", wanted, expect=now)
        assert read(made, "storage_zone", wanted) == wanted
        told = {"Rewrite404To200": True, "Custom404FilePath": "/404.html"}
        assert bunny.core.fields[f"storagezone/{number}"] == told
        made.close()


def test_all_settings_of_a_zone_are_told_by_one_request(bunny: Bunny, store: BunnyStore) -> None:
    """However many are declared."""
    bunny.core.set_rule(77, {"Description": "a", "ActionType": 0, "Triggers": []})
    assert store.settings.names() == ("pull_zone", "edge_rules/a", "storage_zone")
    before = bunny.core.asked["GET pullzone"]
    store.settings.read({"pull_zone": PULL, "edge_rules/a": None, "edge_rules/b": None})
    assert bunny.core.asked["GET pullzone"] == before + 1


def test_no_secret_of_an_answer_is_told(bunny: Bunny, store: BunnyStore) -> None:
    """Keys and passwords stand beside the settings."""
    told = json.dumps(store.settings.read(dict.fromkeys(store.settings.names())))
    assert ZONE_SECURITY_KEY not in told and PASSWORD not in told
    assert bunny.core.pull_zone(77)["ZoneSecurityKey"] == ZONE_SECURITY_KEY


def test_what_is_missing_is_named(bunny: Bunny) -> None:
    """The key, the pull zone, the right ones of both."""
    lacking = opened(bunny, account_key=None)
    with pytest.raises(
        ConfigError, match="a setting of a pull zone needs more; set `pull_zone` and `api_key`"
    ):
        read(lacking, "pull_zone", PULL)
    bare = opened(bunny, pull_zone=None)
    assert bare.settings.names() == ("storage_zone",)
    with pytest.raises(ConfigError, match="set `pull_zone` and `api_key`"):
        read(bare, "pull_zone", PULL)
    unknown = opened(bunny, pull_zone="nobody")
    with pytest.raises(NotFoundError, match="no such pull zone"):
        read(unknown, "pull_zone", PULL)
    stranger = opened(bunny, account_key="very-secret")
    found = read(stranger, "pull_zone", PULL)
    assert isinstance(found, AccessError) and "very-secret" not in str(found)
    gone = opened(bunny)
    bunny.core.storage_zones.popitem()
    with pytest.raises(NotFoundError, match="no such storage zone"):
        read(gone, "storage_zone")
    for made in (lacking, bare, unknown, stranger, gone):
        made.close()


def test_the_round_from_declaration_to_import(bunny: Bunny, tmp_path: Path) -> None:
    """Declared, applied, nothing to do; changed by hand and seen; imported as it was declared."""
    zone = bunny.make_zone()
    bunny.core.storage_zones[3] = zone.name
    declared = {
        "pull_zone": PULL,
        "edge_rules": {"Fresh": RULE, "Gone": "absent"},
        "storage_zone": {"rewrite_404_to_200": True},
    }
    bucket = BucketConfig(
        provider="bunny",
        bucket_name=zone.name,
        name="main",
        domain=bunny.endpoint,
        storage_api_key=zone.password,
        api_key=bunny.core.account_key,
        pull_zone="acme-cdn",
        paths=["assets/"],
        settings=declared,
    )
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.txt").write_text("a")
    config = Config(tmp_path, tmp_path / ".buckia", {"main": bucket})
    with Project(config) as project:
        plan = project.plan()
        assert ops(plan)[:3] == [
            "configure edge_rules/Fresh",
            "configure pull_zone",
            "configure storage_zone",
        ]
        assert not project.apply(planfile.read(planfile.write(plan))).failed
        assert ops(project.plan()) == []
        assert project.import_settings("main").said == declared
        bunny.core.fields["pullzone/77"]["IgnoreQueryStrings"] = True
        bunny.core.set_rule(77, {"Description": "Gone", "ActionType": 0, "Triggers": []})
        bunny.core.set_rule(77, {"Description": "theirs", "ActionType": 0, "Triggers": []})
        again = project.plan()
        assert ops(again) == ["configure edge_rules/Gone", "configure pull_zone"]
        assert "-   ignore_query_strings: true" in again.actions[1].changes
        project.apply(again)
        assert [rule["Description"] for rule in bunny.core.rules[77]] == ["Fresh", "theirs"]
        found = project.import_settings("main")
    assert found.said["pull_zone"] == PULL
    assert found.said["edge_rules"]["Gone"] == "absent"
    assert settings.declared("bunny", {"edge_rules": {"Fresh": RULE}})["edge_rules/Fresh"] == RULE
