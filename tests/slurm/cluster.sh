# tests/slurm/cluster itself: both modes at once train to the same bits, give the exit code of their command, and leave
# nothing behind, even killed.
cluster=$HISS_ROOT/tests/slurm/cluster
if ! "$cluster" possible; then
    echo ok
    exit 0
fi
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 alone
cat >job <<'END'
#!/bin/bash
echo "$HISS_CLUSTER_MODE $HISS_CLUSTER $(sinfo -h -p batch -o '%D %T')" >"$1.says"
export CONFIG=config.yaml RUN=$1 LAUNCH=srun MAX_RESTARTS=0
timeout 90 sbatch --wait --output="$1.log" --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 --time=2 "$HISS_ROOT/jobs/train.sbatch"
exit $(($? + 40))
END
# A daemon of a cluster has its directory on its command line or in its environment.
left() {
    local directory
    directory=$(cut -d' ' -f2 "$1.says")
    [ -e "$directory" ] || grep -qsaF "$directory" /proc/[0-9]*/environ
}
gone() {
    local i
    for ((i = 0; i < 300; i++)); do
        left "$1" || return 0
        sleep 0.1
    done
    fail "$1 has left something: $(cat "$1.says")"
}

HISS_CLUSTER_MODE=plain "$cluster" run 2 bash ./job plain >plain.out 2>&1 &
plain=$!
"$cluster" run 3 bash ./job auto >auto.out 2>&1 &
status=0
wait $! || status=$?
[ $status -eq 40 ] || fail "exit $status instead of 40" auto.out
status=0
wait $plain || status=$?
[ $status -eq 40 ] || fail "exit $status instead of 40, mode plain" plain.out
grep -q '^plain .* 2 idle$' plain.says || fail 'not the two nodes asked for' plain.says
grep -q '^[a-z]* .* 3 idle$' auto.says || fail 'not the three nodes asked for' auto.says
same alone plain
same alone auto
gone plain
gone auto

for mode in plain auto; do
    HISS_CLUSTER_MODE=$mode setsid "$cluster" run 2 bash -c "echo x \$HISS_CLUSTER >killed.new; mv killed.new killed.says; sleep 60" >killed.out 2>&1 &
    leader=$!
    for ((i = 0; i < 300; i++)); do
        [ ! -e killed.says ] || break
        sleep 0.1
    done
    left killed || fail 'not running' killed.out
    kill -KILL -- -$leader # as tools/run_tests does at the end of the time
    gone killed
    rm killed.says
done
echo ok
