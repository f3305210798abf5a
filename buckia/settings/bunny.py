"""The settings of a Bunny storage zone and of the pull zone in front of it. Pure.

Names are those of Bunny's Core API in snake_case. Keys, passwords and the origin are not among
them: the first belong into no plan, and another origin is another pull zone.
"""

from __future__ import annotations

import re
from typing import Any, Final

from buckia.settings.kind import Kind, Kinds
from buckia.settings.shape import Field, Shape

PULL_ZONE_FIELDS: Final = (
    # caching
    *("CacheControlMaxAgeOverride", "CacheControlPublicMaxAgeOverride", "CacheErrorResponses"),
    *("DisableCookies", "EnableSmartCache", "EnableCacheSlice", "EnableQueryStringOrdering"),
    *("IgnoreQueryStrings", "QueryStringVaryParameters", "CookieVaryParameters"),
    *("EnableWebPVary", "EnableAvifVary", "EnableCountryCodeVary", "EnableMobileVary"),
    *("EnableCookieVary", "EnableHostnameVary", "UseStaleWhileOffline", "UseStaleWhileUpdating"),
    *("EnableRequestCoalescing", "RequestCoalescingTimeout"),
    # headers
    *("AddCanonicalHeader", "EnableAccessControlOriginHeader"),
    "AccessControlOriginHeaderExtensions",
    # who may come
    *("AllowedReferrers", "BlockedReferrers", "BlockNoneReferrer", "BlockedIps"),
    *("BlockRootPathAccess", "BlockPostRequests", "EnableTLS1", "EnableTLS1_1"),
    *("ZoneSecurityEnabled", "ZoneSecurityIncludeHashRemoteIP"),
    # how much
    *("LimitRatePerSecond", "LimitRateAfter", "RequestLimit", "BurstSize"),
    *("ConnectionLimitPerIPCount", "MonthlyBandwidthLimit"),
    # where from
    *("EnableGeoZoneUS", "EnableGeoZoneEU", "EnableGeoZoneASIA", "EnableGeoZoneSA"),
    *("EnableGeoZoneAF", "EnableOriginShield"),
    # what is kept about it
    *("EnableLogging", "LoggingIPAnonymizationEnabled", "ErrorPageWhitelabel"),
)
STORAGE_ZONE_FIELDS: Final = ("Rewrite404To200", "Custom404FilePath")

_SETS: Final = frozenset(
    [
        *("QueryStringVaryParameters", "CookieVaryParameters", "AllowedReferrers"),
        *("AccessControlOriginHeaderExtensions", "BlockedReferrers", "BlockedIps"),
    ]
)
_ODD: Final = {
    "EnableTLS1_1": "enable_tls1_1",
    "EnableTLS1": "enable_tls1",
    "EnableWebPVary": "enable_webp_vary",
    "Rewrite404To200": "rewrite_404_to_200",
    "Custom404FilePath": "custom_404_file_path",
}


def snake(name: str) -> str:
    """A name of the API as options are written: `IgnoreQueryStrings` is `ignore_query_strings`."""
    if name in _ODD:
        return _ODD[name]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _shape(names: tuple[str, ...]) -> Shape:
    fields = (Field(snake(name), name, unordered=name in _SETS) for name in names)
    return Shape(tuple(fields), closed=True)


ACTIONS: Final = {
    "force_ssl": 0,
    "redirect": 1,
    "origin_url": 2,
    "override_cache_time": 3,
    "block_request": 4,
    "set_response_header": 5,
    "set_request_header": 6,
    "force_download": 7,
    "disable_token_authentication": 8,
    "enable_token_authentication": 9,
    "override_cache_time_public": 10,
    "ignore_query_string": 11,
    "disable_optimizer": 12,
    "force_compression": 13,
    "set_status_code": 14,
    "bypass_perma_cache": 15,
    "override_browser_cache_time": 16,
    "origin_storage": 17,
    "set_network_rate_limit": 18,
    "set_connection_limit": 19,
    "set_requests_per_second_limit": 20,
}
TRIGGERS: Final = {
    "url": 0,
    "request_header": 1,
    "response_header": 2,
    "url_extension": 3,
    "country_code": 4,
    "remote_ip": 5,
    "url_query_string": 6,
    "random_chance": 7,
    "status_code": 8,
    "request_method": 9,
    "cookie_value": 10,
    "country_state_code": 11,
}
MATCHING: Final = {"any": 0, "all": 1, "none": 2}

_PARAMETERS: Final = tuple(
    Field(f"parameter_{number}", f"ActionParameter{number}", "") for number in (1, 2, 3)
)
_TRIGGER: Final = Shape(
    (
        Field("type", "Type", words=TRIGGERS),
        Field("match", "PatternMatchingType", "any", words=MATCHING),
        Field("patterns", "PatternMatches", unordered=True),
        Field("parameter_1", "Parameter1", ""),
        Field("parameter_2", "Parameter2", ""),
    )
)
_RULE: Final = Shape(
    (
        Field("enabled", "Enabled", True),
        Field("action", "ActionType", words=ACTIONS),
        *_PARAMETERS,
        Field(
            "extra_actions",
            "ExtraActions",
            [],
            inner=Shape((Field("action", "ActionType", words=ACTIONS), *_PARAMETERS)),
        ),
        Field("match", "TriggerMatchingType", "any", words=MATCHING),
        Field("triggers", "Triggers", inner=_TRIGGER),
    )
)
_OWN: Final = frozenset({"Guid", "Description", "OrderIndex", "ReadOnly"})
"""What of an edge rule is Bunny's affair, or its name."""


def _read_rule(told: Any) -> Any:
    return _RULE.read({name: value for name, value in told.items() if name not in _OWN})


def _write_rule(document: Any) -> dict[str, Any]:
    """A rule with everything said: what is left out of an update stays as it was."""
    plain = {"enabled": True, "match": "any", "extra_actions": []}
    parameters = {field.ours: "" for field in _PARAMETERS}
    triggers = [{"match": "any", **trigger} for trigger in document["triggers"]]
    return _RULE.write({**plain, **parameters, **document, "triggers": triggers})


_PULL_ZONE: Final = _shape(PULL_ZONE_FIELDS)
_STORAGE_ZONE: Final = _shape(STORAGE_ZONE_FIELDS)

BUNNY: Final[Kinds] = {
    "pull_zone": Kind(
        _PULL_ZONE.canonical, _PULL_ZONE.read, _PULL_ZONE.write, removable=False, partial=True
    ),
    "edge_rules": Kind(_RULE.canonical, _read_rule, _write_rule, family=True),
    "storage_zone": Kind(
        _STORAGE_ZONE.canonical,
        _STORAGE_ZONE.read,
        _STORAGE_ZONE.write,
        removable=False,
        partial=True,
    ),
}
