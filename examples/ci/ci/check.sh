#!/bin/sh
# On a pull request: does the plan in it still fit, and what would it do? Writes comment.md.
set -eu
plan=${PLAN:-plan.json}
buckia apply "$plan" --preflight-only
{
  echo "<!-- buckia plan $(jq -r .digest "$plan") -->"
  echo "**buckia** will do this after the merge:"
  echo
  echo '~~~~text'
  buckia show "$plan"
  echo '~~~~'
} > comment.md
