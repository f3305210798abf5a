# What the scripts for GitHub share.
api="$GITHUB_API_URL/repos/$GITHUB_REPOSITORY"

ask() {
  curl --silent --show-error --fail \
    --header "Authorization: Bearer $GITHUB_TOKEN" \
    --header "Accept: application/vnd.github+json" "$@"
}

# The comment that a pipeline made in a pull request, as JSON; null if there is none. A page has 100.
comment() {
  page=1 found=null full=true
  while [ "$found $full" = "null true" ]; do
    ask "$api/issues/$1/comments?per_page=100&page=$page" > comments.json || return
    found=$(jq -c '[.[] | select(.user.login == "github-actions[bot]")
                    | select(.body | startswith("<!-- buckia plan "))][0]' comments.json)
    full=$(jq 'length == 100' comments.json)
    page=$((page + 1))
  done
  printf '%s\n' "$found"
}
