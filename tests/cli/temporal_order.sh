# Temporal order: the same bits on any number of ranks and threads and after a stop; the same evaluation on 1 and 3 ranks; keys that
# count; order is learnt, and not by the control, which sees one frame three times; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
clips
cat >config.yaml <<'END'
objective: temporal_order
seed: 3
data: {file: clips.h5, fields: {clip: /clip, hit: /hit}}
network: {layers: [{conv: 8, kernel: 3, pad: 1, name: conv1}, {max_pool: 2}, batch_norm, relu, flatten]}
temporal_order: {window: 2, gap: 1, code: 16, hidden: 16}
optim: {method: adam, momentum: 0, lr: 0.01}
train: {epochs: 2, lanes: 6, lane_samples: 5}
END
judge=("${own_judgements[@]}" --set eval.train=clips.h5 --set eval.test=clips.h5)

# ---- bits ----

trained_alike one
grep -q 'three of 5 frames, up to 2 apart, gap 1, 75 % out of order; between hits where there is room' log || fail 'not described' log
train 3 stopped --set train.steps=13
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped
for key in negatives=0.5 identical=true; do
    train 1 "other-$key" --set temporal_order.$key
    [ "$(hashes one)" != "$(hashes "other-$key")" ] || fail "$key changes nothing"
done
train 1 wide --set temporal_order.window=4
grep -q 'up to 2 apart (more do not fit), gap 1' log || fail 'a window that does not fit is not said' log
same one wide

# ---- it learns, the control does not ----

learn=(--set train.epochs=25 --set optim.schedule=cosine --set train.lanes=2 --set train.lane_samples=30)
train 2 learnt "${learn[@]}"
train 2 control "${learn[@]}" --set temporal_order.identical=true
! grep -q 'below chance' log || fail 'the control is blamed for what it is to show' log
judged_alike learnt eval.txt
on 1 "$HISS" eval control "${judge[@]}"
grep -q 'identical is on' control/eval.txt || fail 'the control is not called one' control/eval.txt
less 60 "$(number learnt balanced_accuracy)" 'balanced accuracy (%)'
less "$(number control balanced_accuracy)" 56 'balanced accuracy of the control'
less 44 "$(number control balanced_accuracy)" 'balanced accuracy of the control'

# ---- what it refuses ----

refused 1 '2 temporal_order.gap + 3, found 5' "$HISS" train config.yaml --run w --set temporal_order.gap=2
refused 1 'temporal_order trains the layers before flatten, and found none with a name' "$HISS" train config.yaml --run w \
    --set 'network.layers=[flatten, {linear: 4, name: fc1}]'
[ ! -e w ] || fail 'left behind'
echo ok
