# A method that makes gradients itself, beside backward or added to it: they are those of losses that have the same
# derivatives, the same bits on any number of ranks and threads, with norms that wait for them, and looked at like others.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
small_run
sed -i 's/^seed:/objective: autoencoder\nseed:/' config.yaml
# of_method METHOD RANKS RUN KEY=VALUE...: must succeed.
of_method() {
    on "$2" "$build/tests/cli/train_method" "$1" config.yaml "${@:3}"
    [ $status -eq 0 ] || fail "exit $status: $*" log
}
loss() { sed -n 's/.*"loss": \([^,]*\),.*/\1/p' "$1/metrics.jsonl"; }

few=(train.epochs=2 train.log_every=1)
of_method contrast 1 own "${few[@]}"
of_method backward 1 losses "${few[@]}"
paste <(loss own) <(loss losses) | awk '{ d = ($1 - $2) / $2; if (d < 0) d = -d; if (d > 1e-4) bad = 1; last = $1; if (NR == 1) first = $1 }
    END { exit bad || NR != 24 || last > 0.9 * first }' || fail 'not the gradients of the losses' <(paste <(loss own) <(loss losses))

variants=('' 'optim.clip_norm=0.01' 'optim.method=lars optim.lr=5 optim.clip_norm=0.5' 'train.freeze=rbm/b')
for k in "${!variants[@]}"; do
    sets=("${few[@]}")
    for setting in ${variants[k]}; do sets+=("$setting"); done
    of_method contrast 1 "one-$k" "${sets[@]}"
    for ranks in 2 3 5; do
        of_method contrast $ranks "$ranks-$k" "${sets[@]}" dist.threads=2 dist.bucket=1KiB train.verify_replicas=1
        same "one-$k" "$ranks-$k"
    done
    hashes "one-$k" >>bits
done
[ "$(sort -u bits | wc -l)" -eq 4 ] || fail 'variants with the same bits' bits
refused 2 'the gradient of rbm/c is' "$build/tests/cli/train_method" contrast config.yaml large "${few[@]}" optim.lr=1e6
echo ok
