# dist.node: ranks of a node, real and pretended ones, exchange in shared memory, with the bits of one rank; where there is
# no memory to share, auto sends messages and on is an error; when one dies, the others end, and nothing is left.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i 's,epochs: 5,epochs: 2,' config.yaml
${MPICC:-mpicc} -shared -fPIC -o nodes.so "$HISS_ROOT/tests/cli/preload/nodes.c" >cc.log 2>&1 || fail 'no nodes.so' cc.log
cat >pretended <<END
#!/bin/bash
LD_PRELOAD=$PWD/nodes.so exec "$HISS" "\$@"
END
chmod +x pretended

# by_nodes RUN RANKS NODES SETTING...: on so many nodes; the first has SHARED ranks.
by_nodes() {
    local run=$1 ranks=$2 nodes=$3 sets=()
    shift 3
    for setting; do sets+=(--set "$setting"); done
    export NODE_RANKS=$(((ranks + nodes - 1) / nodes))
    HISS=./pretended train "$ranks" "$run" "${sets[@]}"
    if [ $NODE_RANKS -gt 1 ] && [[ "$*" != *dist.node=off* ]]; then
        grep -q "^hiss: reduction: tree.*, in memory that $NODE_RANKS ranks share, " log || fail "$run: not shared by $NODE_RANKS" log
    else
        ! grep 'ranks share' log || fail "$run: shared" log
    fi
}
sent() { sed -n 's/^bytes_sent_per_step: \([0-9]*\).*/\1/p' "$1/summary.yaml"; }

# Blocks of the whole batch lend activations to the sums; lars wants norms; bf16 has bits of its own.
cat >ways <<'END' # ranks, nodes, threads
2 1 1 nat adam
3 1 2 adam lars
3 2 1 adam
3 3 1 adam
4 2 3 nat adam lars
5 1 1 adam
5 2 2 nat adam
5 3 1 adam lars
END
nat=(assign.every=2 assign.block=batch train.verify_replicas=7)
adam=(objective=autoencoder optim.method=adam optim.momentum=0 optim.lr=0.002 augment.contrast=0)
lars=(nat.dim=8 optim.method=lars optim.lr=5 dist.wire=bf16)
for case in nat adam lars; do
    declare -n sets=$case
    by_nodes "$case" 1 1 "${sets[@]}"
    while read -r -u 3 ranks nodes threads _; do
        by_nodes "$case-$ranks-$nodes" "$ranks" "$nodes" "${sets[@]}" dist.threads="$threads" dist.bucket=${threads}KiB
        same "$case" "$case-$ranks-$nodes"
    done 3< <(grep "$case" ways)
done
by_nodes adam-late 4 2 "${adam[@]}" dist.node=on dist.overlap=false
same adam adam-late
by_nodes adam-off 5 2 "${adam[@]}" dist.node=off
same adam adam-off

# Between ranks of a node nothing is sent but metrics and the like; between nodes only keepers send.
[ $((10 * $(sent adam-2-1))) -lt "$(sent adam-off)" ] || fail "$(sent adam-2-1) bytes in memory, $(sent adam-off) by messages"
[ "$(sent adam-5-2)" -lt $(($(sent adam-off) * 2 / 3)) ] || fail "$(sent adam-5-2) bytes on two nodes, $(sent adam-off) without"

# It may change when a run goes on.
by_nodes parts 3 1 "${adam[@]}" train.steps=8
by_nodes parts 2 1 "${adam[@]}" dist.node=off train.steps=17
by_nodes parts 4 2 "${adam[@]}"
same adam parts

# ---- mistakes ----

refused 2 'dist.node: on makes ranks of a node a group of the tree, and dist.group asks for other groups' \
    "$HISS" train config.yaml --run none --set dist.node=on --set dist.group=2
refused 1 'dist.node: on makes ranks of a node a group of the tree, and dist.reduce is mpi' \
    "$HISS" train config.yaml --run none --set dist.node=on --set dist.reduce=mpi
refused 1 "dist.node must be one of off, on, auto, found 'maybe'" "$HISS" train config.yaml --run none --set dist.node=maybe

# ---- no memory to share ----

build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
HISS=$build/faults/hiss
export HISS_FAULT
for HISS_FAULT in shared.pages@1 shared.map@0 shared.map:2@2 shared.token@1; do
    train 3 "without-${HISS_FAULT%@*}" --set train.epochs=1
    [ "$(grep -c 'hiss: warning: dist.node: rank [0-2] cannot share [0-9.]* MiB of memory with ranks of its node: ' log)" -eq 1 ] ||
        fail "$HISS_FAULT: not one warning" log
    ! grep 'ranks share' log || fail "$HISS_FAULT: shared" log
    refused 3 'MiB of memory with ranks of its node: ' "$HISS" train config.yaml --run none --set dist.node=on
done
[ ! -e none ] || fail 'a run was begun'

# Killed in a step: the others wait in memory for what the rank has not done, and end.
for HISS_FAULT in step:7!@1 step:1!@0; do
    on 3 "$HISS" train config.yaml --run killed-${HISS_FAULT#*@} "${adam[@]/#/--set=}" --set dist.node=on
    [ $status -ne 0 ] || fail "$HISS_FAULT: not killed" log
done
HISS_FAULT=
! ls /dev/shm/*hiss* 2>/dev/null || fail 'left in /dev/shm'
echo ok
