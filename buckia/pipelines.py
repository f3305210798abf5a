"""What build services tell of the run under way, through the environment. Pure.

The names are those of the services' own documentation of predefined variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class Service(NamedTuple):
    """A build service: the variable that is set there, those that name the person whose push,
    click or approval started the run, the best first, and the one with the address of the run."""

    name: str
    mark: str
    people: tuple[str, ...]
    run: str


SERVICES: Final = (
    Service("GitHub Actions", "GITHUB_ACTIONS", ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"), ""),
    Service("GitLab CI", "GITLAB_CI", ("GITLAB_USER_LOGIN",), "CI_JOB_URL"),
    Service(
        "Buildkite",
        "BUILDKITE",
        ("BUILDKITE_UNBLOCKER", "BUILDKITE_BUILD_CREATOR"),
        "BUILDKITE_BUILD_URL",
    ),
    Service("CircleCI", "CIRCLECI", ("CIRCLE_USERNAME",), "CIRCLE_BUILD_URL"),
    Service("Azure Pipelines", "TF_BUILD", ("BUILD_REQUESTEDFOR",), ""),
    Service("Jenkins", "JENKINS_URL", ("BUILD_USER_ID",), "BUILD_URL"),
)
"""GitHub tells its run in parts, Azure not at all."""

APPROVER: Final = "BUCKIA_APPROVER"
"""Names the approver wherever a service does not, and before what it tells."""

_LONGEST: Final = 200
_ACTIONS: Final = "https://github.com"


def approver(environ: Mapping[str, str]) -> str:
    """Who approved the run, as far as its service tells; "" where nobody does."""
    people = [name for one in SERVICES if environ.get(one.mark) for name in one.people]
    told = (environ[name] for name in (APPROVER, *people) if environ.get(name))
    return next(told, "")[:_LONGEST]


def run(environ: Mapping[str, str]) -> str | None:
    """The address of the run at its build service; None where there is none."""
    if number := environ.get("GITHUB_RUN_ID"):
        server = environ.get("GITHUB_SERVER_URL", _ACTIONS)
        return f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{number}"
    return next((environ[one.run] for one in SERVICES if environ.get(one.run)), None)
