# shellcheck shell=bash
# Data files that change while a run reads them: cut, grown, overwritten in place, replaced, removed, on any number of
# ranks, also one of several and one behind a link: one line names the file and what happened, and nothing of it is kept.
# What was merely touched, and what is in memory, does no harm.
. "$HISS_ROOT/tests/cli/common"
small_run
mkdir kept
"$HISS_ROOT/tools/tiny_data" kept 600 12
"$HISS" prepare idx --images kept/images.idx --labels kept/labels.idx --seed 9 --output other.h5 2>log ||
    fail 'no other' log
files_h5=$(dirname "$HISS")/tests/cli/files_h5
"$files_h5" split data.h5 part 0 200 250 150 || fail 'no parts'
"$files_h5" split data.h5 gzip 16 200 250 150 || fail 'no parts'
"$files_h5" virtual near.h5 images part0.h5:/images part1.h5:/images part2.h5:/images || fail 'no virtual set'
"$files_h5" virtual near.h5 labels part0.h5:/labels part1.h5:/labels part2.h5:/labels || fail 'no virtual set'
mv ./*.h5 kept
"$files_h5" split kept/other.h5 kept/else 0 200 250 150 || fail 'no parts'

stream=(--set data.mode=stream --set data.memory=60000 --set data.verify=false --set train.lanes=6)
long=(--set train.epochs=1000000 --set optim.schedule=constant)
seldom=(--set checkpoint.every='1000000 epochs')
parts=(--set 'data.file=part*.h5')

# soon COMMAND...: wait until it succeeds, or the run is over.
soon() {
    until "$@"; do
        kill -0 "$job" 2>/dev/null || return 0
        sleep 0.1
    done
}
lines() { [ -f run/metrics.jsonl ] && [ "$(wc -l <run/metrics.jsonl)" -ge "$1" ]; }
warned() { grep -q 'hiss: warning: .*touched' log; }

# begin RANKS OPTION...: a run that does not end by itself, until it has read for a while.
begin() {
    local launch=()
    rm -rf run ./*.h5
    cp kept/*.h5 .
    [ "$1" = 1 ] || launch=(mpirun -n "$1")
    timeout 100 "${launch[@]}" "$HISS" train config.yaml --run run "${long[@]}" "${@:2}" >log 2>&1 &
    job=$!
    soon lines 3
}
end() {
    status=0
    wait "$job" || status=$?
}
# overwrite FILE BY: at once, so that nobody sees a part of it.
overwrite() { dd if="$2" of="$1" bs=1M conv=notrunc 2>/dev/null; }
# noticed RANKS CHANGE TEXT OPTION...
noticed() {
    local change=$2 text=$3
    begin "$1" "${@:4}"
    eval "$change"
    end
    [ $status -eq 2 ] || fail "exit $status instead of 2 after $change on $1 ranks" log
    [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line of error after $change on $1 ranks" log
    grep 'hiss: error:' log | grep -qF -- "$text" || fail "no '$text' in the error after $change" log
}
# harmless CHANGE OPTION...: the run goes on, until it is told to stop.
harmless() {
    begin 1 "${@:2}"
    eval "$1"
    soon lines $(($(wc -l <run/metrics.jsonl) + 5))
    [ -z "${wait_for:-}" ] || soon "$wait_for"
    kill -TERM "$job" 2>/dev/null || true
    end
    [ $status -eq 85 ] || fail "exit $status instead of 85 after $1" log
}

again='put back what was there and start again'
bytes=$(stat -c %s kept/data.h5)
noticed 2 'truncate -s 30000 data.h5' \
    "data.h5: was changed while it was in use: it had $bytes bytes, now it has 30000; $again" "${stream[@]}" --set checkpoint.every='1 epoch'

# ---- what was learned from it is not kept: the run goes on as if nothing had been ----
cp kept/data.h5 .
epochs=$(($(find run/ckpt -name 'step-*.h5' | sed 's/.*step-0*\([0-9]*\)\.h5/\1/' | sort -n | tail -n 1) / 25 + 2))
ends=(--set train.epochs=$epochs --set optim.schedule=constant "${seldom[@]}")
train 1 run "${stream[@]}" "${ends[@]}"
grep -q 'resumed from' log || fail 'not resumed' log
train 1 whole "${stream[@]}" "${ends[@]}"
same run whole
long+=("${seldom[@]}")

# ---- whatever happens to it ----
noticed 1 'echo >>data.h5' 'data.h5: was changed while it was in use: it had' "${stream[@]}"
noticed 3 'overwrite data.h5 other.h5' \
    'data.h5: was overwritten while it was in use: its size is the same, what it holds is not; put' "${stream[@]}"
noticed 1 'mv other.h5 data.h5' 'data.h5: was replaced by another file while it was in use' "${stream[@]}"
noticed 1 'rm data.h5' 'data.h5: was removed or renamed while it was in use' "${stream[@]}"
noticed 1 'overwrite part1.h5 else1.h5' 'part1.h5: was overwritten while it was in use' "${stream[@]}" "${parts[@]}"
TMPDIR=/dev/shm noticed 3 'truncate -s 9000 gzip1.h5' 'gzip1.h5: was changed while it was in use' "${stream[@]}" \
    --set data.memory=20000 --set 'data.file=gzip*.h5' # no copy is made of it
noticed 1 'truncate -s 20000 part2.h5' 'part2.h5: was changed while it was in use' "${stream[@]}" \
    --set data.follow=true --set data.file=near.h5
# A row alone: the recorded checksum tells.
noticed 1 'printf "\377\377\377\377" | dd of=data.h5 bs=1 seek=50000 conv=notrunc 2>/dev/null' \
    'data.h5: was overwritten while it was in use' "${stream[@]}" --set data.verify=true

# ---- what does no harm ----
wait_for=warned harmless 'touch data.h5' "${stream[@]}"
[ "$(grep -c 'data.h5: touched while in use: size and samples are those from before' log)" -eq 1 ] ||
    fail 'not one word of the touched file' log
wait_for=warned harmless 'touch part?.h5' "${stream[@]}" "${parts[@]}"
grep -q 'part0.h5 and 2 more files: touched while in use' log || fail 'touched files are not counted' log
harmless 'cat data.h5 >/dev/null; chmod 600 data.h5; ln data.h5 linked.h5' "${stream[@]}"
! grep 'in use' log || fail 'a file that was read is said to have changed' log
harmless 'truncate -s 100 data.h5' --set train.lanes=6
! grep 'in use' log || fail 'samples in memory do not need their file' log
echo ok
