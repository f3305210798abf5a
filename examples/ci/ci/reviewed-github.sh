#!/bin/sh
# The digest of the plan that was shown in the pull request of a merged commit, on stdout.
# Needs GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN and GITHUB_SHA.
set -eu
. "$(dirname "$0")/github.sh"

ask "$api/commits/$GITHUB_SHA/pulls" > pulls.json
number=$(jq -er '.[0].number' pulls.json)
comment "$number" | jq -er '.body | capture("^<!-- buckia plan (?<it>sha256:[0-9a-f]{64}) -->").it'
