# Where a run is to be written is looked at before it begins: room for its checkpoints, and whether all ranks see it. What
# cannot work is refused, and nothing is left behind.
. "$HISS_ROOT/tests/cli/common"
small_run
${CC:-cc} -shared -fPIC -o odd_system.so "$HISS_ROOT/tests/cli/preload/odd_system.c" -ldl
cat >odd <<'END'
#!/bin/bash
# Rank ODD_LOST has another idea of where things are: a folder of its own, or a disk of its own under RUN's parent.
if [ "${OMPI_COMM_WORLD_RANK:-0}" = "${ODD_LOST:-}" ]; then
    cd elsewhere
elif [ "${OMPI_COMM_WORLD_RANK:-0}" = "${ODD_DISK:-}" ]; then
    exec unshare -m sh -c 'mount -t tmpfs none local && exec "$@"' sh "$@"
fi
export LD_PRELOAD=$ODD
exec "$@"
END
chmod +x odd
export ODD=$PWD/odd_system.so

# ---- room ----

train 2 whole
bytes=$(stat -c %s whole/ckpt/step-60.h5) one=$(sed -n 's/.* \([0-9.]* MB\) each.*/\1/p' log)
[ "$one" ] || fail 'the size of a checkpoint is not said' log
free() { # BYTES RANKS RUN ARGUMENT...
    on "$2" env ODD_FREE="$1" ./odd "$HISS" train config.yaml --run "${@:3}"
}
# All that will be there at once: the two that stay (checkpoint.keep) and the one being written.
room='but checkpoints need'
for ranks in 1 2; do
    for fits in 0.1 1.5 2.5; do
        refused $ranks "$room" env ODD_FREE="$(awk -v b="$bytes" -v f=$fits 'BEGIN { printf "%d", b * f }')" ./odd \
            "$HISS" train config.yaml --run none
        grep -qF "$((bytes * 3)) bytes): 3 of $one at once; make room, choose another --run, or lower checkpoint.keep, now 2" log ||
            fail 'needed bytes and the key are not said' log
        [ ! -e none ] || fail "left behind: $(find none)"
    done
    free $((bytes * 7 / 2)) $ranks enough-$ranks
    [ $status -eq 0 ] && ! grep -q 'MB are free' log || fail "exit $status with room for three and a half" log
    same whole enough-$ranks
done
# needs N TEXT ARGUMENT...: so many at once, and not one fewer.
needs() {
    refused 1 "$room" env ODD_FREE=$((bytes * $1 - 1)) ./odd "$HISS" train config.yaml --run none "${@:3}"
    grep -qF -- "$2" log || fail "no '$2'" log
    free $((bytes * $1 + 4096)) 1 fits "${@:3}" # whole pages are free
    [ $status -eq 0 ] || fail "exit $status with room for $1" log
    rm -r fits
}
needs 1 'at once; make room, or choose another --run' --set checkpoint.every=never
needs 2 'or lower --set checkpoint.keep, now 1' --set checkpoint.keep=1 --set 'checkpoint.every=1 epoch'
needs 3 'or lower checkpoint.keep, now 2'
needs 5 'or lower --set checkpoint.keep, now 9' --set checkpoint.keep=9 --set 'checkpoint.every=1 epoch'
needs 5 'or keep fewer than the 3 milestones of --set checkpoint.keep_every, now 1 epoch' --set checkpoint.keep=1 \
    --set 'checkpoint.keep_every=1 epoch'
# What is there already takes no room.
train 2 parts --set train.steps=40
refused 2 "$room" env ODD_FREE=$((bytes / 2)) ./odd "$HISS" train config.yaml --run parts
grep -qF "($bytes bytes): 1 of $one at once beside those that are there" log || fail 'not what is there' log
free $((bytes * 3 / 2)) 2 parts
[ $status -eq 0 ] && ! grep -q 'MB are free' log || fail 'room for one more is enough when two are there' log
same whole parts
free 100 2 whole # nothing is left to do, so nothing has to fit
[ $status -eq 0 ] || fail "exit $status of a finished run on a full disk" log

# ---- one place ----

mkdir elsewhere local
cp config.yaml data.h5 elsewhere
lost='does not see the run directory'
for again in no yes; do # yes: the lost rank has a run of this name, too
    ODD_LOST=2 refused 3 "hiss: error: rank 2 ($(uname -n)) $lost apart of rank 0 ($(uname -n))" \
        ./odd "$HISS" train config.yaml --run apart
    [ ! -e apart ] || fail "left behind: $(find apart)"
    [ $again = yes ] || cp -r whole elsewhere/apart
done
ODD_LOST=1 refused 2 "rank 1 ($(uname -n)) $lost parts" ./odd "$HISS" train config.yaml --run parts --set train.epochs=6
[ -e parts/summary.yaml ] || fail 'a run that is refused is changed'
if unshare -m sh -c 'mount -t tmpfs none local' 2>/dev/null; then # each node has its own /tmp, say
    ODD_DISK=1 refused 2 "rank 1 ($(uname -n)) $lost local/run of rank 0" ./odd "$HISS" train config.yaml --run local/run
    [ ! -e local/run ] || fail "left behind: $(find local)"
    unshare -m sh -c "mount -t tmpfs -o size=64k none local && exec '$HISS' train config.yaml --run local/run" >log 2>&1 &&
        fail 'a disk that holds no checkpoint' log
    grep -q '^hiss: error: local/run: 0.1 MB ([0-9]* bytes) are free, but checkpoints need' log || fail 'not said' log
fi
echo ok
