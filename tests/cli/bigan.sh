# The bidirectional adversarial network: same bits on any number of ranks and threads, exact resume of three networks and two
# optimisers, the same evaluation on 1 and 3 ranks; the encoder comes to invert the generator, where that of the control, a
# discriminator of images alone, does not; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: bigan\nseed:/; s/^augment: .*/augment: {shift: 0}/; s/^nat: .*/bigan: {latent: 6, hidden: 24}/
    s/^assign: .*//; s/data.h5/halves.h5/
    s/^optim: .*/optim: {method: adam, momentum: 0, beta1: 0.5, lr: 0.0005}/' config.yaml
sed -i '/^  layers:/,/^    - relu/d; /^    - /d' config.yaml
sed -i 's/^network:.*/network: {layers: [flatten, {linear: 24, bias: false, name: fc1}, batch_norm, {leaky_relu: 0.2}]}/' config.yaml

last() { # RUN NAME: a number of the last line of the log
    tail -n 1 "$1/metrics.jsonl" | sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" | grep . || fail "$1: no $2" "$1/metrics.jsonl"
}
number() {
    sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1/eval.json" | head -n 1 | grep . || fail "$1: no $2" "$1/eval.json"
}

# ---- bits ----

train 1 one
for ranks in 2 5 7; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
train 3 stopped --set train.steps=17
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

# Each loss starts at log 2, since the discriminator's last layer starts at 0. Each group has an optimiser of its own.
train 2 first --set train.steps=1
less 0.69314 "$(last first discriminator_loss)" 'log 2, and the first loss'
less "$(last first generator_loss)" 0.69316 'the first loss, and log 2'
train 1 short --set train.epochs=1
for group in generator discriminator; do
    train 2 slow-$group --set optim.$group.lr=0.001 --set train.epochs=1
    [ "$(hashes slow-$group)" != "$(hashes short)" ] || fail "no optimiser for $group"
done

# ---- it learns, and its controls do not ----

long=(--set train.epochs=120)
train 2 long "${long[@]}"
train 2 alone "${long[@]}" --set bigan.joint=false
less "$(last long reconstruction_ratio)" 0.75 'images and their reconstructions'
less 0.85 "$(last alone reconstruction_ratio)" 'what an encoder that nothing trains gives'
train 2 normal --set train.epochs=1 --set bigan.prior=normal
[ "$(hashes normal)" != "$(hashes short)" ] || fail 'the same noise'

# ---- what evaluation says ----

judge=(--set eval.few_labels=false --set eval.statistics=false --set eval.neighbors=false --set eval.linear=false
    --set eval.generation=false --set eval.random=false --set eval.pixels=false --set eval.test=halves.h5
    --set eval.test_limit=300)
on 1 "$HISS" eval long "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
sed 's/"seconds": [0-9.]*//' long/eval.json >json.1
on 3 "$HISS" eval long "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' long/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
less "$(number long reconstruction_ratio)" 0.85 'test images and their reconstructions'
[ -s long/reconstruction.png ] || fail 'no picture of reconstructions' long/eval.txt
awk 'length($0) > 120 { bad = 1 } END { exit bad }' long/eval.txt || fail 'a table is too wide' long/eval.txt

# ---- what it refuses ----

refused 2 'augment.contrast: bigan needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.contrast=0.5
refused 1 'augment.mean: bigan needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.mean=0.3
refused 1 'bigan.latent' "$HISS" train config.yaml --run w --set bigan.latent=0
refused 1 'bigan.prior' "$HISS" train config.yaml --run w --set bigan.prior=gaussian
refused 1 'optim.encoder' "$HISS" train config.yaml --run w --set optim.encoder.lr=0.1
[ ! -e w ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/bigan-fashion.yaml" --run config --set data.file=data.h5 --set train.steps=2 \
    --set bigan.hidden=16
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
