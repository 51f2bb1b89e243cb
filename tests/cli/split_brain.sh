# The split-brain auto-encoder: the same bits on any number of ranks and threads, exact resume, the same evaluation on 1 and
# 3 ranks; each half says the other's channels better than their frequencies do; both halves together know the class better
# than each alone; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
colors
sed -i 's/^seed:/objective: split_brain\nseed:/; s/^nat: .*/split_brain: {light_bins: 20, neighbors: 3}/; s/^assign: .*//
    s/data.h5/colors.h5/; s/^augment: .*/augment: {flip: true}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
sed -i '/^  layers:/,/^    - relu/d; /^    - /d
    s/^network:.*/network: {layers: [{conv: 8, kernel: 3, stride: 2, pad: 1}, relu, batch_norm, {conv: 8, kernel: 3, pad: 1, name: last}, relu, batch_norm]}/' config.yaml
number() {
    sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1/eval.json" | head -n 1 | grep . ||
        fail "$1: eval.json has no $2" "$1/eval.json"
}
holds() { awk "BEGIN { exit !($1) }" || fail "$2: $1"; }

short=(--set train.epochs=2)
train 1 one "${short[@]}"
grep -q 'two halves, L to Q = 261 bins of colour, a and b to 20 bins of L, at 6 x 6 places' log || fail 'not described' log
for ranks in 2 5; do
    train $ranks ranks-$ranks "${short[@]}" --set dist.threads=$((1 + ranks % 2)) --set train.activation_memory=$((ranks % 5))
    same one ranks-$ranks
done
train 3 stopped "${short[@]}" --set train.steps=7
train 2 stopped "${short[@]}"
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped
train 2 learned

judge=(--set eval.knn=false --set eval.few_labels=false --set eval.statistics=false --set eval.neighbors=false
    --set eval.random=false --set eval.pixels=false --set eval.test=colors.h5 --set eval.layers=light/last,color/last,both)
on 1 "$HISS" eval learned "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
cp learned/eval.txt eval.1
sed 's/"seconds": [0-9.]*//' learned/eval.json >json.1
on 3 "$HISS" eval learned "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' learned/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' learned/eval.txt || fail 'a table is too wide' learned/eval.txt
for place in light/last color/last both; do grep -q "^trained/$place " eval.1 || fail "no features $place" eval.1; done
holds "$(number learned colors_found) > 10" 'places of which the half of L finds the colour, per cent'
holds "$(number learned lights_found) > 5" 'places of which the half of a and b finds the lightness, per cent'

refused 2 'data.images: split_brain needs images of 3 channels (red, green, blue), found 1' "$HISS" train config.yaml \
    --run r --set data.file=data.h5
refused 1 'network.layers: split_brain takes the network up to its first flatten' "$HISS" train config.yaml --run r \
    --set 'network.layers=[flatten, {linear: 4}]'
refused 1 'split_brain.light_bins' "$HISS" train config.yaml --run r --set split_brain.light_bins=1
refused 1 "has the name that the objective gives" "$HISS" train config.yaml --run r \
    --set 'network.layers=[{conv: 4, kernel: 3, name: both}, relu]'
echo ok
