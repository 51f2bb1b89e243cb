# Memory that runs out, really (a limit on address space) and on demand at any allocation: exit code 2 and one line that
# says how much was asked for, what for, and what to lower, by every command, on one rank and on two. Whatever the limit
# is, no command hangs, crashes, or blames something else, and what cannot begin leaves no run directory.
. "$HISS_ROOT/tests/cli/common"
small_run

# ---- a limit, which what hiss itself asks for breaks: libraries and launcher get what they need ----

# short RANKS TEXT COMMAND...
short() {
    local ranks=$1 text=$2
    shift 2
    # With the launcher's own second between SIGTERM and SIGKILL, in which another rank may speak.
    (unset OMPI_MCA_odls_base_sigkill_timeout && ulimit -v 1500000 && refused "$ranks" "$text" "$@") || exit 1
    ! grep -q 's ago  step' log || fail "the watchdog speaks too: $*" log
    grep -q 'hiss: error: \(\[rank [0-9]*\] \)\?out of memory: could not get [0-9.]* [KMGT]iB for .*; ' log || fail "not how much, or what for: $*" log
    [ ! -e run ] || fail "left behind: $(find run)" log
}
train=("$HISS" train config.yaml --run run)
short 2 'iB for activations of lanes; lower train.lane_samples, dist.threads or train.activation_memory' "${train[@]}" \
    --set train.lanes=2 --set train.lane_samples=300 \
    --set 'network.layers=[{conv: 8000, kernel: 3, pad: 1}, {max_pool: 12}]'
short 1 'iB for parameters; choose a smaller network' "${train[@]}" --set 'network.layers=[flatten, {linear: 1000000}, {linear: 300}]'
refused 2 'GiB of memory on a rank (parameters and gradients 7451.7' "${train[@]}" \
    --set 'network.layers=[flatten, {linear: 1000000}, {linear: 1000000}]' # whatever the limit
short 1 'iB for what is measured; choose smaller --sizes' "$HISS" bench assign --sizes 32768 --seconds 0.001

# ---- any limit: from too little to load the libraries to enough ----

train 1 trained --set train.epochs=1
small='out of memory: could not get [0-9.]* [KMGT]iB\( for .*\)\?; \|out of memory: HDF5 could not get'

# limited RANKS KIB PLACE COMMAND...: in a directory of its own. The launcher has what it needs.
limited() {
    local ranks=$1 limit=$2 place=$3 launch=()
    shift 3
    mkdir -p "$place"
    ln -sf "$WORK"/*.h5 "$WORK"/*.idx "$place"
    cp -r "$WORK/config.yaml" "$WORK/trained" "$place"
    cd "$place"
    [ "$ranks" = 1 ] || launch=(mpirun -n "$ranks")
    status=0
    timeout -k 1 60 "${launch[@]}" bash -c 'ulimit -v "$0" && exec "$@"' "$limit" "$@" >log 2>&1 || status=$?
    if [ $status -eq 127 ]; then
        grep -q 'error while loading shared libraries: ' log || fail "exit 127 with $limit KiB: $*" log
    elif [ $status -ne 0 ]; then
        [ $status -eq 2 ] || fail "exit $status with $limit KiB, $ranks ranks: $*" log
        [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line of error with $limit KiB, $ranks ranks: $*" log
        grep -q "hiss: error:.* \(\[rank [0-9]*\] \)\?\(.*: \)\?\($small\)" log || fail "blames something else with $limit KiB: $*" log
    fi
    [ $status -eq 0 ] || { [ ! -e run ] && [ ! -e x.h5 ]; } || fail "left behind with $limit KiB: $*" log
    echo "$status ${*:2:1}" >>"$WORK/limits"
    rm -rf "$place"
}

# sweep KIB...: every command with each limit; two of these run at the same time.
sweep() {
    local limit
    for limit in "$@"; do
        limited 1 "$limit" "limit-$limit" "$HISS" train config.yaml --run run --set train.epochs=1
        limited 1 "$limit" "limit-$limit" "$HISS" eval trained --set eval.test=data.h5 --set eval.layers=z
        limited 1 "$limit" "limit-$limit" "$HISS" query trained --set eval.test=data.h5
        limited 1 "$limit" "limit-$limit" "$HISS" doctor config.yaml
        limited 1 "$limit" "limit-$limit" "$HISS" prepare idx --images images.idx --labels labels.idx --output x.h5
        limited 1 "$limit" "limit-$limit" "$HISS" bench assign --sizes 32 --seconds 0.001
        [ "$limit" -lt 340000 ] || limited 2 "$limit" "limit-$limit" "$HISS" train config.yaml --run run --set train.epochs=1
    done
}
# bench measures memory by several times the last cache, of which some processors have half a GiB.
(sweep 20000 200000 340000 400000 8000000) &
first=$!
(sweep 95000 150000 310000 370000 450000) || exit 1
wait $first || exit 1
for command in train eval query doctor prepare bench; do
    for status in 0 2 127; do
        grep -q "^$status $command" limits || fail "no limit ends $command with $status" limits
    done
done

# ---- on demand: some of all allocations of each command ----

build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
HISS=$build/faults/hiss
train 1 done --set train.epochs=1
train=("$HISS" train config.yaml --run run --set train.epochs=1 --threads 2)

# fails RANKS RANK POINT COMMAND...: at some of its calls of POINT on RANK (another than 0 waits for rank 0 to speak).
fails() {
    local ranks=$1 rank=$2 point=$3 calls k
    shift 3
    rm -rf run trace x.h5
    HISS_FAULT_TRACE=$WORK/trace on "$ranks" "$@"
    [ $status -eq 0 ] || fail "exit $status: $*" log
    calls=$(awk -v rank="$rank" -v point="$point" '$1 == rank && $2 == point { print $3 }' trace | tail -n 1)
    [ "${calls:-0}" -ge 1 ] || fail "no $point on rank $rank: $*" trace
    for k in $([ "$rank" = 0 ] && echo 0 1 2 3 4 5 || echo 1 4); do
        rm -rf run x.h5
        HISS_FAULT="$point:$((1 + (calls - 1) * k / 5))@$rank" on "$ranks" "$@"
        [ $status -eq 2 ] || fail "exit $status: $point, $k of 5, rank $rank of $ranks: $*" log
        [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line of error: $point, $k of 5: $*" log
        grep -q 'hiss: error: \(\[rank [0-9]*\] \)\?out of memory: could not get [0-9.]* [a-zA-Z]*\( for .*\)\?; ' log || fail "not explained: $*" log
        [ ! -e x.h5 ] || fail 'half a data set' log
        [ "$calls" -gt 5 ] || break
    done
}
fails 1 0 memory.alloc "${train[@]}"
fails 2 1 memory.alloc "${train[@]}"
fails 1 0 memory.text "${train[@]}"
fails 1 0 memory.alloc "$HISS" eval done --set eval.test=data.h5 --set eval.layers=z
fails 1 0 memory.alloc "$HISS" query done --set eval.test=data.h5
fails 1 0 memory.alloc "$HISS" features done --layer conv1,z --output x.h5
fails 1 0 memory.alloc "$HISS" prepare idx --images images.idx --labels labels.idx --output x.h5
fails 1 0 memory.alloc "$HISS" bench assign --sizes 32 --seconds 0.001
echo ok
