# The generative adversarial network: same bits on any number of ranks and threads, exact resume of two networks and their
# optimisers, the same evaluation on 1 and 3 ranks; made images become as different as those of the data, where the control
# without noise collapses and is told so; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: gan\nseed:/; s/^augment: .*/augment: {shift: 0}/; s/^nat: .*/gan: {latent: 6, width: 4}/
    s/^assign: .*//; s/data.h5/halves.h5/
    s/^optim: .*/optim: {method: adam, momentum: 0, beta1: 0.5, lr: 0.002, generator: {lr: 0.004}}/' config.yaml
sed -i '/^  layers:/,/^    - relu/d; /^network:/d; /^    - /d' config.yaml

last() { # RUN NAME: a number of the last line of the log
    tail -n 1 "$1/metrics.jsonl" | sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" | grep . || fail "$1: no $2" "$1/metrics.jsonl"
}

# ---- bits ----

for more in '' gan.conditional=true; do
    sets=(${more:+--set $more})
    train 1 "one$more" "${sets[@]}"
    for ranks in 2 5; do
        train $ranks "ranks$more-$ranks" "${sets[@]}" --set dist.threads=$((ranks % 3))
        same "one$more" "ranks$more-$ranks"
    done
    train 3 "stopped$more" "${sets[@]}" --set train.steps=17
    train 2 "stopped$more" "${sets[@]}"
    grep -q 'resumed from' log || fail 'not resumed' log
    same "one$more" "stopped$more"
done
[ "$(hashes one)" != "$(hashes onegan.conditional=true)" ] || fail 'the class changes nothing'

# Each network has an optimiser of its own.
train 2 slower --set optim.generator.lr=0.001 --set train.epochs=1
train 2 faster --set optim.discriminator.lr=0.004 --set train.epochs=1
train 1 short --set train.epochs=1
[ "$(hashes slower)" != "$(hashes short)" ] && [ "$(hashes faster)" != "$(hashes short)" ] || fail 'one optimiser for both'

# ---- what evaluation says ----

judge=(--set eval.few_labels=false --set eval.statistics=false --set eval.neighbors=false --set eval.test=data.h5
    --set eval.test_limit=200 --set eval.train_limit=300 --set eval.random=false --set eval.pixels=false)
on 1 "$HISS" eval onegan.conditional=true "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
grep -q 'discriminator1' onegan.conditional=true/eval.txt || fail 'no features' log
sed 's/"seconds": [0-9.]*//' onegan.conditional=true/eval.json >json.1
on 3 "$HISS" eval onegan.conditional=true "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' onegan.conditional=true/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'

# Images by number: the same on any number of ranks; of one class, and of each in its column.
on 1 "$HISS" sample onegan.conditional=true --rows 2 --output drawn.png
[ $status -eq 0 ] || fail "sample: exit $status" log
on 3 "$HISS" sample onegan.conditional=true --rows 2 --output drawn3.png
cmp drawn.png drawn3.png || fail 'other images on 3 ranks' log
on 1 "$HISS" sample onegan.conditional=true --rows 2 --class 3 --output third.png
[ $status -eq 0 ] && ! cmp -s drawn.png third.png || fail "sample of a class: exit $status, or the same images" log
refused 1 'class' "$HISS" sample one --class 3 --output none.png

# ---- collapse ----

train 2 longer --set train.epochs=20
less 0.5 "$(last longer diversity)" 'a bound, and the diversity'
! grep -q 'collapsed' log || fail 'collapse where there is none' log
grep -q '^concern: false' longer/summary.yaml || fail 'not said that all is well' longer/summary.yaml
! grep -q 'diversity, by which' log || fail 'left out' log
train 2 control --set gan.deviation=0
grep -q 'the generator has collapsed to few images: .*(diversity); that is what gan.deviation 0, a control, leads to' log || fail 'the collapse of the control is not told' log
grep -q '^concern: true' control/summary.yaml || fail 'not in the summary' control/summary.yaml
less "$(last control diversity)" 0.001 'the diversity of the control'

# One image of a lane has none to differ from: there is no diversity, and it is said why.
train 1 single --set train.lane_samples=1 --set train.steps=3
grep -q 'diversity, by which a collapse is told, is left out: .*train.lane_samples is 1' log || fail 'not said' log
! grep -q '"diversity"' single/metrics.jsonl || fail 'a diversity' single/metrics.jsonl

# ---- what it refuses ----

refused 2 'augment.height: gan makes images whose sides are multiples of 4, from 8 on, found 10 x 12' \
    "$HISS" train config.yaml --run w --set augment.height=10 --set augment.width=12
refused 1 'augment.width: gan makes images whose sides' "$HISS" train config.yaml --run w --set augment.height=12 \
    --set augment.width=7
# The layers of section network in place of the discriminator's: an encoder like others, which a classifier takes over.
layers=(--set gan.discriminator=network --set 'network.layers=[{conv: 4, kernel: 3, pad: 1, name: conv1}, batch_norm, {leaky_relu: 0.2}, {max_pool: 2}, flatten, {linear: 6, name: fc1}, relu]')
train 1 layers "${layers[@]}" --set train.steps=6
train 3 layers3 "${layers[@]}" --set train.steps=6 --threads 2
same layers layers3
[ "$(hashes layers)" != "$(hashes one)" ] || fail 'gan.discriminator does nothing'
on 1 "$HISS" eval layers --set eval.layers=conv1,fc1 --set eval.few_labels=false --set eval.iterations=5
[ $status -eq 0 ] || fail "no features of the network: exit $status" log
sed 's/, generator: {[^}]*}//' config.yaml >taught.yaml
on 1 "$HISS" train taught.yaml --run taught "${layers[@]}" --set objective=classify --set train.init=layers --set train.steps=2 --set 'train.freeze=[conv1]'
[ $status -eq 0 ] || fail "exit $status" log
grep -q 'init: 8 arrays from layers/ckpt/.*conv1/weight.*fc1/weight' log || fail 'the discriminator is not taken over' log
refused 1 'network.layers: gan makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 1 'augment.mean: gan needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.mean=0.3
refused 1 'gan.latent' "$HISS" train config.yaml --run w --set gan.latent=0
refused 1 'optim.critic' "$HISS" train config.yaml --run w --set optim.critic.lr=0.1
"$HISS" prepare idx --images halves.idx --output bare.h5 2>log || fail 'no data without labels' log
train 1 bare --set data.file=bare.h5 --set train.epochs=1
refused 2 'gan.conditional: gan needs labels, but bare.h5 has no data set /labels' "$HISS" train config.yaml --run w --set data.file=bare.h5 \
    --set gan.conditional=true
[ ! -e w ] || fail 'left behind'
# Samples without a label: left out where the class is asked for, counted, as by other methods that need labels.
train 1 some --set data.ignore_label=3 --set gan.conditional=true --set train.steps=2
grep -q 'hiss: warning: .*: 60 of 600 samples have no label and are left out' log || fail 'no count' log
grep -q 'data: .* 540 samples' log || fail 'they are not left out' log
train 1 all --set data.ignore_label=3 --set train.steps=2
! grep -q 'left out' log || fail 'left out where no labels are needed' log

on 2 "$HISS" train "$HISS_ROOT/configs/gan-fashion.yaml" --run config --set data.file=data.h5 --set train.steps=2 \
    --set gan.width=4
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
