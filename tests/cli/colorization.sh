# Colourisation: the same bits on any number of ranks and threads, with the frequencies of colours that are measured first,
# exact resume, the same evaluation on 1 and 3 ranks; on colours of a known distribution its cross-entropy comes near the
# entropy, the annealed mean keeps the saturation, the mean and the control do not; weights find rare colours; what it
# refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
colors
sed -i 's/^seed:/objective: colorization\nseed:/; s/^nat: .*/colorization: {neighbors: 5}/; s/^assign: .*//
    s/data.h5/colors.h5/; s/^augment: .*/augment: {shift: 1, flip: true}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
sed -i '/^  layers:/,/^    - relu/d; /^    - /d
    s/^network:.*/network: {layers: [{conv: 8, kernel: 5, stride: 2, pad: 2}, relu, batch_norm, {conv: 8, kernel: 5, pad: 2, name: conv2}, relu, batch_norm, flatten, {linear: 3}]}/' config.yaml

judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=colors.h5
    --set eval.train_limit=40 --set eval.test_limit=300)
number() {
    sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1/eval.json" | head -n 1 | grep . ||
        fail "$1: eval.json has no $2" "$1/eval.json"
}
holds() { awk "BEGIN { exit !($1) }" || fail "$2: $1"; }

# ---- bits ----

short=(--set train.epochs=2)
train 1 one "${short[@]}"
grep -q '^hiss: colours: 261 bins of 10 x 10 hold all colours of sRGB; ' log || fail 'no bins' log
grep -q 'Q = 261 bins of colour at 6 x 6 places' log || fail 'places are not said' log
for ranks in 2 5; do
    train $ranks ranks-$ranks "${short[@]}" --set dist.threads=$((1 + ranks % 2)) --set train.activation_memory=$((ranks % 5))
    same one ranks-$ranks
done
train 3 stopped "${short[@]}" --set train.steps=7
train 2 stopped "${short[@]}"
grep -q 'resumed from' log || fail 'not resumed' log
grep -q 'hiss: colours:' log && fail 'measured again' log
same one stopped
train 2 flat "${short[@]}" --set colorization.rebalance=false
[ "$(hashes one)" != "$(hashes flat)" ] || fail 'weights change nothing'

on 1 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
cp one/eval.txt eval.1 && cp one/colors.png .
sed 's/"seconds": [0-9.]*//' one/eval.json >json.1
on 3 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' one/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp colors.png one/colors.png || fail 'pictures differ'
grep -q 'saturation: distance from grey' one/report.html || fail 'no saturation in the report'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' one/eval.txt || fail 'a table is too wide' one/eval.txt

# ---- one of two hues, at odds of 3 to 1: 0.5623 nats, and a mean that is half as far from grey ----

"$HISS" prepare generate palette --rows 600 --set generate.items=data.h5 --set generate.size=12 --set generate.odds=0.75 \
    --set generate.palettes=1 --output odds.h5 2>log || fail 'no pictures' log
known=(--set data.file=odds.h5 --set colorization.neighbors=1 --set colorization.rebalance=false --set train.epochs=8
    --set augment.shift=0)
for run in coin control weighed; do
    more=()
    [ $run != control ] || more=(--set colorization.loss=l2)
    [ $run != weighed ] || more=(--set colorization.rebalance=true --set colorization.uniform=0.001)
    train 2 $run "${known[@]}" "${more[@]}"
    on 2 "$HISS" eval $run "${judge[@]}" --set eval.test=odds.h5
    [ $status -eq 0 ] || fail "eval of $run: exit $status" log
done
holds "$(number coin cross_entropy) > 0.5 && $(number coin cross_entropy) < 0.65" 'cross-entropy, near 0.56'
holds "$(number coin annealed_chroma) > 1.4 * $(number coin mean_chroma)" 'saturation of the annealed mean and of the mean'
holds "$(number control chroma) < 0.65 * $(number control true_chroma)" 'the control is grey'
holds "1.4 * $(number control chroma) < $(number coin annealed_chroma)" 'the control, and the annealed mean'
# Weights make both hues as likely: ln 2 = 0.6931 nats.
holds "$(number weighed cross_entropy) > 0.65 && $(number weighed cross_entropy) < 0.78" 'cross-entropy with weights'
holds "$(number weighed annealed_chroma) < 0.6 * $(number coin annealed_chroma)" 'no hue is likelier with weights'

# ---- what it refuses ----

refused 2 'data.images: colorization needs images of 3 channels (red, green, blue), found 1' "$HISS" train config.yaml \
    --run r --set data.file=data.h5
refused 1 'network.layers: colorization takes the network up to its first flatten' "$HISS" train config.yaml --run r \
    --set 'network.layers=[flatten, {linear: 4}]'
refused 1 'network.layers: colorization takes the network up to its first flatten' "$HISS" train config.yaml --run r \
    --set 'network.layers=[{conv: 4, kernel: 3}, global_average_pool]'
refused 1 'augment.mean: colorization needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.mean=0.5
refused 1 'augment.contrast: colorization needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.contrast=0.5
refused 1 'colorization.temperature' "$HISS" train config.yaml --run r --set colorization.temperature=0
"$HISS" prepare generate palette --rows 60 --set generate.items=data.h5 --set generate.size=12 --set generate.ground=plain \
    --output plain.h5 2>log || fail 'no grey ground' log
train 1 plain --set data.file=plain.h5 --set train.epochs=1 --set train.lanes=3
echo ok
