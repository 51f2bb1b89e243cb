# Jigsaw puzzles: the same bits on any number of ranks and threads and after a stop; the same evaluation on 1 and 3 ranks,
# with its picture; orders are learnt, and not by the control, whose tiles are all the same; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
# blob.h5: 600 times a cone of light, on which a tile's slope says where it lies.
cone=$(awk 'BEGIN {
    for (y = 0; y < 12; y++) for (x = 0; x < 12; x++) {
        v = int(250 - 35 * sqrt((y - 5.5) ^ 2 + (x - 5.5) ^ 2)); printf "\\0%03o", (v > 0 ? v : 0) } }')
{
    head -c 16 images.idx
    for _ in $(seq 600); do printf '%b' "$cone"; done
} >blob.idx
"$HISS" prepare idx --images blob.idx --labels labels.idx --output blob.h5 2>log || fail 'no blobs' log
sed -i 's/^seed:/objective: jigsaw\nseed:/; s/^assign: .*//; s/^augment: .*/augment: {flip: true}/
    s/^nat: .*/jigsaw: {tile: 6, cell: 8, canvas: 24, permutations: 8, code: 8, hidden: 32}/
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
grep -q 'jigsaw: 8 orders of 3 x 3 tiles, at least 9 places apart; tiles of 6 in cells of 8 out of a canvas of 24 x 24' log ||
    fail 'not described' log
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
train 3 stopped --set train.steps=7
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped
for key in permutations=7 tile=5 identical=true; do
    train 2 "other-$key" --set jigsaw.$key --set train.epochs=1 --set train.steps=3
    [ "$(hashes one)" != "$(hashes "other-$key")" ] || fail "$key changes nothing"
done

# ---- it learns, the control does not ----

learn=(--set data.file=blob.h5 --set train.epochs=30 --set optim.schedule=cosine --set optim.lr=0.005
    --set jigsaw.scale=0.9 --set train.lanes=4 --set train.lane_samples=16)
train 2 learnt "${learn[@]}"
train 2 control "${learn[@]}" --set jigsaw.identical=true
! grep -q 'below chance' log || fail 'a control is blamed for what it is to show' log
train 2 wild "${learn[@]}" --set optim.lr=3 --set optim.schedule=constant
grep -q 'warning: .*guessing gives 2.0794' log || fail 'no warning of a run that learnt nothing' log
for run in learnt control; do
    on 1 "$HISS" eval $run "${judge[@]}"
    [ $status -eq 0 ] || fail "eval: exit $status" log
done
grep -q 'differ in at least 9 of 9 places' learnt/eval.txt || fail 'not said how far the orders are apart' learnt/eval.txt
awk -v a="$(number learnt accuracy)" -v b="$(number control accuracy)" 'BEGIN { exit !(a > 40 && b < 18) }' ||
    fail "accuracy $(number learnt accuracy), of the control $(number control accuracy)"
sed 's/"seconds": [0-9.]*//' learnt/eval.json >json.1
cp learnt/jigsaw.png .
on 3 "$HISS" eval learnt "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' learnt/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp jigsaw.png learnt/jigsaw.png || fail 'pictures differ'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' learnt/eval.txt || fail 'a table is too wide' learnt/eval.txt
on 1 "$HISS" eval learnt "${judge[@]}" --set seed=99
awk -v a="$(number learnt accuracy)" 'BEGIN { exit !(a > 40) }' || fail 'another seed of evaluation has other orders' learnt/eval.txt

# ---- what it refuses ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run w "${@:3}"; }
wrong 2 'jigsaw.cell: 3 x 3 cells of 8 need 24 x 24 pixels, found 12 x 12' --set jigsaw.canvas=0
wrong 1 'jigsaw.canvas: 3 x 3 cells of 9 need 27 x 27 pixels, found 24 x 24' --set jigsaw.cell=9
wrong 1 'jigsaw.tile: 9, larger than jigsaw.cell, 8' --set jigsaw.tile=9
wrong 1 'jigsaw.tile: patches of 2 x 2 are too small for the layers before flatten' \
    --set jigsaw.tile=2 --set 'network.layers=[{conv: 4, kernel: 3, name: conv1}, relu, flatten]'
wrong 2 'network.layers: jigsaw trains the layers before flatten' --set 'network.layers=[flatten, {linear: 4, name: fc1}]'
wrong 1 'jigsaw.permutations' --set jigsaw.permutations=1
[ ! -e w ] || fail 'left behind'
echo ok
