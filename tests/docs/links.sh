# Every relative link of the documentation leads to a file, and to a heading of it; docs/README.md names every page.
set -eu
cd "$HISS_ROOT"
failed=0 links=0
complain() {
    echo "FAILED: $*" >&2
    failed=1
}
anchors() { # of the headings of a page
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}
pages=$(find docs -name '*.md' | sort)
for page in README.md CHANGES.md $pages; do
    while IFS= read -r link; do
        case $link in *://* | mailto:*) continue ;; esac
        links=$((links + 1))
        file=${link%%#*} anchor=
        [ "$file" = "$link" ] || anchor=${link#*#}
        target=$page
        [ -z "$file" ] || target=$(dirname "$page")/$file
        if [ ! -e "$target" ]; then
            complain "$page: $link: there is no $target"
        elif [ -n "$anchor" ] && ! anchors "$target" | grep -qxF "$anchor"; then
            complain "$page: $link: no such heading in $target"
        fi
    done < <(grep -oE '\]\([^) ]+\)' "$page" | sed 's/^](//; s/)$//')
done
for page in $pages; do
    [ "$page" = docs/README.md ] || grep -qF "](${page#docs/})" docs/README.md || complain "docs/README.md does not name $page"
done
[ $links -ge 30 ] || complain "only $links links were found"
[ $failed -eq 0 ] && echo ok
