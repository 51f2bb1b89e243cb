# report.html: well-formed, without network, scripts and widths that a phone of 360 pixels does not have; every number of
# eval.json stands on it, every curve that was logged is drawn, and what the run's files say wrongly is not believed.
. "$HISS_ROOT/tests/cli/common"
small_run
small=(--set eval.units=true --set eval.detection=true --set eval.mlp=true --set eval.mlp_hidden=8 --set eval.iterations=20
    --set eval.draws=2 --set eval.layers=fc1)

# page RUN: checks that hold for every page.
page() {
    local page=$1/report.html
    awk '
        { text = text $0 "\n" }
        END {
            open_ended["meta"] = open_ended["img"] = open_ended["br"] = open_ended["wbr"] = open_ended["!doctype"] = 1
            while (match(text, /<[^>]*>/)) {
                tag = substr(text, RSTART + 1, RLENGTH - 2)
                text = substr(text, RSTART + RLENGTH)
                name = tolower(tag)
                sub(/^\//, "", name)
                sub(/[^!a-z0-9].*/, "", name)
                if (name in open_ended || tag ~ /\/$/) continue
                if (gsub(/"/, "\"", tag) % 2) { print "quotes: " tag; exit 1 }
                if (tag !~ /^\//) stack[++depth] = name
                else if (stack[depth--] != name) { print "closes " name " in " stack[depth + 1]; exit 1 }
            }
            if (depth) { print "open: " stack[depth]; exit 1 }
        }' "$page" >log || fail "$page is not well-formed" log
    grep -qiE '<script|javascript:| on[a-z]+="|<link|@import|url\(|(src|href)="(http|//)' "$page" && fail "$page needs more than itself"
    grep -q '<meta name="viewport" content="width=device-width' "$page" || fail "$page is no page for a phone"
    grep -oE '(max-|min-|[;{ "(])width[:=]"?[0-9.]+(px|rem|em|")' "$page" | grep -v '^max' |
        awk '{ n = $0; gsub(/[^0-9.]/, "", n); n *= /rem|em/ ? 16 : 1; if (n > 360) { print; bad = 1 } } END { exit bad }' >log ||
        fail "$page has fixed widths" log
    grep -q '@media print' "$page" || fail "$page has no style for paper"
}

# ---- numbers: those of results are values of <data>, the others stand in notes ----

train 2 run --set train.log_every=7
page run
on 2 "$HISS" eval run "${small[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
page run
sed -n '/^ "results"/,/^ "pictures"/p' run/eval.json | grep -oE ': (-?[0-9][-+.0-9e]*|true|false)[,}]' | tr -d ' :,}' | sort -u >numbers
[ "$(wc -l <numbers)" -ge 60 ] || fail 'few numbers' numbers
while read -r number; do
    digits=$(sed -E 's/(\.[0-9]*[1-9])0+$/\1/; s/\.0+$//' <<<"$number") # the page writes no zeros at the end
    grep -qF "<data value=\"$number\">" run/report.html || grep -qE "<data value=\"$digits(\.?0*)\"" run/report.html || echo "$number"
done <numbers >missing
[ ! -s missing ] || fail 'numbers of eval.json that the page lacks' missing
for text in '100 samples; always the most frequent class: 10.00 %' 'test (%)' '500' 'std' 'conv1'; do
    grep -qF "$text" run/report.html || fail "no '$text' on the page"
done

# ---- the register: help, docs and eval.json name the same judgements ----

"$HISS" eval --help | sed -n '/^Judgements/,/^$/s/^  \([a-z_]*\) .*/\1/p' | sort >help.names
sed -n '/^## /q; s/^| `\([a-z_]*\)` |.*/\1/p' "$HISS_ROOT/docs/evaluation.md" | sort | cmp - help.names || fail 'docs/evaluation.md' help.names
sed -n 's/^  {"name": "\([a-z_]*\)", "title".*/\1/p' run/eval.json | sort | cmp - help.names || fail 'eval.json' help.names
while read -r name; do
    "$HISS" eval --help | grep -q "^ *eval\.$name " || fail "no key eval.$name in the help"
done <help.names

# ---- curves: all that was logged, whatever it is ----

head -n 1 run/metrics.jsonl | grep -oE '"[a-z_0-9]+": (-?[0-9]|null)' | sed 's/"\(.*\)".*/\1/' |
    grep -vxE 'step|epoch|seconds' | tr _ ' ' >curves
[ "$(wc -l <curves)" -ge 5 ] || fail 'few curves' curves
sed -i 's/"loss": /"a_new_metric": 4, "loss": /' run/metrics.jsonl
echo 'a new metric' >>curves
on 1 "$HISS" query run --queries 2 # writes the page again
[ $status -eq 0 ] || fail "query: exit $status" log
page run
while read -r curve; do
    grep -qF ">$curve</text>" run/report.html || fail "no curve of $curve"
done <curves
[ "$(grep -c '<figure class="card">' run/report.html)" -eq "$(wc -l <curves)" ] || fail 'other curves'

# ---- files that are wrong: the page says so, or leaves them out ----

# unreadable FILE LINE: what the page says of a file that is no table of names.
unreadable() {
    cp "run/$1" kept
    printf '%s\n' "$2" >"run/$1"
    on 1 "$HISS" query run --queries 2
    [ $status -eq 0 ] || fail "query with a broken $1: exit $status" log
    [ "$(grep -c "^hiss: warning: run/report.html lacks a part: run/$1" log)" -eq 1 ] || fail "no warning of a broken $1" log
    page run
    grep -q "<p>run/$1" run/report.html || fail "the page says nothing of a broken $1"
    cp kept "run/$1"
}
unreadable summary.yaml 'a: [1'
unreadable metrics.jsonl 'no JSON'
unreadable eval.json '{"samples": '

cp run/eval.json good.json
printf '{"samples": "", "results": [{"name": "raw/pixels"}]}' >run/eval.json # of an earlier version
on 1 "$HISS" query run --queries 2
[ $status -eq 0 ] && page run
grep -q "run/eval.json:.*run hiss eval again" run/report.html || fail 'believes an old eval.json'
sed 's,neighbors.png,../good.json,; s,filters.png,config.yaml,; s,units-fc1.png,log.txt,' good.json >run/eval.json # pictures that are none
on 1 "$HISS" query run --queries 2
[ $status -eq 0 ] && page run
[ "$(grep -c '<img' run/report.html)" -eq 1 ] || fail 'shows files that are no pictures of the run'
echo ok
