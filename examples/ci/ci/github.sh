# What the scripts for GitHub share.
api="$GITHUB_API_URL/repos/$GITHUB_REPOSITORY"

ask() {
  curl --silent --show-error --fail \
    --header "Authorization: Bearer $GITHUB_TOKEN" \
    --header "Accept: application/vnd.github+json" "$@"
}

# The comment that a pipeline made in a pull request, as JSON; null if there is none.
comment() {
  ask "$api/issues/$1/comments?per_page=100" > comments.json
  jq '[.[] | select(.user.login == "github-actions[bot]")
       | select(.body | startswith("<!-- buckia plan "))][0]' comments.json
}
