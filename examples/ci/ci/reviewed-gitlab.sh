#!/bin/sh
# The digest of the plan that was shown in the merge request of a merged commit, on stdout.
# Needs CI_API_V4_URL, CI_PROJECT_ID, GITLAB_TOKEN and CI_COMMIT_SHA.
set -eu
. "$(dirname "$0")/gitlab.sh"

ask "$api/repository/commits/$CI_COMMIT_SHA/merge_requests" > requests.json
number=$(jq -er '.[0].iid' requests.json)
comment "$number" | jq -er '.body | capture("^<!-- buckia plan (?<it>sha256:[0-9a-f]{64}) -->").it'
