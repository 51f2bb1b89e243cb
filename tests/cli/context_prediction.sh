# Context prediction: the same bits on any number of ranks and threads and after a stop; the same evaluation on 1 and 3 ranks,
# with its picture; directions are learnt, on images that were not trained on, and not by the control, whose first patch is
# blank; layers after flatten have no part in it; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
# blob.h5: 600 times a cone of light, on which a patch's slope says where it lies.
cone=$(awk 'BEGIN {
    for (y = 0; y < 12; y++) for (x = 0; x < 12; x++) {
        v = int(250 - 35 * sqrt((y - 5.5) ^ 2 + (x - 5.5) ^ 2)); printf "\\0%03o", (v > 0 ? v : 0) } }')
{
    head -c 16 images.idx
    for _ in $(seq 600); do printf '%b' "$cone"; done
} >blob.idx
"$HISS" prepare idx --images blob.idx --labels labels.idx --output blob.h5 2>log || fail 'no blobs' log
sed -i 's/^seed:/objective: context_prediction\nseed:/; s/^assign: .*//; s/^augment: .*/augment: {flip: true}/
    s/^nat: .*/context_prediction: {patch: 6, gap: 2, jitter: 1, canvas: 24, code: 16, hidden: 32}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=blob.h5
    --set eval.train=blob.h5)
# number RUN NAME: what eval.json says of it.
number() {
    awk -v name="\"$2\": " '/"measures": {/ && match($0, name) { print substr($0, RSTART + RLENGTH) + 0; exit }' \
        "$1/eval.json" | grep . || fail "$1: eval.json has no $2" "$1/eval.json"
}

# ---- bits ----

train 1 one
grep -q 'context_prediction: patches of 6, gap 2, jitter 1, out of a canvas of 24 x 24' log || fail 'not described' log
grep -q 'fc1' one/model.txt 2>/dev/null && fail 'a layer after flatten is trained'
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
train 7 split --set train.activation_memory=0
same one split
train 1 shared --set context_prediction.gap=1 --set train.steps=5
grep -q 'objective: .*; patches may overlap by 1 pixels, .*: a jitter of 0 or a gap of 2 keeps them apart' log || fail 'no word of overlap' log
train 3 stopped --set train.steps=7
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped
for key in gap=1 jitter=0 patch=5 canvas=25 scale=0.5 texture=0.1 second_only=true; do
    train 2 "other-$key" --set context_prediction.$key --set train.epochs=1 --set train.steps=3
    [ "$(hashes one)" != "$(hashes "other-$key")" ] || fail "$key changes nothing"
done

# ---- it learns, the control does not ----

learn=(--set data.file=blob.h5 --set train.epochs=30 --set optim.schedule=cosine --set optim.lr=0.005
    --set context_prediction.scale=0.9 --set context_prediction.texture=0.02 --set train.lanes=4 --set train.lane_samples=16)
train 2 learnt "${learn[@]}"
train 2 control "${learn[@]}" --set context_prediction.second_only=true
! grep -q 'below chance' log || fail 'a control is blamed for what it is to show' log
train 2 wild "${learn[@]}" --set optim.lr=3 --set optim.schedule=constant
grep -q 'warning: .*guessing gives 2.0794' log || fail 'no warning of a run that learnt nothing' log
for run in learnt control; do
    on 1 "$HISS" eval $run "${judge[@]}"
    [ $status -eq 0 ] || fail "eval: exit $status" log
done
grep -q 'the network sees the second patch alone' control/eval.txt || fail 'the control is not called one' control/eval.txt
awk -v a="$(number learnt accuracy)" -v b="$(number control accuracy)" 'BEGIN { exit !(a > 30 && b < 18) }' ||
    fail "accuracy $(number learnt accuracy), of the control $(number control accuracy)"
sed 's/"seconds": [0-9.]*//' learnt/eval.json >json.1
cp learnt/context.png .
on 3 "$HISS" eval learnt "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' learnt/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp context.png learnt/context.png || fail 'pictures differ'
grep -q 'What the network sees' learnt/report.html || fail 'no picture in the report'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' learnt/eval.txt || fail 'a table is too wide' learnt/eval.txt

# ---- what it refuses ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run w "${@:3}"; }
wrong 2 'context_prediction.patch: two patches of 6 with a gap of 2 and a jitter of 1 need images of at least 16 x 16, found 12 x 12' \
    --set context_prediction.canvas=0
wrong 1 'context_prediction.canvas: patches of 7 with a gap of 2 need a canvas of at least 27, found 24' \
    --set context_prediction.patch=7
wrong 1 'context_prediction.patch: patches of 2 x 2 are too small for the layers before flatten' \
    --set context_prediction.patch=2 --set context_prediction.jitter=0 --set 'network.layers=[{conv: 4, kernel: 3, name: conv1}, relu, flatten]'
wrong 2 'network.layers: context_prediction trains the layers before flatten' \
    --set 'network.layers=[flatten, {linear: 4, name: fc1}]'
wrong 1 "layer 'hidden' has the name " --set 'network.layers=[{conv: 4, kernel: 3, name: hidden}, flatten]'
wrong 1 'context_prediction.scale' --set context_prediction.scale=0
[ ! -e w ] || fail 'left behind'
echo ok
