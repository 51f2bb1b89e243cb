# A signal in the middle of a command: no temporary file stays, one line says what happened, and the exit code is the
# shell's for the signal. Every command that writes, caught while it writes.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.epochs=1
job=
trap 'kill -KILL $job 2>/dev/null || :' EXIT

# A disk that never finishes a temporary file with the name $STUCK.
cat >stuck.c <<'END_C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int fsync(int descriptor) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (readlink(link, path, sizeof path - 1) > 0 &&
        (strstr(path, ".tmp-") || strstr(path, ".hiss-doctor")) && strstr(path, getenv("STUCK"))) sleep(100);
    return 0;
}
END_C
"${CC:-cc}" -shared -fPIC -o stuck.so stuck.c
unfinished() { find . -name '.*.tmp-*' -o -name '.hiss-doctor*'; }

# caught SIGNAL NAME COMMAND...: sends it when there is a temporary file with NAME in its name.
caught() {
    local signal=$1 name=$2 k
    shift 2
    : >"$log"
    env --default-signal=INT,TERM,HUP LD_PRELOAD="$PWD/stuck.so" STUCK="$name" "$@" >"$log" 2>&1 &
    job=$!
    for ((k = 0; k < 3000; k++)); do
        unfinished | grep -q "$name" && break
        kill -0 $job 2>/dev/null || fail "ended before it wrote: $*" "$log"
        sleep 0.02
    done
    kill "-$signal" $job
    status=0
    wait $job || status=$?
    [ $status -eq $((128 + $(kill -l "$signal"))) ] || fail "SIG$signal: exit $status: $*" "$log"
    [ "$(grep -c 'hiss: ' "$log")" -le 12 ] && [ "$(grep -c "^hiss: interrupted (SIG$signal)\$" "$log")" -eq 1 ] ||
        fail "SIG$signal is not said in one line: $*" "$log"
    [ -z "$(unfinished)" ] || fail "SIG$signal leaves $(unfinished): $*" "$log"
}

for signal in INT TERM HUP; do
    caught $signal x.h5 "$HISS" prepare idx --images images.idx --labels labels.idx --output x.h5
    [ ! -e x.h5 ] || fail 'half a data set has its name'
done
mkdir pictures && cp run/../data.h5 pictures/not.txt
printf 'P5 4 4 255\n0123456789abcdef' >pictures/one.pgm
caught INT x.h5 "$HISS" prepare folder pictures --height 8 --width 8 --output x.h5
if grep -q HISS_HAS_ARCHIVE "$(dirname "$HISS")/flags"; then
    tar -cf one.tar -C pictures one.pgm
    caught TERM x.h5 "$HISS" prepare webdataset one.tar --height 8 --width 8 --output x.h5
fi
few=(--set eval.random=false --set eval.pixels=false --set eval.few_labels=false --set eval.linear=false
    --set eval.statistics=false)
caught TERM filters.png "$HISS" eval run "${few[@]}"
caught INT query.png "$HISS" query run --queries 2
caught INT x.json "$HISS" bench reduce --sizes 4KiB --seconds 0.001 --json x.json
caught TERM x.table "$HISS" bench kernels config.yaml --seconds 0.001 --save x.table
caught INT hiss-doctor "$HISS" doctor config.yaml --run new
caught TERM hiss-doctor "$HISS" doctor config.yaml --run new
printf 'configs: {a: {file: config.yaml}}\nranks: [1]\n' >study.yaml
caught INT study.yaml "$HISS" scale run study.yaml --out study
caught TERM study.yaml "$HISS" scale submit study.yaml --out study --dry-run
if [ -x "${HISS}-smpi" ]; then
    caught INT x.costs "$HISS" simulate config.yaml --synthetic --seconds 0.001 --costs x.costs --ranks 1
fi

# Before a checkpoint can be written, train ends like any other; a second SIGINT takes what is being written along.
caught HUP config.yaml "$HISS" train config.yaml --run early

# While it computes: a line, too. On several ranks rank 0 says it.
busy=(--set eval.iterations=100000 --set eval.draws=1000)
waiting() { # TEXT COMMAND...
    local text=$1 k
    shift
    : >"$log"
    env --default-signal=INT,TERM "$@" >"$log" 2>&1 &
    job=$!
    for ((k = 0; k < 3000; k++)); do
        ! grep -q "$text" "$log" || return 0
        sleep 0.02
    done
    fail "no '$text': $*" "$log"
}
for signal in INT TERM; do
    waiting 'judging run/ckpt' "$HISS" eval run "${busy[@]}"
    kill -$signal $job
    status=0
    wait $job || status=$?
    [ $status -eq $((128 + $(kill -l $signal))) ] || fail "SIG$signal: exit $status" log
    [ "$(grep -c "^hiss: interrupted (SIG$signal)\$" log)" -eq 1 ] || fail "SIG$signal: not one line" log
done
waiting 'judging run/ckpt' mpirun -n 2 "$HISS" eval run "${busy[@]}"
kill -TERM "$(awk -v parent=$job '$2 == "(hiss)" && $4 == parent { print $1; exit }' /proc/[0-9]*/stat 2>/dev/null)"
wait $job && fail 'a run whose rank was ended ends well' log
[ "$(grep -c "^hiss: interrupted (SIGTERM)\$" log)" -le 1 ] || fail 'said more than once' log

# Children go with their parent: sbatch that hangs, and the points of a study.
mkdir bin
printf '#!/bin/bash\necho $$ >%q/sbatch.pid\nexec sleep 100\n' "$PWD" >bin/sbatch
chmod +x bin/sbatch
: >log
PATH=$PWD/bin:$PATH env --default-signal=INT "$HISS" scale submit study.yaml --out study >log 2>&1 &
job=$!
for ((k = 0; k < 1000; k++)); do [ ! -s sbatch.pid ] || break && sleep 0.02; done
kill -INT $job
status=0
wait $job || status=$?
[ $status -eq 130 ] && grep -q '^hiss: interrupted (SIGINT)$' log || fail "submit: exit $status" log
for ((k = 0; k < 250; k++)); do kill -0 "$(cat sbatch.pid)" 2>/dev/null || break && sleep 0.02; done
! kill -0 "$(cat sbatch.pid)" 2>/dev/null || fail 'sbatch outlives hiss'

: >log
env --default-signal=INT "$HISS" scale run study.yaml --out endless --set "configs.a.set=[train.epochs=1000000]" >log 2>&1 &
job=$!
for ((k = 0; k < 1000; k++)); do ! compgen -G 'endless/points/*/metrics.jsonl' >/dev/null || break && sleep 0.02; done
kill -INT $job
status=0
wait $job || status=$?
[ $status -eq 85 ] || fail "scale run: exit $status" log
grep -q '^hiss: stopped on request; the same command goes on' log || fail 'a study that is stopped says nothing' log
echo ok
