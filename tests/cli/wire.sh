# dist.wire: bf16. Half the bytes, the same bits on any number of ranks, also after a stop; nearly the same training.
. "$HISS_ROOT/tests/cli/common"
small_run
# wide RUN RANKS SETTING...: a network most of whose numbers are parameters.
wide() {
    local run=$1 ranks=$2 sets=(--set dist.node=off) # bytes are counted
    shift 2
    for setting; do sets+=(--set "$setting"); done
    train "$ranks" "$run" --set 'network.layers=[flatten, {linear: 256, name: fc1}, batch_norm, relu]' "${sets[@]}"
}
value() {
    sed -n "s/^ *$2: \([0-9.e+-]*\).*/\1/p" "$1/summary.yaml"
}
wide plain 2
wide half-1 1 dist.wire=bf16
for ranks in 2 3 5; do
    wide half-$ranks $ranks dist.wire=bf16 train.verify_replicas=7 dist.group=$((ranks % 3)) dist.bucket=20KiB
    same half-1 half-$ranks
done
wide half-threads 2 dist.wire=bf16 dist.threads=3 dist.overlap=false
same half-1 half-threads
grep -q '^  reduce: tree in bf16$' half-2/summary.yaml || fail 'the summary does not say so' half-2/summary.yaml
grep -q '^hiss: reduction: tree in bf16, ' log || fail 'not said' log
[ "$(value plain parameters_sha256)" != "$(value half-1 parameters_sha256)" ] || fail 'bf16 changes nothing'

# Everything but statistics and metrics is half as long: weights 144 x 256 + 256 x 8, and a few vectors.
awk -v whole="$(value plain bytes_sent_per_step)" -v half="$(value half-2 bytes_sent_per_step)" \
    'BEGIN { exit !(whole > 100000 && half > 0.5 * whole && half < 0.55 * whole) }' || fail "$(value half-2 bytes_sent_per_step) bytes in place of $(value plain bytes_sent_per_step)"
awk -v a="$(value plain loss)" -v b="$(value half-1 loss)" 'BEGIN { exit !(a > 0 && a / b < 1.02 && b / a < 1.02) }' ||
    fail "loss $(value half-1 loss) in place of $(value plain loss)"

# Stopped and continued on other ranks; the optimiser wants norms.
wide whole 1 dist.wire=bf16 optim.method=lars optim.lr=5
wide parts 3 dist.wire=bf16 optim.method=lars optim.lr=5 train.steps=31
wide parts 2 dist.wire=bf16 optim.method=lars optim.lr=5
same whole parts
wide other 1 dist.wire=bf16 train.steps=20
refused 2 "in section dist, it had 'wire: bf16', now 'wire: float32'" "$HISS" train config.yaml --run other \
    --set 'network.layers=[flatten, {linear: 256, name: fc1}, batch_norm, relu]'
refused 2 "dist.wire: bf16 is what the tree adds in, and dist.reduce is mpi" "$HISS" train config.yaml --run none \
    --set dist.wire=bf16 --set dist.reduce=mpi
[ ! -e none ] || fail 'a run was begun'
echo ok
