# The watchdog: a rank that dies, stops, or does nothing ends the job soon, with one line that names it; one that works
# does not, however long.
. "$HISS_ROOT/tests/cli/common"
unset OMPI_MCA_odls_base_sigkill_timeout # the launcher's own second between SIGTERM and SIGKILL
small_run
${MPICC:-mpicc} -shared -fPIC -o odd_mpi.so "$HISS_ROOT/tests/cli/preload/odd_mpi.c" >cc.log 2>&1 || fail 'no odd_mpi.so' cc.log
limit=3 host=$(hostname)
cat >odd <<'END'
#!/bin/bash
echo $$ >"$NAME.pid-$OMPI_COMM_WORLD_RANK"
export LD_PRELOAD=$PWD/odd_mpi.so
exec "$@"
END
chmod +x odd

# Messages: rows to a coordinator, its answers (src/comm/coordinator.c), pieces of gradients (src/comm/comm_impl.h).
rows=(ODD_COMM='hiss blocks' ODD_TAG=0 ODD_PARITY=1) answers=(ODD_COMM='hiss blocks' ODD_TAG=1 ODD_PARITY=1)
gradients=(ODD_COMM=hiss ODD_TAG=3)

# start NAME RANKS SETTING...: in the background, a short run with a rank that goes wrong in one of the first steps. Gradients
# are messages, or with node=on in memory.
node=off
start() {
    local name=$1 ranks=$2
    shift 2
    (
        begin=$(date +%s%N) log=$name.log
        on "$ranks" env NAME="$name" "$@" ./odd "$HISS" train config.yaml --run "$name" --set dist.watchdog=$limit \
            --set assign.every=1 --set assign.block=batch --set train.epochs=1 --set dist.node=$node --progress lines
        echo "$status $((($(date +%s%N) - begin) / 1000000000))" >"$name.end"
    ) &
}

# ended NAME STATUS SECONDS PATTERN: how that run did, with one line of error that says PATTERN.
ended() {
    local status seconds log=$1.log
    read -r status seconds <"$1.end"
    [ "$status" -eq "$2" ] || fail "$1: exit $status instead of $2" "$log"
    [ "$seconds" -le "$3" ] || fail "$1: ended after $seconds s, expected $3 at most" "$log"
    [ "$(grep -c 'hiss: error:' "$log")" -eq 1 ] || fail "$1: not one line of error" "$log"
    grep 'hiss: error:' "$log" | grep -qE -- "$4" || fail "$1: the error does not say '$4'" "$log"
    [ "$(grep -c 's ago  step ' "$log")" -eq 16 ] || fail "$1: the ring has not 16 operations" "$log"
    [ ! -e "$1/summary.yaml" ] || fail "$1: a summary of a run that failed" "$log"
}
waits() { # RANK FOR OPERATION
    echo "rank $1 \($host\) has waited [0-9]+ s in step [0-9]+ for rank $2 \($host\): $3"
}
block='block 0' bucket='reduce bucket [0-9]'

# Dead: at once. Stopped: after the limit.
start killed 2 ODD_DO=SIGKILL ODD_RANK=1 ODD_CALL=18 "${rows[@]}"
start crashed 3 ODD_DO=SIGSEGV ODD_RANK=0 ODD_CALL=18 "${answers[@]}"
start stopped 3 ODD_DO=SIGSTOP ODD_RANK=1 ODD_CALL=14 "${rows[@]}"
start guard 2 ODD_DO=SIGSTOP ODD_RANK=0 ODD_CALL=12 "${gradients[@]}"
node=on
start killed-node 3 ODD_DO=SIGKILL ODD_RANK=1 ODD_CALL=3 "${gradients[@]}"
start stopped-node 3 ODD_DO=SIGSTOP ODD_RANK=2 ODD_CALL=3 "${gradients[@]}"
node=off
wait
ended killed 137 10 "$(waits 0 1 "$block"); rank 1 is dead, last seen in step [0-9]+: "
ended crashed 139 10 "\[rank 1\] (rank [12] .* for )?rank 0 \($host\): .*rank 0 is dead, last seen in step [0-9]+: "
ended stopped 70 $((limit + 10)) "$(waits '[02]' 1 "$block"); rank 1 has given no sign of life for [3-6] s"
grep -qE "^hiss:   rank 2 \($host\) has waited [0-9]+ s in step [0-9]+ for rank [01] " stopped.log ||
    fail 'rank 2 is not shown' stopped.log
ended guard 70 $((limit + 10)) "$(waits 1 0 "$bucket"); rank 0 has given no sign of life"
ended killed-node 137 10 "$(waits '[02]' 1 '[a-z]+( bucket [0-9])?'); rank 1 is dead, last seen in step [0-9]+: "
ended stopped-node 70 $((limit + 10)) "$(waits '[01]' 2 '[a-z]+( bucket [0-9])?'); rank 2 has given no sign of life for [3-6] s"

# A job that is suspended as a whole, to go on later.
export NAME=paused
mpirun -n 2 ./odd "$HISS" train config.yaml --run paused --set dist.watchdog=$limit --set train.epochs=30000 \
    --set checkpoint.every=never --progress lines >paused.log 2>&1 &
job=$!
for ((i = 0; i < 1000; i++)); do
    grep -q '^epoch' paused.log && break
    sleep 0.02
done
paused=("$(cat paused.pid-0)" "$(cat paused.pid-1)")
kill -STOP "${paused[@]}"

# Neither works nor waits; a lost message; and legal: long work. Off: nothing is said.
jobs=()
start idle 2 ODD_DO=sleep ODD_SECONDS=60 ODD_RANK=1 ODD_CALL=18 "${rows[@]}"
jobs+=($!)
start lost 2 ODD_DO=lose ODD_RANK=1 ODD_CALL=12 "${gradients[@]}"
jobs+=($!)
start works 2 ODD_DO=work ODD_SECONDS=$((2 * limit)) ODD_RANK=1 ODD_CALL=18 "${rows[@]}"
jobs+=($!)
NAME=off timeout -s KILL $((limit + 4)) env ODD_DO=SIGSTOP ODD_RANK=1 ODD_CALL=12 "${gradients[@]}" mpirun -n 2 ./odd \
    "$HISS" train config.yaml --run off --set dist.watchdog=0 --set dist.node=off --progress lines >off.log 2>&1 && fail 'no hang' off.log
kill -KILL "$(cat off.pid-0)" "$(cat off.pid-1)" 2>/dev/null || :
grep -q 'has waited' off.log && fail 'dist.watchdog 0 is not off' off.log
wait "${jobs[@]}"
ended idle 70 $((limit + 10)) "$(waits 0 1 "$block"); rank 1 has done nothing for [3-6] s in step [0-9]+: send rows of lane [0-9]+"
ended lost 70 $((limit + 10)) "$(waits 0 1 "$bucket"); all ranks wait"
read -r status seconds <works.end
[ "$status" -eq 0 ] && [ "$seconds" -ge $((2 * limit)) ] || fail "work is taken for silence: exit $status" works.log

# It goes on, and then one rank is asked to stop: neither is silence.
kill -CONT "${paused[@]}"
sleep $((limit + 1))
kill -0 $job 2>/dev/null || fail 'a pause of the whole job is taken for silence' paused.log
kill -TERM "${paused[1]}"
status=0
wait $job || status=$?
[ $status -eq 85 ] || fail "exit $status instead of 85 after a pause" paused.log
grep -q 'hiss: error\|has waited' paused.log && fail 'the watchdog speaks of a run that moves' paused.log
echo ok
