#!/bin/sh
# One note in the merge request, made or brought up to date.
# Needs CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID, and GITLAB_TOKEN of a project bot.
set -eu
. "$(dirname "$0")/gitlab.sh"

notes="$api/merge_requests/$CI_MERGE_REQUEST_IID/notes"
found=$(comment "$CI_MERGE_REQUEST_IID")
mine=$(printf '%s\n' "$found" | jq -r '.id // ""')
if [ -n "$mine" ]; then
  jq -Rs '{body: .}' comment.md | ask --request PUT --data @- "$notes/$mine"
else
  jq -Rs '{body: .}' comment.md | ask --request POST --data @- "$notes"
fi > response.json
