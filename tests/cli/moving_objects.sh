# Objects that move: the same bits on any number of ranks and threads and after a stop, with each head; the same evaluation and
# pictures on 1 and 3 ranks; masks are learnt that mark movers and not what stands still, and not by the control; what is said
# without the truth; what it refuses; the config.
. "$HISS_ROOT/tests/cli/common"
small_run
# clutter.h5: 600 clips in which the pictures of the first half of the classes move before those of the other half.
made=(--set generate.items=data.h5 --set generate.size=16 --set generate.item_size=6 --set generate.count=2 --set generate.frames=7
    --set generate.mover_classes=5 --set generate.grain=3)
"$HISS" prepare generate clutter --rows 600 "${made[@]}" --output clutter.h5 2>log || fail 'no clips' log
cat >config.yaml <<'END'
objective: moving_objects
seed: 3
data: {file: clutter.h5, fields: {clip: /clip, mover: /mover}}
network:
  layers:
    - {conv: 8, kernel: 3, pad: 1, bias: false, name: conv1}
    - batch_norm
    - relu
    - {max_pool: 2}
    - {conv: 8, kernel: 3, pad: 1, bias: false, name: conv2}
    - batch_norm
    - relu
    - flatten
    - {linear: 9, name: fc1}
moving_objects: {features: 8, head: local}
optim: {method: adam, momentum: 0, lr: 0.01}
train: {epochs: 2, lanes: 6, lane_samples: 5}
END
judge=("${own_judgements[@]}" --set eval.train=clutter.h5 --set eval.test=clutter.h5)

# ---- bits ----

trained_alike local
grep -q 'moving_objects: a mask of 8 x 8 cells from frame 3 of 7, local head' log || fail 'not described' log
grep -q 'fc1' local/model.txt 2>/dev/null && fail 'a layer after flatten is trained'
trained_alike linear --set moving_objects.head=linear
trained_alike shuffled --set moving_objects.shuffled=true
for run in linear shuffled; do
    [ "$(hashes local)" != "$(hashes $run)" ] || fail "$run changes nothing"
done
for key in cell=1 features=9 low=0.02 high=0.5 still=0.3 moves=0.9 least=0.1 most=0.06; do
    train 2 "other-$key" --set moving_objects.$key --set train.epochs=1 --set train.steps=3
    [ "$(hashes local)" != "$(hashes "other-$key")" ] || fail "$key changes nothing"
done
train 3 stopped --set train.steps=23
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same local stopped
# The same clips, made while training goes on.
train 2 generated --set data.file=null --set data.fields=null --set data.generate=clutter --set generate.rows=600 "${made[@]}"
same local generated

# ---- it learns, the control does not ----

train 2 learnt --set train.epochs=25 --set optim.schedule=cosine
train 2 control --set train.epochs=25 --set optim.schedule=cosine --set moving_objects.shuffled=true
for run in learnt control; do
    on 1 "$HISS" eval $run "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $run: exit $status" log
done
grep -q 'the network learnt the masks of other clips' control/eval.txt || fail 'the control is not called one' control/eval.txt
less "$(number learnt cross_entropy)" "$(number learnt constant)" 'cross-entropy, and that of the share'
less "$(number control ranked_iou)" "$(number learnt ranked_iou)" 'IoU by rank of the control, and of what has learnt'
less "$(number control iou)" "$(number learnt iou)" 'IoU of the control, and of what has learnt'
less "$(number learnt still_marked)" "$(number learnt mover_marked)" 'marked of what stands still, and of what moves'
judged_alike learnt masks.png
grep -q 'What moves' learnt/report.html || fail 'no picture in the report'
train 1 blind --set 'data.fields={clip: /clip}'
on 1 "$HISS" eval blind "${judge[@]}"
[ $status -eq 0 ] && grep -q 'no field mover' blind/eval.txt && ! grep -q 'ranked_iou' blind/eval.json || fail 'without the truth' blind/eval.txt

# ---- what it refuses ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run w "${@:3}"; }
wrong 1 'moving_objects needs clips, uint8 [T,H,W,C], as a field' --set data.fields=null
wrong 2 'moving_objects.cell: 3, but images are 16x16; expected a divisor of both' --set moving_objects.cell=3
wrong 1 'moving_objects.high: 0.04; expected more than moving_objects.low, 0.05' --set moving_objects.high=0.04
wrong 1 'moving_objects.moves: 0.05; expected at least moving_objects.still, 0.1' --set moving_objects.moves=0.05
wrong 1 'moving_objects.most: 0.001; expected at least moving_objects.least, 0.01' --set moving_objects.most=0.001
wrong 2 'moving_objects.head: local needs as many cells below each place of the map, found masks of 4x4 and a map of 8x8' \
    --set moving_objects.cell=4
wrong 1 'moving_objects.shuffled: takes the mask of another clip of the lane, found train.lane_samples 1' \
    --set moving_objects.shuffled=true --set train.lane_samples=1
wrong 2 'network.layers: moving_objects trains the layers before flatten' --set 'network.layers=[flatten, {linear: 4, name: fc1}]'
wrong 1 'moving_objects needs pixels of 0..1' --set augment.std=0.5
clutter() { refused 1 "$1" "$HISS" prepare generate clutter --rows 9 "${made[@]}" --output x.h5 "${@:2}"; }
clutter 'generate.movers: 3 of 2 items' --set generate.movers=3
clutter 'generate.speed: 11, but items have 10 pixels to move in' --set generate.speed=11
clutter 'generate.item_size: 16, but a frame has 16 rows' --set generate.item_size=16
clutter 'generate.mover_classes: 10, but all items of' --set generate.mover_classes=10
[ ! -e w ] && [ ! -e x.h5 ] || fail 'left behind'
on 2 "$HISS" train "$HISS_ROOT/configs/moving-objects.yaml" --run config --set generate.items=data.h5 --set train.steps=2 \
    --set data.memory=8MiB --set data.mode=stream
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
