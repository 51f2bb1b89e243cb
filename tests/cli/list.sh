# hiss list and hiss compare RUN ...: runs in every state in one table; those that are damaged or of another version are a
# line each.
. "$HISS_ROOT/tests/cli/common"
small_run
sets=(--set train.epochs=2 --set eval.layers=conv1,fc1 --set eval.iterations=100)
train 1 runs/nat "${sets[@]}"
train 1 runs/deep/auto "${sets[@]}" --set objective=autoencoder --set optim.lr=0.01
on 1 "$HISS" eval runs/nat
[ $status -eq 0 ] || fail "eval: exit $status" log

cp -r runs/nat runs/cut && rm runs/cut/summary.yaml runs/cut/eval.json
cp -r runs/cut runs/early && rm -r runs/early/ckpt
cp -r runs/cut runs/held
cp -r runs/nat runs/torn && printf 'result: [\n' >runs/torn/summary.yaml
cp -r runs/nat runs/lost && rm runs/lost/config.yaml
cp -r runs/nat runs/odd && printf '{"step": \n' >>runs/odd/metrics.jsonl
cp -r runs/nat runs/mixed && sed -i 's/^result: .*/result: "INVALID for comparison: computed here, then there"/' runs/mixed/summary.yaml
cp -r runs/nat runs/old && sed -i '/^  lr:/d' runs/old/config.yaml && sed -i '/^assignment_sha256/d' runs/old/summary.yaml
mkdir runs/folder && cp config.yaml runs/folder
ln -s . runs/loop

exec 9>>runs/held/.lock
flock -x 9
on 1 "$HISS" list runs/
exec 9>&-
[ $status -eq 0 ] || fail "list: exit $status" log
hash=$(sed -n 's/^parameters_sha256: \(.\{8\}\).*/\1/p' runs/nat/summary.yaml)
row() { # row REGEX: a line
    grep -qE -- "^$1\$" log || fail "no line '$1'" log
}
row 'run +objective +state +epochs +loss +knn.cosine.5 +linear.percent .*parameters +when'
row "nat +nat +done +2 / 2 +[0-9.e-]+ +[0-9.]+ \((conv1|fc1)\) +[0-9.]+ \((conv1|fc1)\) .*$hash +20[0-9-]+T[0-9:]+Z"
row "deep/auto +autoencoder +done +2 / 2 +[0-9.e+]+ +- +- .*Z"
row "cut +nat +interrupted at step 24 +1 / 2 +.* - +- .*"
row "early +nat +interrupted before a checkpoint +.*"
row "held +nat +running, step 24 +.*"
row "torn +nat +broken +.*"
row "lost +- +broken +.*"
row "odd +nat +done +.*"
row "mixed +nat +done \(INVALID\) +.*"
row "old +nat +done +2 / 2 .*$hash .*"
row "torn: runs/torn/summary.yaml:.*"
row "lost: .*runs/lost/config.yaml.*"
row "odd: runs/odd/metrics.jsonl:[0-9]+.*"
row "mixed: runs/mixed/summary.yaml: result: INVALID for comparison.*"
row "10 runs"
! grep -q 'folder\|loop' log || fail 'what is no run is listed' log

# A number of eval.json for each run.
reading=trained/fc1/linear.percent
on 1 "$HISS" list runs --readings $reading --format csv
[ $status -eq 0 ] || fail "list --format csv: exit $status" log
head -n 1 log | grep -qF "\"loss\",\"$reading\",\"parameters\"" || fail 'no column of the reading' log
value=$(sed -n "s/^\"nat\",.*\",\"\([0-9.]*\)\",\"[0-9a-f]\{64\}\",\"[^\"]*\"\$/\1/p" log)
grep -q "\"percent\": $value" runs/nat/eval.json || fail "the reading '$value' is not in eval.json" runs/nat/eval.json
awk -F, 'NF != 8 { exit 1 }' log || fail 'rows of other lengths' log
on 1 "$HISS" list runs --format markdown
grep -q '^| nat | nat | done | 2 / 2 |' log || fail 'no Markdown' log
refused 1 'list needs a folder with runs' "$HISS" list
refused 1 'the folder absent does not exist' "$HISS" list absent
refused 1 'runs/folder: there is no run in it' "$HISS" list runs/folder
refused 1 "--readings: expected SUBJECT/JUDGEMENT.NUMBER, such as trained/conv3/linear.percent, found 'linear'" \
    "$HISS" list runs --readings linear

# ---- runs beside each other ----

on 1 "$HISS" compare runs/nat runs/deep/auto runs/old runs/cut runs/torn runs/odd --out table
[ $status -eq 0 ] || fail "compare of runs: exit $status" log
row 'run +nat +deep/auto +old +odd'
row 'objective +nat +autoencoder +nat +nat'
row "parameters_sha256 +$hash +[0-9a-f]{8} +$hash +$hash"
row 'optim.lr +0.1 +0.01 +- +0.1'
! grep -q '^train.epochs ' log || fail 'a key that does not differ' log
row 'loss +[0-9.]+ +[0-9.e+]+ +[0-9.]+ +-'
row "$reading +[0-9.]+ +- +[0-9.]+ +[0-9.]+"
row 'runs/cut is left out: interrupted at step 24'
row 'runs/torn is left out: runs/torn/summary.yaml:.*'
row 'runs/odd: runs/odd/metrics.jsonl:.*'
grep -q "^| $reading | $value | - | $value | $value |\$" table/table.md || fail 'no reading in table.md' table/table.md
whole=$(sed -n 's/^parameters_sha256: //p' runs/nat/summary.yaml)
grep -q "^\"run\",\"parameters_sha256\",\"$whole\",\"[0-9a-f]*\",\"$whole\",\"$whole\"\$" table/table.csv || fail 'no hash in table.csv' table/table.csv
sed 's/"[^"]*"/x/g' table/table.csv | grep -qvE '^x,x(,x?){4}$' && fail 'rows of other lengths' table/table.csv
grep -q '<svg' table/table.html || fail 'no curves'
on 1 "$HISS" compare runs/nat
[ $status -eq 0 ] || fail "compare of one run: exit $status" log
! grep -q '^Config' log || fail 'one run differs from nothing' log
refused 1 'none of these runs has ended: runs/cut is left out: interrupted at step 24' "$HISS" compare runs/cut
refused 1 'the run absent does not exist' "$HISS" compare runs/nat absent
refused 1 '--quick has no effect beside runs' "$HISS" compare runs/nat runs/old --quick
mkdir study && : >study/study.yaml
refused 1 '--out study holds a study' "$HISS" compare runs/nat runs/old --out study
[ "$(ls study)" = study.yaml ] || fail 'a refused --out is written to'
echo ok
