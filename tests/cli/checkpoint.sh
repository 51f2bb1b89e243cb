# Checkpoints: written beside training without touching its bits, kept and dropped by the rules, surviving full disks,
# and the ways in which a run ends early: signals and time limits.
. "$HISS_ROOT/tests/cli/common"
small_run
job=
mounted=
trap 'umount $mounted 2>/dev/null || :; kill $job 2>/dev/null || :' EXIT

# A disk on which every fsync of a checkpoint takes $SLOW_FSYNC seconds.
cat >slow.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int fsync(int descriptor) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (readlink(link, path, sizeof path - 1) > 0 && strstr(path, "step-")) usleep((useconds_t)(1e6 * atof(getenv("SLOW_FSYNC"))));
    return 0;
}
END
"${CC:-cc}" -shared -fPIC -o slow.so slow.c
slow=(env LD_PRELOAD="$PWD/slow.so")
number() { sed -n "s/^  $2: //p" "$1/summary.yaml"; }

# ---- in the middle of epochs, on other numbers of ranks: the same bits, with every kind of state ----

variants=("assign.every=1 optim.method=adam optim.momentum=0 optim.lr=0.002" "assign.scope=dataset assign.block=100 assign.rounds=2"
    "assign.async=true assign.every=1 data.mode=stream" "objective=autoencoder" "objective=supervised")
for k in "${!variants[@]}"; do
    sets=(--set train.epochs=3)
    for setting in ${variants[k]}; do sets+=(--set "$setting"); done
    train 1 "plain-$k" "${sets[@]}" --set checkpoint.every=never
    [ "$(ls -A "plain-$k/ckpt")" = step-36.h5 ] || fail "never: $(ls -A "plain-$k/ckpt")" log
    train $((k % 3 + 2)) "often-$k" "${sets[@]}" --set 'checkpoint.every=0.001 s' --set 'checkpoint.keep_every=10 steps'
    same "plain-$k" "often-$k"
    [ "$(number "often-$k" written)" -ge 4 ] || fail 'few checkpoints' "often-$k/summary.yaml"
    train $((k % 2 + 2)) "on-$k" "${sets[@]}" --resume "often-$k/ckpt/step-$((k % 2 * 10 + 10)).h5"
    same "plain-$k" "on-$k"
done

# ---- which stay ----

train 2 kept --set 'checkpoint.every=1 step' --set 'checkpoint.keep_every=2 epochs' --set checkpoint.keep=1
[ "$(ls -A kept/ckpt | tr '\n' ' ')" = 'step-24.h5 step-48.h5 step-60.h5 ' ] || fail "kept: $(ls -A kept/ckpt)" log
head -c -90 kept/ckpt/step-60.h5 | sha256sum | cut -c1-64 | cmp -s - <(tail -c 65 kept/ckpt/step-60.h5) ||
    fail 'the last line is not the checksum of what precedes it'

# ---- slow disks: left out while one is being written, and training does not wait ----

SLOW_FSYNC=0.1 on 1 "${slow[@]}" "$HISS" train config.yaml --run skipping --set 'checkpoint.every=1 step'
[ $status -eq 0 ] || fail "exit $status on a slow disk" log
same kept skipping
[ "$(number skipping skipped)" -ge 1 ] || fail 'none left out' skipping/summary.yaml
grep -q 'no checkpoint of step 2: that of step 1 is still being written' log || fail 'not said' log
[ "$(grep -c 'still being written' log)" -le "$(number skipping written)" ] || fail 'said too often' log
SLOW_FSYNC=1 on 1 "${slow[@]}" "$HISS" train config.yaml --run last --set train.steps=2 --set 'checkpoint.every=1 step'
[ $status -eq 0 ] && [ -s last/ckpt/step-2.h5 ] && [ "$(number last skipped)" -eq 0 ] || fail 'the last step counts as left out' log
grep -q 'still being written' log && fail 'the last step is said to be left out' log
awk -v b="$(number skipping seconds_blocked)" -v w="$(number skipping seconds_writing)" 'BEGIN { exit !(b < w / 2) }' ||
    fail 'training waited for the disk' skipping/summary.yaml

# ---- places that cannot be written: a warning, training goes on, the last good one stays; at the end an error ----

spoilt() { # RUN TEXT: the run in log
    [ $status -eq 2 ] || fail "exit $status instead of 2: $1" log
    grep -q "warning: the checkpoint of step 24 failed: .*$2" log || fail "no warning with '$2'" log
    [ "$(grep -c 'error: the checkpoint of step 60 is not written: ' log)" -eq 1 ] || fail 'no error at the end' log
    grep -q '^epoch 5/5' log || fail 'training did not go on' log
    [ ! -e "$1/summary.yaml" ] || fail 'a summary without the final checkpoint'
    [ -z "$(find "$1" -name '*tmp-*')" ] || fail "left behind: $(find "$1")"
}
mkdir file && : >file/ckpt
refused 2 'file/ckpt: cannot be listed' "$HISS" train config.yaml --run file
rm file/ckpt
train 3 file
same kept file

size=$(stat -c %s kept/ckpt/step-60.h5)
mkdir -p full/ckpt
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=$((size * 3 / 2)) none full/ckpt 2>/dev/null; then
    mounted=full/ckpt
    full=(--set 'checkpoint.every=1 epoch' --set 'checkpoint.keep_every=2 epochs' --set checkpoint.keep=1) # step 24 is not left out
    refused 2 'but checkpoints need' "$HISS" train config.yaml --run full "${full[@]}"
    # At the start there is room, which others take.
    "${CC:-cc}" -shared -fPIC -o odd_system.so "$HISS_ROOT/tests/cli/preload/odd_system.c" -ldl
    on 2 env ODD_FREE=1000000000 LD_PRELOAD="$PWD/odd_system.so" "$HISS" train config.yaml --run full "${full[@]}"
    spoilt full 'No space left on device; make room, or choose another place; the one of step 12 stays'
    [ "$(ls -A full/ckpt)" = step-12.h5 ] || fail "on a full disk: $(ls -A full/ckpt)"
    mount -o remount,size=$((size * 6)),ro full/ckpt
    on 2 "$HISS" train config.yaml --run full "${full[@]}"
    grep -q 'resumed from full/ckpt/step-12.h5' log || fail 'not resumed after the disk was full' log
    spoilt full 'Read-only file system'
    mount -o remount,rw full/ckpt
    train 1 full "${full[@]}"
    grep -q 'resumed from full/ckpt/step-12.h5' log || fail 'not resumed after the disk was read-only' log
    same kept full
    umount full/ckpt
    mounted=
else
    echo 'no root or no mount: full and read-only disks are not tested' >&2
fi

# ---- nothing usable is not a fresh start ----

mkdir -p lost/ckpt && echo nothing >lost/ckpt/step-12.h5
refused 2 'lost/ckpt: none of its 1 checkpoints can be used' "$HISS" train config.yaml --run lost
[ -e lost/ckpt/step-12.h5.broken ] || fail "not set aside: $(ls -A lost/ckpt)"

# ---- SIGINT: once for a checkpoint, twice for the end at once; what SIGKILL leaves is swept ----

endless=(--set train.epochs=1000000 --set checkpoint.every=never --progress lines)
# begin RUN SECONDS: in the background, with slow fsyncs; waits for its first epoch.
begin() {
    local i
    : >"$1.log" # what an earlier one has said is not waited for
    SLOW_FSYNC=$2 "${slow[@]}" "$HISS" train config.yaml --run "$1" "${endless[@]}" >"$1.log" 2>&1 &
    job=$!
    for ((i = 0; i < 2000; i++)); do
        grep -q '^epoch' "$1.log" && break
        sleep 0.01
    done
}
ended() { # RUN CODE
    status=0
    wait $job || status=$?
    [ $status -eq "$2" ] || fail "$1: exit $status instead of $2" "$1.log"
}
# await RUN: until it writes its checkpoint.
await() {
    local i
    for ((i = 0; i < 1000; i++)); do
        compgen -G "$1/ckpt/.step-*.tmp-*" >/dev/null && return
        sleep 0.01
    done
    fail "$1 writes no checkpoint" "$1.log"
}
begin once 0
kill -INT $job
ended once 85
grep -q 'once more ends it at once' once.log || fail 'the second SIGINT is not announced' once.log
grep -q 'stopped on request' once.log || fail 'not stopped on request' once.log
begin twice 20
kill -INT $job
await twice
kill -INT $job
ended twice 130
! compgen -G 'twice/ckpt/.step-*.tmp-*' >/dev/null || fail 'the second SIGINT leaves what was being written' twice.log
begin twice 20
kill -INT $job
await twice
kill -KILL $job
ended twice 137
compgen -G 'twice/ckpt/.step-*.tmp-*' >/dev/null || fail 'nothing was being written' twice.log
begin twice 0.5
grep -q 'removed twice/ckpt/.step-.*, which an earlier process left unfinished' twice.log || fail 'not swept' twice.log
kill -USR1 $job
await twice
kill -TERM $job # and USR1 and TERM may be repeated
kill -USR1 $job
ended twice 85
[ "$(find twice/ckpt -type f | wc -l)" -eq 1 ] || fail "after all that: $(ls -A twice/ckpt)"

# ---- time limits ----

limited() { # RUN SOURCE ARGUMENT...: ends before the limit of 2 to 3 seconds
    local run=$1 source=$2 start=$SECONDS
    shift 2
    on 2 "$HISS" train config.yaml --run "$run" "${endless[@]}" --set 'checkpoint.margin=0.5 s' "$@"
    [ $status -eq 85 ] || fail "exit $status at the time limit" log
    [ $((SECONDS - start)) -le 5 ] || fail 'too late' log
    grep -q "time: [123] s left ($source)" log || fail 'no plan' log
    grep -q 'stopped before the time limit at step [0-9]* with [01] s left' log || fail 'not said why' log
    [ "$(find "$run/ckpt" -name 'step-*.h5' | wc -l)" -eq 1 ] || fail "no checkpoint: $(ls -A "$run/ckpt")" log
}
limited limit --time-limit --time-limit 2
SLURM_JOB_END_TIME=$(($(date +%s) + 3)) limited slurm SLURM_JOB_END_TIME --time-limit 1000
refused 2 '--time-limit of 20 s does not exceed the 30 s' "$HISS" train config.yaml --run short --time-limit 20
[ ! -e short ] || fail "a run that could not begin leaves $(find short)"

# ---- the config ----

refused 1 "checkpoint.every: '5'; expected for example 1 epoch" "$HISS" train config.yaml --run wrong --set checkpoint.every=5
echo ok
