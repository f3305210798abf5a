#!/bin/sh
# One comment in the pull request, made or brought up to date.
# Needs GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN, and PULL_REQUEST, its number.
set -eu
. "$(dirname "$0")/github.sh"

found=$(comment "$PULL_REQUEST")
mine=$(printf '%s\n' "$found" | jq -r '.id // ""')
if [ -n "$mine" ]; then
  jq -Rs '{body: .}' comment.md | ask --request PATCH --data @- "$api/issues/comments/$mine"
else
  jq -Rs '{body: .}' comment.md |
    ask --request POST --data @- "$api/issues/$PULL_REQUEST/comments"
fi > response.json
