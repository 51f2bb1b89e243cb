# hiss scale: a study on one and two ranks that is interrupted and goes on, its report, what makes it INVALID, points that
# fail, weak scaling, job scripts.
. "$HISS_ROOT/tests/cli/common"
small_run

has() {
    grep -qE -- "$2" "$1" || fail "$1 has no '$2'" "$1"
}

# ---- run, interrupt, go on ----

# Before a third run begins, wait to be ended; but not when the file `go` is there.
cat >launcher <<'END'
#!/bin/bash
echo started >>starts
[ "$(wc -l <starts)" -ne 3 ] || [ -e go ] || { echo waiting >waiting; exec sleep 60; }
exec "$@"
END
chmod +x launcher
cat >study.yaml <<'END'
name: "tiny & <quick>"
configs:
  tiny: {file: config.yaml}
ranks: [1, 2]
repeats: 2
steps: 24
warmup: 4
window: 2
quality: {metric: loss, value: 5}
launch: [./launcher, mpirun, -n, RANKS]
END
"$HISS" scale run study.yaml --out out >log 2>&1 &
study=$!
for ((k = 0; k < 300; k++)); do
    [ ! -e waiting ] || break
    sleep 0.1
done
[ -e waiting ] || fail 'no third run begins' log
refused 1 'out is in use by another hiss scale run' "$HISS" scale run study.yaml --out out
kill -TERM $study
status=0
wait $study || status=$?
[ $status -eq 85 ] || fail "interrupted: exit $status instead of 85" log
[ "$(ls out/points/*/point.yaml | wc -l)" -eq 2 ] || fail "not two finished runs: $(ls out/points/*)"
on 1 "$HISS" scale report out
[ $status -eq 0 ] || fail "report of half a study: exit $status" log
has log '2 done, 0 failed, 2 to do'

touch go
cksum out/points/*/point.yaml >before
on 1 "$HISS" scale run study.yaml --out out
[ $status -eq 0 ] || fail "going on: exit $status" log
has log '^2 runs were there already$'
[ "$(grep -c 'images/s, [0-9a-f]\{8\}$' log)" -eq 2 ] || fail 'not two more runs' log
[ "$(cksum out/points/*/point.yaml | grep -cFf before)" -eq 2 ] || fail 'finished runs were not kept'
[ -z "$(find out -name ckpt)" ] || fail 'checkpoints are left'

# ---- the report ----

on 1 "$HISS" scale report out
[ $status -eq 0 ] || fail "report: exit $status" log
has log '^VALID: '
has log '^tiny-1x1 +2 +[1-9][0-9]* .* 1\.00 \[1\.00, 1\.00\]  100\.0 '
has log '^tiny-2x1 +2 +[1-9]'
has log '^tiny-2x1 +[01] on [^ ]+ '
has log '^tiny +Amdahl +not fitted: 2 parameters need at least 3 points of different p, there are 2'
[ "$(sed -n 's/^tiny-[12]x1-r[12]  \([0-9a-f]\{64\}\) .*/\1/p' log | sort | uniq -c | awk '{ print $1 }')" = 4 ] ||
    fail 'not four equal hashes' log
[ "$(grep parameters_sha256 out/points/tiny-2x1-r1/summary.yaml)" = "$(sed -n 's/^tiny-2x1-r1  \([0-9a-f]*\).*/parameters_sha256: \1/p' log)" ] ||
    fail 'the hash is not that of the run' log
for file in report.html report.txt scaling.csv runs.csv scaling.json extrap-tiny.txt speedup.svg efficiency.svg breakdown.svg; do
    [ -s out/$file ] || fail "no out/$file"
done
has out/report.html '<h1>tiny &amp; &lt;quick&gt;</h1>'
has out/extrap-tiny.txt '^POINTS \(1\) \(2\)$'
has out/scaling.json '"hosts": \["[^"]+", "[^"]+"\]'
[ "$(grep -c '^  - {rank: [01], host: .*, compute: [0-9.]*, .*, wait: [0-9.]*, transfer: [0-9.]*' \
    out/points/tiny-2x1-r1/summary.yaml)" -eq 2 ] || fail 'no times of ranks' out/points/tiny-2x1-r1/summary.yaml
awk -F, 'NR > 1 && !($8 > 0 && $9 > 0 && $10 <= $9 && $9 <= $11 && $12 > 0) { exit 1 }' out/scaling.csv ||
    fail 'figures make no sense' out/scaling.csv

# ---- not to be trusted ----

sed -i 's/^parameters_sha256: ......../parameters_sha256: 00000000/' out/points/tiny-2x1-r2/summary.yaml
refused 1 'INVALID: tiny-2x1-r2 ends with parameters 00000000' "$HISS" scale report out
has log '^INVALID: '
has out/report.html 'class="verdict invalid"'
has out/scaling.json '"valid": false'
refused 1 "out holds another study ('steps: 24', now 'steps: 30')" "$HISS" scale run study.yaml --out out --set steps=30

# ---- points that fail; weak scaling, below an mpirun of one's own ----

on 1 "$HISS" scale run study.yaml --out failing --set repeats=1 --set ranks=2 --set launch='[mpirun, -n, RANKS]' \
    --set configs.tiny.set='[train.lane_samples=99]'
[ $status -eq 2 ] || fail "a failing point: exit $status" log
has log 'FAILED: exit 2; the end of its log: data.h5 has 600 samples: 12 lanes get shards of 50'
refused 1 'INVALID: no run has finished' "$HISS" scale report failing
has log '^tiny-2x1-r1  exit 2; the end of its log: data.h5 has 600'

sed 's/^launch.*//; s/^repeats.*/repeats: 1/' study.yaml >weak.yaml
on 1 mpirun -n 1 "$HISS" scale run weak.yaml --out weak --set kind=weak-batch --set 'configs.tiny.set=[train.lanes=3]'
[ $status -eq 0 ] || fail "weak scaling: exit $status" log
has weak/points/tiny-2x1-r1/config.yaml '^  lanes: 6$'
on 1 "$HISS" scale report weak
[ $status -eq 0 ] || fail "report of weak scaling: exit $status" log
has log '^VALID: all finished runs with as many lanes '
[ "$(cat weak/points/*/summary.yaml | grep parameters_sha256 | sort -u | wc -l)" -eq 2 ] || fail 'the same bits of other lanes'

# ---- job scripts ----

mkdir "it's here" bin
cat >bin/sbatch <<'END'
#!/bin/bash
echo "$*" >>submitted
echo $((100 + $(wc -l <submitted)))
END
chmod +x bin/sbatch
jobs=(submit study.yaml --out "it's here/out" --set 'nodes=[1, 3]' --set 'slurm.options=[--partition=x;y]')
on 1 "$HISS" scale "${jobs[@]}" --dry-run
[ $status -eq 0 ] && [ ! -e submitted ] || fail "submit --dry-run: exit $status" log
for job in nodes-1 nodes-3 report; do
    bash -n "it's here/out/jobs/$job.sbatch" || fail "$job.sbatch is no script" "it's here/out/jobs/$job.sbatch"
    has "it's here/out/jobs/$job.sbatch" '^#SBATCH --partition=x;y$'
done
has "it's here/out/jobs/nodes-3.sbatch" '^#SBATCH --nodes=3$'
has "it's here/out/jobs/nodes-3.sbatch" "'\\\\''s here/out' --nodes 3$"
PATH=$PWD/bin:$PATH on 1 "$HISS" scale "${jobs[@]}"
[ $status -eq 0 ] || fail "submit: exit $status" log
[ "$(sed -n 3p submitted)" = "--parsable --dependency=afterok:101:102 --kill-on-invalid-dep=yes $PWD/it's here/out/jobs/report.sbatch" ] ||
    fail 'the report does not wait for the points' submitted

# The script for one allocation, without a scheduler: the points of RANKS, then the report.
STUDY=weak.yaml OUT=job HISS=$HISS RANKS='1 2' MPIRUN_OPTIONS='--map-by slot' on 1 bash "$HISS_ROOT/jobs/scaling-strong.sbatch"
[ $status -eq 0 ] || fail "scaling-strong.sbatch: exit $status" log
has log '^VALID: '
has log '^tiny-2x1-n1 +1 '

# ---- mistakes ----

refused 1 "scale 'rnu': expected run" "$HISS" scale rnu study.yaml
refused 1 'scale run needs --out DIR' "$HISS" scale run study.yaml
refused 1 'weak.yaml holds no study' "$HISS" scale report weak.yaml
refused 2 'start it once, without mpirun' "$HISS" scale run study.yaml --out other
refused 1 'point tiny-13x1: 13 ranks, but train.lanes is 12' "$HISS" scale run study.yaml --out other --set ranks=[13]
refused 1 "--set configs.tiny.fil: unknown key" "$HISS" scale run study.yaml --out other --set configs.tiny.fil=x
refused 1 "did you mean 'train.lanes'" "$HISS" scale run study.yaml --out other --set 'configs.tiny.set=[train.lnes=2]'
refused 1 'the data file absent.h5 does not exist' "$HISS" scale run study.yaml --out other \
    --set 'configs.tiny.set=[data.file=absent.h5]'
[ ! -e other ] || fail 'a mistake leaves files'
echo ok
