# hiss compare with transfers and curves: what begins from which run, what is read where, what is found before the first
# training, and what becomes of a transfer whose row fails, is trained anew, or has lost its checkpoints.
. "$HISS_ROOT/tests/cli/common"
small_run

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"
}

cat >study.yaml <<'END'
seeds: [4]
base: [train.epochs=1, eval.layers=conv1, eval.iterations=20, eval.draws=1]
rows:
  nat: {config: config.yaml}
  random: {of: nat, features: random}
  pixels: {of: nat, features: raw}
transfers:
  fc:
    config: config.yaml
    set: [objective=supervised, train.epochs=1, "train.freeze=[conv1]", eval.few_labels=false, eval.random=false,
          eval.iterations=20, eval.layers=scores]
columns:
  linear: {reading: trained/conv1/linear.percent}
  classes: {reading: trained/scores/linear.percent, transfer: fc}
curves:
  knn: {reading: trained/conv1/knn.cosine.*}
  few: {reading: trained/conv1/few_labels.*.linear, x: labels}
END

# ---- what is found before the first training ----

study() { # study SED TEXT: the study, changed
    sed "$1" study.yaml >changed.yaml
    ! cmp -s study.yaml changed.yaml || fail "the study does not change by $1"
    refused 1 "$2" "$HISS" compare changed.yaml --out new
    [ ! -e new ] || fail "a mistake leaves files: $1" log
}
study 's/transfer: fc/transfer: fd/' \
    "changed.yaml:14:63: columns.classes.transfer: expected a name of section transfers, which has fc; found 'fd'"
study 's,trained/scores/linear,trained/z/linear,' \
    "changed.yaml:14:22: columns.classes.reading: no row will have 'trained/z/linear.percent': there is no layer z among those that are judged: scores"
study 's,scores/linear.percent,scores/few_labels.10.linear,' "eval.few_labels is false"
study 's,cosine.\*,cosine.5,' 'with * for a number, such as trained/conv3/few_labels.*.linear, found'
study 's,linear.percent,linear.*,' 'of one number; section curves takes *'
study 's/objective=supervised/objective=supervisd/' 'changed.yaml:10:11: transfers.fc.set: '
study 's/freeze=.conv1./freeze=[conv1, conv9]/' "changed.yaml:10:49: transfers.fc.set: train.freeze: 'conv9' has no parameters"
study 's/    set: \[/&dist.threads=2, /' 'changed.yaml:10:11: transfers.fc.set: threads says how many threads a rank has; leave dist.threads=2 out'
study 's/    set: \[/&"train={init: nat}", /' 'changed.yaml:10:11: transfers.fc.set: a transfer begins from the run of its row; leave train'
study 's/^base: \[/&"dist={threads: 2}", /' 'changed.yaml:2:8: base: threads says how many threads a rank has; leave dist={threads: 2} out'
study 's/^base: \[train.epochs=1/&, seed=5/' 'changed.yaml:2:24: base: seeds says which seeds there are; leave seed=5 out'
study 's/nat: {config: config.yaml/&, set: [seed=5]/' 'changed.yaml:4:36: rows.nat.set: seeds says which seeds there are; leave'
study 's/    config: config.yaml/    config: absent.yaml/' 'changed.yaml:9:13: transfers.fc.config: the config absent.yaml does not exist'
study 's/eval.random=false,/train.init=nat,/' 'changed.yaml:10:96: transfers.fc.set: a transfer begins from the run of its row; leave train.init=nat out'
study 's/  fc:/  fc-s2:/' "changed.yaml:9:5: transfers: 'fc-s2' could be taken for a seed; choose another name"
sed 's/name: conv1/name: first/; s/name: fc1/name: last/; /batch_norm/d' config.yaml >other.yaml
study 's/    config: config.yaml/    config: other.yaml/; s/freeze=.conv1./freeze=first/' \
    'changed.yaml:9:13: transfers.fc.config: no array of its network has the name and shape of one of row nat'
sed 's/^train: {/&init: nat, /' config.yaml >other.yaml
study 's/    config: config.yaml/    config: other.yaml/' 'it has train.init, so that a control, which begins with random values'

study 's/  nat: {config: config.yaml}/  nat: {config: config.yaml, transfer_set: [train.epochs=x]}/' \
    'changed.yaml:4:45: rows.nat.transfer_set: train.epochs must be '
study 's/  random: {of: nat,/  random: {of: nat, transfer_set: [train.epochs=2],/' \
    'a row has config, set and transfer_set, or of and features; leave one pair out'
refused 1 'study.yaml has no section quick, which says how the quick form is less' "$HISS" compare study.yaml --out new --quick
sed 's/^seeds: .*/seeds: [4, 5]/; s/  nat: {config: config.yaml}/  nat: {config: config.yaml, set: [train.steps=9], transfer_set: [train.steps=7]}/' study.yaml >quick.yaml
cat >>quick.yaml <<'END'
quick: {seeds: [6], rows: [train.steps=5], transfers: [train.steps=3]}
END
sed 's/train.steps=3/train.steps=x/' quick.yaml >changed.yaml
refused 1 'changed.yaml:18:56: quick.transfers: train.steps must be ' "$HISS" compare changed.yaml --out new --quick
sed 's/seeds: .6./seeds: x/' quick.yaml >changed.yaml
refused 1 'quick.seeds: ' "$HISS" compare changed.yaml --out new # also where it is not used

# ---- the quick form, and changes to the transfers of one row ----

on 1 "$HISS" compare quick.yaml --quick
[ $status -eq 0 ] || fail "quick: exit $status" log
[ "$(cd runs/quick-quick/runs && echo *)" = 'nat-s6 nat-s6-fc random-s6-fc' ] || fail "other runs: $(ls runs/quick-quick/runs)"
steps() { sed -n 's/^  steps: \([0-9]*\).*/\1/p' "$1/config.yaml" | tail -1; }
for run in nat-s6:5 nat-s6-fc:3 random-s6-fc:3; do
    [ "$(steps "runs/quick-quick/runs/${run%:*}")" = "${run#*:}" ] || fail "not ${run#*:} steps: ${run%:*}"
done
has runs/quick-quick/table.md '^# .*\(quick form\)'
has runs/quick-quick/table.md '^Transfers .*eval.layers=scores and then train.steps=3\.$'
"$HISS" compare quick.yaml --out full --submit --dry-run >log 2>&1 || fail 'no scripts' log
has full/jobs/runs.sbatch '^#SBATCH --array=1,2,3,4$'
"$HISS" compare quick.yaml --quick --submit --dry-run >log 2>&1 || fail 'no scripts' log

# ---- what begins from which run, and what is read where ----

on 1 "$HISS" compare study.yaml --out out --set keep=false
[ $status -eq 0 ] || fail "compare: exit $status" log
has log '^\[1/3\] nat-s4: linear [0-9.]+$'
has log '^\[2/3\] nat-s4-fc: classes [0-9.]+$'
has log '^\[3/3\] random-s4-fc: classes [0-9.]+$'
has out/runs/nat-s4-fc/log.txt 'init: [0-9]+ arrays from out/runs/nat-s4/ckpt/step-12.h5: .*conv1/weight'
has out/runs/nat-s4-fc/summary.yaml '^  init_sha256: [0-9a-f]{64}$'
! grep -q init_sha256 out/runs/random-s4-fc/summary.yaml || fail 'a control begins from a run' out/runs/random-s4-fc/summary.yaml
has out/runs/random-s4-fc/config.yaml '^  freeze:.*'
[ -z "$(ls -d out/runs/*/ckpt 2>/dev/null)" ] || fail 'checkpoints are left'
percent() { # percent RUN SUBJECT: its linear probe
    awk -v subject="{\"name\": \"$2\"" '
        index($0, subject) { on = 1 } on && (at = index($0, "\"percent\": ")) { print substr($0, at + 11) + 0; exit }' "out/runs/$1/eval.json"
}
csv() { awk -F, -v row="$1" -v column="$2" '$1 == row { print $column }' out/table.csv; }
expect() { # expect ROW COLUMN NUMBER
    [ -n "$3" ] && awk -v a="$(csv "$1" "$2")" -v b="$3" 'BEGIN { exit !(a - b < 1e-6 && b - a < 1e-6) }' ||
        fail "$1: $(csv "$1" "$2") is not '$3'" out/table.csv
}
expect nat 6 "$(percent nat-s4 trained/conv1)"
expect nat 8 "$(percent nat-s4-fc trained/scores)"
expect random 6 "$(percent nat-s4 random/conv1)"
expect random 8 "$(percent random-s4-fc trained/scores)"
[ -z "$(csv pixels 8)" ] || fail 'pixels have a transfer' out/table.csv
has out/table.md '^\| pixels \| .* \| - \| 1 of 1 \| 0 \| 0.0 \|$'
has out/runs.csv '^nat,4,fc,done,576,'
has out/curves.csv "^knn,random,5,1,[0-9.]+,$"
[ "$(grep -c '^knn,' out/curves.csv)" -eq 9 ] || fail 'not three rows of three points' out/curves.csv
has out/knn.svg '>k</text>'
has out/knn.svg '>k-NN by cosine, %</text>'
has out/table.html '<h2>knn: k-NN by cosine, % over k</h2>'
[ "$(grep -c '<svg' out/table.html)" -eq 2 ] || fail 'not two charts' out/table.html
has out/few.svg '>labels</text>'
[ "$(grep -o 'circle cx="[0-9.]*"' out/few.svg | sort | uniq -c | awk '{ print $1 }')" = 3 ] || fail 'one place is not one' out/few.svg

# ---- gone on with ----

# Its place written in another way, it is the same study; a transfer more needs the checkpoints that are gone.
cksum out/table.* out/*.csv out/*.svg out/runs/*/compare.yaml >before
on 1 "$HISS" compare study.yaml --out "$PWD/out" --set keep=false
[ $status -eq 0 ] && grep -q '^3 runs were there already$' log || fail "again: exit $status" log
cksum out/table.* out/*.csv out/*.svg out/runs/*/compare.yaml | cmp -s - before || fail 'the table has other bytes'
cp out/runs/nat-s4/summary.yaml trained.yaml
more=(--set 'transfers.all={config: config.yaml, set: [objective=supervised, train.epochs=1, eval.few_labels=false, eval.layers=scores]}')
on 1 "$HISS" compare study.yaml --out out --set keep=false "${more[@]}"
[ $status -eq 0 ] || fail "a transfer more: exit $status" log
[ "$(grep -c '^\[' log)" -eq 3 ] || fail 'not the row and what is new' log
has out/runs/nat-s4-all/log.txt 'init: [0-9]+ arrays from out/runs/nat-s4/ckpt/'
[ "$(grep ^parameters_sha256 trained.yaml)" = "$(grep ^parameters_sha256 out/runs/nat-s4/summary.yaml)" ] ||
    fail 'trained again, the row has other parameters'
[ -z "$(ls -d out/runs/*/ckpt 2>/dev/null)" ] || fail 'checkpoints are left'

# The other name of a method is the same config; what a transfer began from must be known.
sed 's/objective=supervised/objective=classify/' study.yaml >changed.yaml
on 1 "$HISS" compare changed.yaml --out out --set keep=false
[ $status -eq 0 ] && grep -q '^3 runs were there already$' log || fail "the other name: exit $status" log
mv out/runs/nat-s4-fc/source.yaml source.yaml
on 1 "$HISS" compare study.yaml --out out
[ $status -eq 2 ] && [ ! -e out/runs/nat-s4-fc/source.yaml ] || fail "no source: exit $status" log
has log '^\[2/3\] nat-s4-fc: FAILED: it has no source.yaml, which says what it began from: remove out/runs/nat-s4-fc$'
mv source.yaml out/runs/nat-s4-fc/

# A transfer of parameters that its row has no more.
sed -i 's/^parameters_sha256: .*/parameters_sha256: abcd/' out/runs/nat-s4-fc/source.yaml
on 1 "$HISS" compare study.yaml --out out
[ $status -eq 2 ] || fail "of other parameters: exit $status" log
has log '^\[2/3\] nat-s4-fc: FAILED: it began from other parameters than nat-s4 has now \(abcd..., now [0-9a-f]{8}...\): remove out/runs/nat-s4-fc$'
has out/table.md '^\| nat \| [^|]* \| - \| 0 of 1 \| 576 \|'

# ---- a row that fails, a transfer that is interrupted, and tasks ----

on 1 "$HISS" compare study.yaml --out failing --set 'rows.nat.set=[train.lane_samples=99]'
[ $status -eq 2 ] || fail "a row that fails: exit $status" log
has log '^\[2/3\] nat-s4-fc: not begun, for nat-s4 has failed$'
has log '^\[3/3\] random-s4-fc: classes '
has failing/table.md '^\| nat-s4-fc \| not begun: nat-s4 has failed \|$'

# Layers that are frozen, and are not of the row's run, would be random ones under its name.
sed 's/name: conv1/name: first/' config.yaml >renamed.yaml
on 1 "$HISS" compare study.yaml --out random --set transfers.fc.config=renamed.yaml \
    --set 'transfers.fc.set=[objective=classify, train.epochs=1, "train.freeze=[first]", eval.few_labels=false, eval.iterations=5, eval.layers=scores]'
[ $status -eq 2 ] || fail "a frozen layer of no row: exit $status" log
why="train.freeze: 'first' would stay at initial values: random/runs/nat-s4/ckpt/step-12.h5 has no first/weight"
has log "^\[2/3\] nat-s4-fc: FAILED: .*$why"
has random/table.md "^\| nat-s4-fc \| .*$why"
has random/table.md '^\| nat \| [^|]* \| - \|'

# Stopped in the transfer, the task goes back into the queue, unless it came no further.
mkdir bin
cat >launcher <<'END'
#!/bin/bash
[[ "$*" != *" train "*s4-fc* ]] || exit 85
exec "$@"
END
printf '#!/bin/bash\necho "$*" >>asked\n' >bin/scontrol
printf '#!/bin/bash\necho "${STATE:-RUNNING}"\n' >bin/squeue
chmod +x launcher bin/*
task() { # task STATUS: the first task, stopped in its transfer
    PATH=$PWD/bin:$PATH SLURM_ARRAY_JOB_ID=17 SLURM_ARRAY_TASK_ID=1 \
        on 1 "$HISS" compare study.yaml --out tasks --task 1 --requeue --set launch=[./launcher]
    [ $status -eq "$1" ] || fail "a task: exit $status instead of $1" log
}
on 1 "$HISS" compare study.yaml --out tasks --submit --dry-run
has tasks/jobs/runs.sbatch '^#SBATCH --array=1,2$'
has tasks/jobs/runs.sbatch '^#SBATCH --requeue$'
has tasks/jobs/runs.sbatch ' --task "\$SLURM_ARRAY_TASK_ID" --requeue$'
task 0
has log 'job 17_1 goes back into the queue'
[ "$(cat asked)" = 'requeue 17_1' ] && [ -e tasks/runs/nat-s4/compare.yaml ] && [ ! -e tasks/runs/nat-s4-fc/compare.yaml ] &&
    [ ! -e tasks/runs/random-s4-fc ] || fail 'the task has not done its row alone' log
export STATE=CANCELLED
task 85
has log 'not requeued: job 17_1 is CANCELLED'
unset STATE
task 0
task 85
has log 'not requeued: 2 restarts came no further'
[ "$(wc -l <asked)" -eq 2 ] || fail 'requeued too often' asked

# The rest of it, and then other judgements of a transfer: nothing is trained again.
on 1 "$HISS" compare study.yaml --out tasks
[ $status -eq 0 ] && [ "$(grep -c '^\[' log)" -eq 2 ] || fail "the rest: exit $status" log
has tasks/runs/nat-s4-fc/log.txt 'init: [0-9]+ arrays'
sha256sum tasks/runs/*/ckpt/*.h5 >before
sed 's/          eval.iterations=20,/          eval.iterations=3,/' study.yaml >changed.yaml
on 1 "$HISS" compare changed.yaml --out tasks
[ $status -eq 0 ] && [ "$(grep -c '^\[.*-fc: ' log)" -eq 2 ] && grep -q '^1 run was there already$' log ||
    fail "judged otherwise: exit $status" log
sha256sum tasks/runs/*/ckpt/*.h5 | cmp -s - before || fail 'what is judged otherwise was trained again'
has tasks/runs/nat-s4-fc/compare.yaml 'iterations: 3,'
refused 1 '--requeue has no effect without --task; leave it out' "$HISS" compare study.yaml --out tasks --requeue
echo ok
