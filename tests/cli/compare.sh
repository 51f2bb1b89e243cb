# hiss compare: methods and seeds in one table; interrupted, killed and gone on with; what fails, what has changed, and
# what is found before the first training.
. "$HISS_ROOT/tests/cli/common"
small_run

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"
}

cat >study.yaml <<'END'
name: "tiny & <quick>"
seeds: [1, 2]
base:
  - train.epochs=2
  - eval.few_labels=false
  - eval.iterations=100
  - eval.layers=conv1,fc1
rows:
  nat: {config: config.yaml}
  autoencoder: {config: config.yaml, set: [objective=autoencoder, train.lanes=6]}
  random: {of: nat, features: random}
  pixels: {of: nat, features: raw}
columns:
  linear fc1: {reading: trained/fc1/linear.percent}
  5-NN conv1: {reading: trained/conv1/knn.cosine.5}
  rank: {reading: trained/fc1/statistics.participation_ratio, best: none}
published:
  name: lecture
  values: {nat: 36.0, autoencoder: 20, random: 20}
control: random
END

# ---- what is found before the first training ----

mistake() {
    local text=$1
    shift
    refused 1 "$text" "$HISS" compare study.yaml --out new "$@"
    [ ! -e new ] || fail "a mistake leaves files: $*" log
}
study() { # study SED TEXT: the study, changed
    sed "$1" study.yaml >changed.yaml
    ! cmp -s study.yaml changed.yaml || fail "the study does not change by $1"
    refused 1 "$2" "$HISS" compare changed.yaml --out new
    [ ! -e new ] || fail "a mistake leaves files: $1" log
}
study 's/train.epochs/train.epohs/' "changed.yaml:4:5: base: train.epohs: unknown key 'train.epohs'; did you mean 'train.epochs'?"
study 's/train.lanes=6/train.lanes=x/' 'changed.yaml:10:67: rows.autoencoder.set: train.lanes must be an integer'
study '0,/config.yaml/s//absent.yaml/' 'changed.yaml:9:17: rows.nat.config: the config absent.yaml does not exist'
study 's/objective=autoencoder/objective=autoencodr/' "did you mean 'autoencoder'?"
study 's,trained/fc1/linear,trained/fc2/linear,' \
    "changed.yaml:14:25: columns.linear fc1.reading: no row will have 'trained/fc2/linear.percent': there is no layer fc2 among those that are judged: conv1,fc1"
study 's,fc1/linear,fc1/linaer,' 'there is no judgement linaer; did you mean linear?'
study 's,trained/fc1/linear,trained/linear,' 'linear judges layers: write trained/LAYER/linear.percent'
study 's/eval.few_labels=false/eval.knn=false/' "columns.5-NN conv1.reading: no row will have 'trained/conv1/knn.cosine.5': eval.knn is false"
study 's/layers=conv1,fc1/layers=conv1,fc9/' "eval.layers: layer 'fc9' is not in this network; it has conv1, fc1, z; choose with eval.layers (run nat-s1)"
study 's/eval.few_labels=false/data.file=absent.h5/' 'the data file absent.h5 does not exist'
study 's/control: random/control: rando/' "changed.yaml:20:10: control: expected the name of a row, found 'rando'; did you mean 'random'?"
study 's/nat: 36.0/nta: 36.0/' "changed.yaml:19:17: published.values: expected the name of a row, found 'nta'; did you mean 'nat'?"
study 's/eval.few_labels=false/eval.random=false/' \
    'changed.yaml:11:16: rows.random.of: row random will have no reading of row nat: eval.random is false'
mistake '--set seeds: seeds: expected different integers from 0' --set seeds=[1,1]
mistake "--set rows.z.of: expected an earlier row that has a config, found 'nta'; did you mean 'nat'?" --set rows.z.of=nta
refused 1 'compare needs a study' "$HISS" compare
refused 1 'the study absent.yaml does not exist' "$HISS" compare absent.yaml
refused 2 'start it once, without mpirun' "$HISS" compare study.yaml --out new
refused 1 'new does not exist: there is nothing to make a table of' "$HISS" compare study.yaml --out new --table

# ---- asked to stop while a run trains, and gone on with ----

long=(--set 'base=[train.epochs=300,eval.few_labels=false,"eval.layers=conv1,fc1"]' --set 'seeds=[4]')
until_trains() { # until_trains RUN: it has a checkpoint
    for ((k = 0; k < 600; k++)); do
        ! ls "$1"/ckpt/step-*.h5 >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    fail "$1 does not train" log
}
begin() { # begin COMMAND...: in the background; sets study
    "$@" >log 2>&1 &
    study=$!
}
sed '/autoencoder: /d; /^published/,$d' study.yaml >one.yaml
begin "$HISS" compare one.yaml --out stopped "${long[@]}"
until_trains stopped/runs/nat-s4
kill -TERM $study
status=0
wait $study || status=$?
[ $status -eq 85 ] || fail "asked to stop: exit $status instead of 85" log
has log 'the same command goes on with the run that was interrupted'
[ ! -e stopped/runs/nat-s4/compare.yaml ] || fail 'a run that was interrupted counts as ended'

# Killed: what it started ends by itself.
begin "$HISS" compare one.yaml --out stopped "${long[@]}"
has_resumed() { grep -q 'resumed from' stopped/runs/nat-s4/log.txt 2>/dev/null; }
for ((k = 0; k < 600; k++)); do
    ! has_resumed || break
    sleep 0.1
done
has_resumed || fail 'training does not go on' stopped/runs/nat-s4/log.txt
kill -KILL $study
wait $study 2>/dev/null || :
on 1 "$HISS" compare one.yaml --out stopped "${long[@]}"
[ $status -eq 0 ] || fail "after a kill: exit $status" log
has log '^\[1/1\] nat-s4: linear fc1 [0-9.]+, '
train 1 plain --set train.epochs=300 --set seed=4
same plain stopped/runs/nat-s4
images=$((300 * 12 * 12 * 4))
has stopped/table.md "^Equal budget: every trained row has seen $images images\.$"
# Of all its pieces: at the rate of the run that was not interrupted, about.
awk -F, -v plain="$(sed -n 's/^seconds: //p' plain/summary.yaml)" 'NR == 2 && !($5 > plain / 8 && $5 < 8 * plain) { exit 1 }' \
    stopped/table.csv || fail 'seconds of training make no sense' stopped/table.csv

# ---- the table ----

on 1 "$HISS" compare study.yaml --out out
[ $status -eq 0 ] || fail "compare: exit $status" log
[ "$(grep -c '^\[[1-4]/4\] ' log)" -eq 4 ] || fail 'not four runs' log
for file in table.md table.csv table.json table.html pictures.html table.txt runs.csv study.yaml; do
    [ -s out/$file ] || fail "no out/$file"
done
# A number of eval.json, of the subject that its row reads.
number() { # number RUN SUBJECT KEY
    awk -v subject="{\"name\": \"$2\"" -v key="\"$3\": " '
        index($0, subject) { on = 1 } on && (at = index($0, key)) { print substr($0, at + length(key)) + 0; exit }' "out/runs/$1/eval.json"
}
csv() { awk -F, -v row="$1" -v column="$2" '$1 == row { print $column }' out/table.csv; }
check() { # check ROW COLUMN RUN SUBJECT KEY: mean and standard deviation of both seeds
    local a b
    a=$(number "$3-s1" "$4" "$5") b=$(number "$3-s2" "$4" "$5")
    [ -n "$a" ] && [ -n "$b" ] || fail "no $5 of $4 in eval.json"
    awk -v a="$a" -v b="$b" -v mean="$(csv "$1" "$2")" -v spread="$(csv "$1" $(($2 + 1)))" 'BEGIN {
        want = (a > b ? a - b : b - a) / sqrt(2)
        exit !(mean - (a + b) / 2 < 1e-6 && (a + b) / 2 - mean < 1e-6 && spread - want < 1e-6 && want - spread < 1e-6) }' ||
        fail "$1: $a and $b are not $(csv "$1" "$2") and $(csv "$1" $(($2 + 1)))" out/table.csv
}
check nat 6 nat trained/fc1 percent
check autoencoder 6 autoencoder trained/fc1 percent
check random 6 nat random/fc1 percent
check pixels 6 nat raw/pixels percent
check nat 10 nat trained/fc1 participation_ratio
[ "$(csv nat 2),$(csv nat 3),$(csv nat 4),$(csv autoencoder 4),$(csv pixels 4)" = 2,2,1152,1200,0 ] ||
    fail 'runs and images are wrong' out/table.csv
has out/table.md '^Budgets differ: rows have seen other numbers of images \(nat 1152, autoencoder 1200\)\.$'
[ "$(grep -c '\*\*' out/table.md)" -ge 1 ] || fail 'nothing is marked' out/table.md
has out/table.md '^†: not better than random\.$'
for row in nat autoencoder; do
    [ "$(grep -c "<h3>$row</h3><img alt=\"$row\" src=\"data:image/png;base64,iVBOR" out/pictures.html)" -ge 2 ] ||
        fail "not the pictures of $row" out/pictures.html
done
[ "$(grep -c '<h2>Nearest neighbours</h2>' out/pictures.html)" -eq 1 ] || fail 'pictures are not side by side' out/pictures.html
has out/table.html '<a href="pictures.html">'
has out/table.html '<h1>tiny &amp; &lt;quick&gt;</h1>'
has out/table.json '"rank_correlation": [-0-9.]+, "rank_correlation_rows": 3'
has out/runs.csv '^pixels,2,,done,0,0,[0-9.]+,[0-9.]+,[0-9.]+,,""$'
[ "$(grep -c "$(sed -n 's/^parameters_sha256: //p' out/runs/nat-s2/summary.yaml)" out/runs.csv)" -eq 1 ] ||
    fail 'the hash is not that of the run' out/runs.csv

# Made again from the same runs, it has the same bytes; nothing is trained.
cksum out/table.* out/runs.csv out/runs/*/compare.yaml >before
on 1 "$HISS" compare study.yaml --out out
[ $status -eq 0 ] && grep -q '^4 runs were there already$' log || fail "again: exit $status" log
cksum out/table.* out/runs.csv out/runs/*/compare.yaml | cmp -s - before || fail 'the table has other bytes'
on 1 "$HISS" compare study.yaml --out out --table
[ $status -eq 0 ] || fail "--table: exit $status" log
cksum out/table.* out/runs.csv out/runs/*/compare.yaml | cmp -s - before || fail '--table makes another table'

exec 9>>out/.lock
flock 9
refused 1 'out is in use by another hiss compare; wait for it' "$HISS" compare study.yaml --out out
exec 9>&-
# A task makes the folder when it is the first to come; a place that can be none is called so, and not busy.
on 1 "$HISS" compare study.yaml --out first/task --task 1
[ $status -eq 0 ] && [ -e first/task/runs/nat-s1/compare.yaml ] || fail "a task alone: exit $status" log
for task in '' '--task 1'; do
    # shellcheck disable=SC2086
    refused 1 'data.h5/out' "$HISS" compare study.yaml --out data.h5/out $task
    ! grep -q 'in use' log || fail 'a file in the way is called a process' log
done

# ---- changed ----

sed 's/nat: {config: config.yaml}/nat: {config: config.yaml, set: [optim.lr=0.3]}/' study.yaml >changed.yaml
refused 1 "changed.yaml:9:17: rows.nat.config: out/runs/nat-s1 was made by another config (in section optim, 'lr: 0.1', now 'lr: 0.3')" \
    "$HISS" compare changed.yaml --out out
cksum out/table.* out/runs.csv out/runs/*/compare.yaml | cmp -s - before || fail 'a refused study has changed something'
# Another seed is trained; what is judged otherwise is not trained again.
on 1 "$HISS" compare study.yaml --out out --set seeds=[1,2,3]
[ $status -eq 0 ] && grep -q '^4 runs were there already$' log || fail "a seed more: exit $status" log
[ "$(csv nat 2)" = 3 ] || fail 'not three runs' out/table.csv
sha256sum out/runs/*/ckpt/*.h5 >before
on 1 "$HISS" compare study.yaml --out out --set 'rows.nat.set=[eval.iterations=3]'
[ $status -eq 0 ] && [ "$(grep -c '^\[.*\] nat-s' log)" -eq 2 ] || fail "judged otherwise: exit $status" log
sha256sum out/runs/*/ckpt/*.h5 | cmp -s - before || fail 'what is judged otherwise was trained again'
has out/runs/nat-s1/compare.yaml 'iterations: 3,'

# ---- a run that fails, a reading that is not there, two ranks ----

on 1 "$HISS" compare study.yaml --out failing --set seeds=[1] --set 'rows.nat.set=[train.lane_samples=99]'
[ $status -eq 2 ] || fail "a run that fails: exit $status" log
has log '^\[1/2\] nat-s1: FAILED: hiss train: exit 2: --set rows.nat.set: train.lane_samples: data.h5 has 600 samples'
has log '^\[2/2\] autoencoder-s1: linear fc1 [0-9.]+, '
has log 'hiss: error: 1 run failed; failing/table.txt says why'
has failing/table.md '^\| nat-s1 \| hiss train: exit 2: '
has failing/table.md '^\| nat \| - \| - \| - \| 36.00 \| 0 of 1 \| - \| - \|$'
has failing/table.md '^\| autoencoder \| .* \| 1 of 1 \| 1200 \| '

sed 's/participation_ratio/rank/' study.yaml >changed.yaml
refused 1 "columns.rank.reading: no row will have 'trained/fc1/statistics.rank': none/runs/nat-s1/eval.json has participation_ratio, " \
    "$HISS" compare changed.yaml --out none
[ "$(ls none/runs)" = nat-s1 ] || fail 'other runs follow a reading that is not there' log

on 1 "$HISS" compare study.yaml --out two --set seeds=[1] --set ranks=2 --set keep=false
[ $status -eq 0 ] || fail "two ranks: exit $status" log
has two/runs/nat-s1/summary.yaml '^  ranks: 2$'
[ ! -e two/runs/nat-s1/ckpt ] || fail 'checkpoints are left'
for row in nat autoencoder; do
    same two/runs/$row-s1 out/runs/$row-s1
done

# A training that ends before its time limit ends the study as well.
printf '#!/bin/bash\nexit 85\n' >launcher
chmod +x launcher
on 1 "$HISS" compare study.yaml --out late --set launch=[./launcher]
[ $status -eq 85 ] && [ "$(ls late/runs)" = nat-s1 ] && [ ! -e late/runs/nat-s1/compare.yaml ] ||
    fail "a training for want of time: exit $status" log
refused 1 'no-such-launcher cannot be started: there is no such program in PATH' \
    "$HISS" compare study.yaml --out late --set launch=[no-such-launcher]

# ---- a job array ----

mkdir "it's here" bin
cat >bin/sbatch <<'END'
#!/bin/bash
echo "$*" >>submitted
echo $((100 + $(wc -l <submitted)))
END
chmod +x bin/sbatch
array=("$HISS" compare study.yaml --out "it's here/out" --submit --set 'slurm.options=[--partition=x;y]')
on 1 "${array[@]}" --dry-run
[ $status -eq 0 ] && [ ! -e submitted ] || fail "--submit --dry-run: exit $status" log
for job in runs table; do
    bash -n "it's here/out/jobs/$job.sbatch" || fail "$job.sbatch is no script" "it's here/out/jobs/$job.sbatch"
    has "it's here/out/jobs/$job.sbatch" '^#SBATCH --partition=x;y$'
done
has "it's here/out/jobs/runs.sbatch" '^#SBATCH --array=1,2,3,4$'
# Tasks of it, side by side; then what is left, and the table.
SLURM_ARRAY_TASK_ID=3 bash "it's here/out/jobs/runs.sbatch" >other 2>&1 &
task=$!
SLURM_ARRAY_TASK_ID=2 on 1 bash "it's here/out/jobs/runs.sbatch"
wait $task || fail 'task 3 fails' other
[ $status -eq 0 ] || fail "task 2: exit $status" log
has log '^\[2/4\] autoencoder-s1: '
has other '^\[3/4\] nat-s2: '
[ ! -e "it's here/out/table.md" ] || fail 'a task writes the table'
PATH=$PWD/bin:$PATH on 1 "${array[@]}"
[ $status -eq 0 ] || fail "--submit: exit $status" log
has "it's here/out/jobs/runs.sbatch" '^#SBATCH --array=1,4$'
[ "$(sed -n 2p submitted)" = "--parsable --dependency=afterany:101 --kill-on-invalid-dep=yes $PWD/it's here/out/jobs/table.sbatch" ] ||
    fail 'the table does not wait for the runs' submitted
on 1 bash "it's here/out/jobs/table.sbatch"
[ $status -eq 0 ] || fail "the job of the table: exit $status" log
has "it's here/out/table.md" ' 2 runs done, 0 failed, 2 to do\.'
same "it's here/out/runs/nat-s2" out/runs/nat-s2
refused 1 '--task 5: the study has 4 tasks' "$HISS" compare study.yaml --out out --task 5
refused 1 '--dry-run has no effect without --submit; leave it out' "$HISS" compare study.yaml --out out --dry-run
echo ok
