# Memory of lanes: whatever is kept, lent, split or computed twice, the bits are the same; and what hiss says that a rank
# needs is what it takes.
. "$HISS_ROOT/tests/cli/common"
small_run

# ---- all lanes of a step go on together, gradients where lanes that have ended kept their activations ----

sets=(--set assign.block=batch --set train.epochs=3)
for lanes in 1 2 3 8 13; do
    some=("${sets[@]}" --set "train.lanes=$lanes")
    train 1 "twice-$lanes" "${some[@]}" --set train.activation_memory=0
    for threads in 1 2 4; do
        train 1 "kept-$lanes-$threads" "${some[@]}" --set "dist.threads=$threads"
        same "twice-$lanes" "kept-$lanes-$threads"
    done
done
for ranks in 2 3; do
    train $ranks "ranks-$ranks" "${sets[@]}" --set train.lanes=8 --set dist.threads=2
    same twice-8 "ranks-$ranks"
done
grep -q 'memory of this rank: .* MiB: parameters .*, gradients .*, activations .*, optimizer .*, samples .*, checkpoint .*;' log ||
    fail 'not what memory a rank needs' log

# ---- what is said against what is taken, beyond what the smallest network takes ----

# part NAME KEY: bytes of a rank.
part() {
    sed -n "s/.*\"$2_bytes\": \([0-9.e+]*\).*/\1/p" "$1.json"
}
# measured NAME ARGUMENT...: bytes that a rank takes, and takes by plan. MPIRUN: what starts the ranks.
measured() {
    local name=$1
    shift
    ${MPIRUN:-} "$HISS" bench step config.yaml --synthetic --seconds 0.01 --json "$name.json" "$@" >"$name.txt" 2>&1 ||
        fail "bench step $*" "$name.txt"
    peak=$(part "$name" peak_resident)
    plan=$(part "$name" planned)
}
# All else than the plan.
set_base() {
    base=$(awk "BEGIN { printf \"%.0f\", $peak - $plan }")
}
measured small "${sets[@]}"
set_base
close() {
    awk "BEGIN { taken = $peak - $base; exit !(taken > 0.85 * $plan && taken < 1.15 * $plan && $plan > 2e8) }" ||
        fail "$1: a plan of $plan bytes, a peak of $peak; all else takes $base" "$1.txt"
}
wide='network.layers=[flatten, {linear: 4096}, {linear: 3000}, relu]'
deep='network.layers=[{conv: 32, kernel: 3, pad: 1}, batch_norm, relu, {conv: 32, kernel: 3, pad: 1}, batch_norm, {max_pool: 8}, flatten, {linear: 300}]'
measured wide "${sets[@]}" --set "$wide" --set train.lanes=8
close wide
measured deep "${sets[@]}" --set "$deep" --set train.lanes=8 --set train.lane_samples=16 --size 64x64x3
close deep

# ---- two ranks of one lane: what other ranks send takes a part of a vector, whatever its length; in memory that they share
# a rank holds the new values of its half, too ----

MPIRUN='mpirun -n 2'
for node in off on; do
    some=("${sets[@]}" --set train.lanes=2 --set dist.node=$node)
    measured small-$node "${some[@]}"
    set_base
    measured wide-$node "${some[@]}" --set "$wide"
    awk "BEGIN { most = \"$node\" == \"on\" ? 1.8 : 1.3; exit !($(part wide-$node gradient) < most * $(part wide-$node parameter)) }" ||
        fail "dist.node=$node: a rank keeps much more than its lane's gradients" wide-$node.txt
    # The system counts what a rank reads of another's memory as its own.
    awk "BEGIN { seen = \"$node\" == \"on\" ? $(part wide-$node gradient) : 0; taken = $peak - $base
        exit !(taken < 1.15 * ($plan + seen) && $plan > 1e8) }" ||
        fail "wide-$node: a plan of $plan bytes, a peak of $peak; all else takes $base" wide-$node.txt
done
MPIRUN=

# ---- the places of maxima take a part of what is pooled ----

for kind in max average; do
    measured "$kind" "${sets[@]}" --set train.lanes=2 --set train.lane_samples=8 --size 64x64x3 --set \
        "network.layers=[{conv: 32, kernel: 1}, batch_norm, {${kind}_pool: 3, stride: 1, pad: 1}, flatten, {linear: 10}]"
done
awk "BEGIN { map = 4 * 64 * 64 * 32 * 2 * 8
    exit !($(part max activation) - $(part average activation) < map / 2) }" ||
    fail "max pooling keeps $(part max activation) bytes, average pooling $(part average activation)" max.txt
echo ok
