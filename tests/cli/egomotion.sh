# Egomotion: the same bits on any number of ranks and threads and after a stop; the same evaluation on 1 and 3 ranks, with its
# picture; motions are learnt, on images that were not trained on, and not by the controls, which see the second view alone or
# the ground; layers after flatten have no part in it; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
# blob.h5: 600 times a slope of light with a dark corner, which looks different from all sides.
slope=$(awk 'BEGIN {
    for (y = 0; y < 12; y++) for (x = 0; x < 12; x++) {
        v = x < 5 && y < 5 ? 0 : 30 + 10 * y + 9 * x; printf "\\0%03o", v } }')
{
    head -c 16 images.idx
    for _ in $(seq 600); do printf '%b' "$slope"; done
} >blob.idx
"$HISS" prepare idx --images blob.idx --labels labels.idx --output blob.h5 2>log || fail 'no blobs' log
sed -i 's/^seed:/objective: egomotion\nseed:/; s/^assign: .*//; s/^augment: .*/augment: {flip: true}/
    s/^nat: .*/egomotion: {view: 10, shift: 2, bins: 4, canvas: 16, code: 16, hidden: 32}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=blob.h5
    --set eval.train=blob.h5)
# number RUN NAME: what eval.json says of it.
number() {
    awk -v name="\"$2\": " '/"measures": {/ && match($0, name) { print substr($0, RSTART + RLENGTH) + 0; exit }' \
        "$1/eval.json" | grep . || fail "$1: eval.json has no $2" "$1/eval.json"
}
# between LOW NUMBER HIGH
between() { awk -v a="$1" -v b="$2" -v c="$3" 'BEGIN { exit !(a <= b && b <= c) }'; }

# ---- bits ----

train 1 one
grep -q 'egomotion: views of 10, moved by up to 2 pixels and turned by up to 30 degrees in 4 bins, out of a canvas of 16 x 16' log ||
    fail 'not described' log
grep -q 'fc1' one/model.txt 2>/dev/null && fail 'a layer after flatten is trained'
for ranks in 2 3 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3 + 1))
    same one ranks-$ranks
done
train 7 split --set train.activation_memory=0
same one split
train 3 stopped --set train.steps=7
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped
for key in view=9 shift=1 rotate=20 bins=5 turned=false canvas=17 scale=0.5 texture=0.1 sees=second sees=ground; do
    train 2 "other-$key" --set egomotion.$key --set train.epochs=1 --set train.steps=3
    [ "$(hashes one)" != "$(hashes "other-$key")" ] || fail "$key changes nothing"
done

# ---- it learns, the controls do not ----

learn=(--set data.file=blob.h5 --set train.epochs=100 --set optim.schedule=cosine --set optim.lr=0.005 --set augment.flip=false
    --set egomotion.scale=0.8 --set egomotion.rotate=60 --set egomotion.bins=2 --set egomotion.shift=1
    --set egomotion.hidden=64 --set egomotion.code=32 --set train.lanes=4 --set train.lane_samples=16)
train 2 learnt "${learn[@]}"
train 2 second "${learn[@]}" --set egomotion.sees=second
! grep -q 'below chance' log || fail 'a control is blamed for what it is to show' log
train 2 ground "${learn[@]}" --set egomotion.sees=ground
train 2 wild "${learn[@]}" --set optim.lr=3 --set optim.schedule=constant
grep -q 'warning: .*guessing gives 2.8904' log || fail 'no warning of a run that learnt nothing' log
for run in learnt second ground; do
    on 1 "$HISS" eval $run "${judge[@]}"
    [ $status -eq 0 ] || fail "eval: exit $status" log
done
grep -q 'the network sees the second view alone' second/eval.txt || fail 'the control is not called one' second/eval.txt
grep -q 'the network sees noise alone' ground/eval.txt || fail 'the control is not called one' ground/eval.txt
for axis in y x; do
    between 50 "$(number learnt accuracy_$axis)" 100 || fail "$axis is not learnt" learnt/eval.txt
done
between 75 "$(number learnt accuracy_rotation)" 100 || fail 'rotation is not learnt' learnt/eval.txt
for run in second ground; do
    for axis in y x; do
        between 25 "$(number $run accuracy_$axis)" 42 || fail "$run tells $axis" $run/eval.txt
    done
    between 42 "$(number $run accuracy_rotation)" 58 || fail "$run tells the rotation" $run/eval.txt
done
sed 's/"seconds": [0-9.]*//' learnt/eval.json >json.1
cp learnt/egomotion.png .
on 3 "$HISS" eval learnt "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' learnt/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp egomotion.png learnt/egomotion.png || fail 'pictures differ'
grep -q 'What the network sees' learnt/report.html || fail 'no picture in the report'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' learnt/eval.txt || fail 'a table is too wide' learnt/eval.txt

# ---- what it refuses ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run w "${@:3}"; }
wrong 1 'egomotion.view: views of 10 that move by up to 2 need images of at least 23 x 23, found 12 x 12; put the images on a canvas (--set egomotion.canvas=14)' \
    --set egomotion.canvas=0
wrong 2 'egomotion.canvas: views of 14 that move by up to 2 need a canvas of at least 18 x 18, found 16 x 16; make the views smaller (--set egomotion.view=12) or make the canvas larger (--set egomotion.canvas=18)' \
    --set egomotion.view=14
wrong 2 'network.layers: egomotion trains the layers before flatten' \
    --set 'network.layers=[flatten, {linear: 4, name: fc1}]'
wrong 1 "layer 'hidden' has the name " --set 'network.layers=[{conv: 4, kernel: 3, name: hidden}, flatten]'
wrong 1 'egomotion.sees' --set egomotion.sees=first
[ ! -e w ] || fail 'left behind'
echo ok
