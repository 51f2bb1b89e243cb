# hiss compare: mistakes that users make with studies, with --table and with runs. What is refused leaves nothing behind.
. "$HISS_ROOT/tests/cli/common"
small_run

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"
}

cat >study.yaml <<'END'
seeds: [1]
base: [train.epochs=1, eval.few_labels=false, eval.iterations=20, eval.layers=conv1]
rows:
  nat: {config: config.yaml}
  random: {of: nat, features: random}
columns:
  linear: {reading: trained/conv1/linear.percent}
quick: {rows: [data.limit=300]}
END

# ---- the table alone is of the runs of this study ----

on 1 "$HISS" compare study.yaml --out out
[ $status -eq 0 ] || fail "compare: exit $status" log
cksum out/* out/runs/*/* 2>/dev/null >before
alone() { # alone WHY OPTION...: the table of another study
    local why=$1
    shift
    refused 1 "out/runs/nat-s1 was made by another config ($why" "$HISS" compare study.yaml --out out --table "$@"
    cksum out/* out/runs/*/* 2>/dev/null | cmp -s - before || fail 'a refused table has changed something'
}
alone "in section data, 'limit: 0', now 'limit: 300'" --set 'rows.nat.set=[data.limit=300]'
alone "'objective: nat', now 'objective: autoencoder'" --set 'rows.nat.set=[objective=autoencoder]'
alone "in section data, 'limit: 0', now 'limit: 300'" --quick

# It needs no data. What is judged otherwise is no number of this study; its controls are not either.
mv data.h5 away.h5
on 1 "$HISS" compare study.yaml --out out --table
mv away.h5 data.h5
[ $status -eq 0 ] || fail "--table without data: exit $status" log
cksum out/* out/runs/*/* 2>/dev/null | cmp -s - before || fail '--table makes another table'
on 1 "$HISS" compare study.yaml --out out --table --set 'rows.nat.set=[eval.iterations=3]'
[ $status -eq 0 ] || fail "another section eval: exit $status" log
has log ' 0 runs done, 0 failed, 1 to do\.'
has out/table.md '^\| nat \| - \| 0 of 1 \| - \| - \|$'
has out/table.md '^\| random \| - \| 0 of 1 \| - \| - \|$'
has out/table.md '^\| nat-s1 \| judged by another section eval: hiss compare goes on with it \|$'
has out/runs.csv '^nat,1,,missing,,,,,"judged by another section eval"$'
on 1 "$HISS" compare study.yaml --out out --set seeds=[1,2]
[ $status -eq 0 ] || fail "a seed more: exit $status" log
on 1 "$HISS" compare study.yaml --out out --table --set seeds=[1,2,3] --set 'base=[train.epochs=1, eval.few_labels=false, eval.layers=fc1]' \
    --set columns.linear.reading=trained/fc1/linear.percent
[ $status -eq 0 ] || fail "another section eval: exit $status" log
has out/table.md '^\| 2 of nat \| judged by another section eval: hiss compare goes on with them; table.json names each \|$'
has out/table.md '^\| nat-s3 \| not done yet: hiss compare goes on with it \|$'
echo ok
