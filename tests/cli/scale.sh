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
: >log
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
[ $status -eq 2 ] || fail "report of half a study: exit $status" log
has log '2 done, 0 failed, 2 to do'
has log '^INCOMPLETE: 2 of 4 runs are still to do'

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
for fact in report 'runs ended' hosts processor memory MPI compiler commit; do
    has out/report.txt "^$fact  *[^ ]"
    has out/report.html "<td class=\"text\">$fact</td><td class=\"text\">[^<]"
done
has out/scaling.json '"compiler": "[^"]'
has out/scaling.json '"hosts": \["[^"]+", "[^"]+"\]'
[ "$(grep -c '^  - {rank: [01], host: .*, compute: [0-9.]*, .*, wait: [0-9.]*, transfer: [0-9.]*' \
    out/points/tiny-2x1-r1/summary.yaml)" -eq 2 ] || fail 'no times of ranks' out/points/tiny-2x1-r1/summary.yaml
awk -F, 'NR > 1 && !($8 > 0 && $9 > 0 && $10 <= $9 && $9 <= $11 && $12 > 0) { exit 1 }' out/scaling.csv ||
    fail 'figures make no sense' out/scaling.csv

# ---- more points and repeats: finished runs are kept, and nothing else may change ----

cksum out/points/*/point.yaml >before
refused 1 "out holds another study ('steps: 24', now 'steps: 30')" "$HISS" scale run study.yaml --out out --set steps=30 --set ranks=[1,2,3]
refused 1 'out holds another study (another configs.tiny.set)' "$HISS" scale run study.yaml --out out --set 'configs.tiny.set=[seed=4]'
refused 1 'out holds another study (point tiny-1x1, which is not there now' "$HISS" scale run study.yaml --out out --set ranks=[2,3]
cmp -s <(cksum out/points/*/point.yaml) before || fail 'a refused study has changed the runs'
on 1 "$HISS" scale run study.yaml --out out --set ranks=[1,3,2] --set repeats=1
[ $status -eq 0 ] || fail "a point more: exit $status" log
has log '^2 runs were there already$'
has log 'tiny-3x1-r1: [1-9][0-9]* images/s, '
[ "$(cksum out/points/*/point.yaml | grep -cFf before)" -eq 4 ] || fail 'finished runs were not kept'
on 1 "$HISS" scale report out
[ $status -eq 0 ] || fail "report of an extended study: exit $status" log
has log '^VALID: '
on 1 "$HISS" scale run study.yaml --out out --set ranks=[1,2,3] --set repeats=2
[ $status -eq 0 ] && grep -q '^5 runs were there already$' log || fail "repeats again: exit $status" log

# ---- not to be trusted ----

sed -i 's/^parameters_sha256: ......../parameters_sha256: 00000000/' out/points/tiny-2x1-r2/summary.yaml
refused 1 'INVALID: tiny-2x1-r2 ends with parameters 00000000' "$HISS" scale report out
has log '^INVALID: '
has out/report.html 'class="verdict invalid"'
has out/scaling.json '"valid": false'
# A point that did not run on the nodes that the study asks for.
on 1 "$HISS" scale run study.yaml --out elsewhere --set repeats=1 --set nodes=[1,2] --set launch='[mpirun, -n, RANKS]'
[ $status -eq 2 ] || fail "a point on the wrong nodes: exit $status" log
refused 1 'INVALID: tiny-2x1-n2-r1 failed: ran on 1 node (' "$HISS" scale report elsewhere
has log '^tiny-1x1-n1-r1  [0-9a-f]{64} '

# ---- threads: on cores of their own where there are enough; else a warning that reaches the report ----

sed '/^launch/d' study.yaml >plain.yaml
cores=$(cat /sys/devices/system/cpu/cpu*/topology/thread_siblings_list 2>/dev/null | sort -u | wc -l)
if [ "$(nproc)" -ge 2 ] && [ "$cores" -ne 1 ]; then
    on 1 env -u OMPI_MCA_hwloc_base_binding_policy -u PRTE_MCA_hwloc_default_binding_policy \
        "$HISS" scale run plain.yaml --out hybrid --set repeats=1 --set ranks=1 --set threads=2
    [ $status -eq 0 ] || fail "a hybrid point: exit $status" log
    ! grep -E 'oversubscribed|fewer cores' hybrid/points/tiny-1x2-r1/log.txt || fail 'threads of a rank share a core'
fi
on 1 taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" \
    "$HISS" scale run plain.yaml --out crowded --set repeats=1 --set ranks=1 --set threads=2
[ $status -eq 0 ] || fail "two threads on a core: exit $status" log
on 1 "$HISS" scale report crowded
has log '^What runs were warned of$'
has log '^tiny-1x2  1  .*: 1 rank x 2 threads on 1 core: oversubscribed'
has crowded/report.html '1 rank x 2 threads on 1 core: oversubscribed'

# ---- programs that are not there ----

refused 1 'no-such-launcher cannot be started: there is no such program in PATH' "$HISS" scale run study.yaml --out absent --set launch='[no-such-launcher]'
[ -z "$(ls absent/points)" ] || fail 'runs of a launcher that is not there'
for act in 'rm -f there/hiss' 'cp -f there/hiss there/new && mv -f there/new there/hiss'; do
    mkdir -p there && cp "$HISS" there/hiss
    printf '#!/bin/bash\n"$@"\ncode=$?\n%s\nexit $code\n' "$act" >launcher
    on 1 there/hiss scale run study.yaml --out gone --set ranks=1 --set launch='[./launcher, mpirun, -n, RANKS]'
    [ $status -eq 2 ] && [ "$(grep -c 'hiss: error: .*there/hiss ' log)" -eq 1 ] || fail "$act: exit $status" log
    [ "$(ls gone/points)" = tiny-1x1-r1 ] || fail "$act: the study goes on" log
    rm -rf gone
done
# A launcher that cannot find the program says more than its exit code, 132.
on 1 "$HISS" scale run study.yaml --out lost --set repeats=1 --set ranks=1 --set launch='[mpirun, -n, RANKS, /no/such]'
[ $status -eq 2 ] || fail "mpirun of a program that is not there: exit $status" log
has log 'FAILED: exit [0-9]+.*: .*(could not|not|unable).*/no/such'

# ---- points that fail; weak scaling, below an mpirun of one's own ----

on 1 "$HISS" scale run study.yaml --out failing --set repeats=1 --set ranks=2 --set launch='[mpirun, -n, RANKS]' \
    --set configs.tiny.set='[train.lane_samples=99]'
[ $status -eq 2 ] || fail "a failing point: exit $status" log
has log 'FAILED: exit 2: --set configs.tiny.set: train.lane_samples: data.h5 has 600 samples: 12 lanes get shards of 50'
refused 1 'INVALID: tiny-2x1-r1 failed: exit 2: failing/study.yaml:' "$HISS" scale report failing
has log '^tiny-2x1-r1  exit 2: failing/study.yaml:[0-9]+:[0-9]+: configs.tiny.set: train.lane_samples: data.h5 has 600'

sed 's/^launch.*//; s/^repeats.*/repeats: 1/' study.yaml >weak.yaml
on 1 mpirun -n 1 "$HISS" scale run weak.yaml --out weak --set kind=weak-batch --set 'configs.tiny.set=[train.lanes=3]'
[ $status -eq 0 ] || fail "weak scaling: exit $status" log
has weak/points/tiny-2x1-r1/config.yaml '^  lanes: 6$'
on 1 "$HISS" scale report weak
[ $status -eq 0 ] || fail "report of weak scaling: exit $status" log
has log '^VALID: all runs with as many lanes '
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

# A sbatch that refuses: its own words, what to do, and what is in the queue already.
mkdir no
cat >no/sbatch <<'END'
#!/bin/bash
[ ! -e first ] || { rm first && echo 7 && echo 'sbatch: a word of warning' >&2 && exit 0; }
printf '%s' "$SAYS" >&2
exit 1
END
chmod +x no/sbatch
says=$'sbatch: error: invalid partition specified: x;y\nsbatch: error: Batch job submission failed: Invalid partition name specified\n'
line='sbatch: exit 1: sbatch: error: invalid partition specified: x;y; sbatch: error: Batch job submission failed: Invalid partition name specified; correct slurm.options of the study (partition, account, time), or hand over '
PATH=$PWD/no:$PATH SAYS=$says refused 1 "$line$PWD/it's here/out/jobs/nodes-1.sbatch by yourself" "$HISS" scale "${jobs[@]}"
! grep -q 'in the queue' log || fail 'no job is in the queue' log
touch first
PATH=$PWD/no:$PATH SAYS=$says refused 1 'the jobs above are in the queue: scancel them' "$HISS" scale "${jobs[@]}"
has log '^job 7: '
has log 'warning: sbatch says: sbatch: a word of warning$'
PATH=$PWD/no:$PATH SAYS='' refused 1 'sbatch: exit 1 without a word; correct' "$HISS" scale "${jobs[@]}"
refused 1 'sbatch: exit 127: sbatch cannot be started: No such file or directory; correct' env "PATH=$PWD/nowhere" "$HISS" scale "${jobs[@]}"
status=0
PATH=$PWD/no:$PATH SAYS=$says RUN=run bash "$HISS_ROOT/jobs/chain.sh" 2 >log 2>&1 || status=$?
[ $status -eq 2 ] || fail "chain.sh: exit $status" log
has log '^sbatch: error: invalid partition specified'
has log '^chain.sh: sbatch refused piece 1 of 2 and says above why: correct its options$'

# A script whose program is gone.
mkdir -p there && cp "$HISS" there/hiss
on 1 there/hiss scale submit study.yaml --out late --dry-run
rm there/hiss
refused 1 'the program of this study is not there any more' bash late/jobs/nodes-1.sbatch

# The script for one allocation, without a scheduler: the points of RANKS, then the report.
STUDY=weak.yaml OUT=job HISS=$HISS RANKS='1 2' MPIRUN_OPTIONS='' on 1 bash "$HISS_ROOT/jobs/scaling-strong.sbatch"
[ $status -eq 0 ] || fail "scaling-strong.sbatch: exit $status" log
has log '^VALID: '
has log '^tiny-2x1-n1 +1 '

for kind in strong weak; do
    HISS=./no-hiss on 1 bash "$HISS_ROOT/jobs/scaling-$kind.sbatch"
    [ $status -eq 2 ] && [ "$(wc -l <log)" -eq 1 ] && grep -q '^hiss: error: HISS=./no-hiss: no such program' log ||
        fail "scaling-$kind.sbatch without a program: exit $status" log
done

# ---- mistakes ----

refused 1 "scale 'rnu': expected run" "$HISS" scale rnu study.yaml
refused 1 'scale run needs --out DIR' "$HISS" scale run study.yaml
refused 1 'weak.yaml holds no study' "$HISS" scale report weak.yaml
refused 2 'start it once, without mpirun' "$HISS" scale run study.yaml --out other
refused 1 'point tiny-13x1: 13 ranks x 1 threads, but train.lanes is 12' "$HISS" scale run study.yaml --out other --set ranks=[13]
refused 1 'point tiny-2x7: 2 ranks x 7 threads, but train.lanes is 12' "$HISS" scale run study.yaml --out other --set threads=[1,7]
refused 1 "--set configs.tiny.fil: unknown key" "$HISS" scale run study.yaml --out other --set configs.tiny.fil=x
refused 1 "did you mean 'train.lanes'" "$HISS" scale run study.yaml --out other --set 'configs.tiny.set=[train.lnes=2]'
refused 1 'the data file absent.h5 does not exist' "$HISS" scale run study.yaml --out other \
    --set 'configs.tiny.set=[data.file=absent.h5]'
[ ! -e other ] || fail 'a mistake leaves files'
echo ok
