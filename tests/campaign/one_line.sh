# A rank that ends alone says why, and nobody else speaks of it, however long the launcher takes to end the others: an MPI
# call that fails, and memory that runs out while the watchdog is up, on rank 0 (the guard) and on another.
. "$HISS_ROOT/tests/cli/common"
unset OMPI_MCA_odls_base_sigkill_timeout # the launcher's own second between SIGTERM and SIGKILL
build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
HISS=$build/faults/hiss
small_run
args=(config.yaml --run run --set train.steps=40 --set assign.scope=dataset --set assign.every=1 --set train.log_every=3)
HISS_FAULT_TRACE=$WORK/trace train 2 run "${args[@]:3}"

# alone RANK POINT STATUS PERCENT: that part of its calls is reached in training.
alone() {
    local calls
    calls=$(awk -v rank="$1" -v point="$2" '$1 == rank && $2 == point { print $3 }' trace | tail -n 1)
    [ "${calls:-0}" -ge 2 ] || fail "no $2 on rank $1" trace
    rm -rf run
    HISS_FAULT="$2:$((calls * $4 / 100))@$1" on 2 "$HISS" train "${args[@]}"
    [ $status -eq "$3" ] || fail "exit $status: $2 on rank $1" log
    [ -s run/metrics.jsonl ] || fail "not in training: $2 on rank $1" log
    [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line of error: $2 on rank $1" log
    ! grep -qE 'has waited|is dead|s ago  step' log || fail "the watchdog speaks: $2 on rank $1" log
}
for rank in 0 1; do
    alone $rank MPI_Irecv 70 80
    alone $rank memory.text 2 100
done
alone 0 memory.alloc 2 80
echo ok
