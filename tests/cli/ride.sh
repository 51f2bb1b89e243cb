# RIDE: same bits on any number of ranks and threads, exact resume, the same evaluation and pictures on 1 and 3 ranks; better
# than the linear-Gaussian predictor, where the control, of one hidden unit, is less so; bits of a pixel are those of its nats;
# images to order; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: ride\nseed:/; s/^augment: .*/augment: {height: 6, width: 6}/
    s/^nat: .*/ride: {hidden: 8, components: 3}/; s/^assign: .*//
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.02}/; s/data.h5/halves.h5/' config.yaml
sed -i '/^network:/,/^ride:/{/^ride:/!d}' config.yaml

judge=("${own_judgements[@]}" --set eval.train=halves.h5 --set eval.test=halves.h5 --set eval.generated=60)

train 1 one
for ranks in 2 5 7; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3 + 1))
    same one ranks-$ranks
done
train 3 stopped --set train.epochs=2
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

for ranks in 1 3; do
    on $ranks "$HISS" eval one "${judge[@]}"
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' one/eval.json >json.$ranks
    sha256sum one/generated.png one/ride-completed.png >pictures.$ranks
done
cmp json.1 json.3 || fail 'eval.json differs between 1 and 3 ranks'
cmp pictures.1 pictures.3 || fail 'pictures differ'
for title in 'Made images' 'Completed images' 'density of test images' 'upper bound'; do
    grep -q "$title" one/report.html || fail "no $title in the report"
done
less "$(number one nats)" "$(awk -v b="$(baseline one nats)" 'BEGIN { print b - 10 }')" \
    'nats, and those of the linear-Gaussian predictor'
awk -v n="$(number one nats)" -v b="$(number one bits_per_dim)" 'BEGIN { d = n / 36 / log(2) + 8 - b; exit !(d * d < 1e-6) }' ||
    fail "$(number one nats) nats are $(number one bits_per_dim) bits of a pixel"
grep -q '"bits_per_dim"' one/metrics.jsonl || fail 'no bits in the log' one/metrics.jsonl
train 1 control --set ride.hidden=1
on 1 "$HISS" eval control "${judge[@]}"
less "$(number one nats)" "$(number control nats)" 'nats, and those of one hidden unit'
[ "$(baseline one nats)" = "$(baseline control nats)" ] || fail 'the control of the same images is another one'

# A probe of the hidden units, and images by themselves.
on 1 "$HISS" eval one "${judge[@]}" --set eval.linear=true --set eval.iterations=5
[ $status -eq 0 ] && grep -q 'trained/hidden' one/eval.json || fail "no probe: exit $status" log
on 1 "$HISS" sample one --output drawn.png
[ $status -eq 0 ] && cmp drawn.png one/generated.png || fail "sample: exit $status, or other images" log
on 3 "$HISS" sample one --output drawn3.png
cmp drawn.png drawn3.png || fail 'other images on 3 ranks' log

refused 1 'network.layers: ride makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'ride.hidden' "$HISS" train config.yaml --run w --set ride.hidden=0
refused 1 'ride.window' "$HISS" train config.yaml --run w --set ride.window=8
refused 1 'augment.std: ride needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.std=0.3
colors
refused 1 'objective: ride needs images of one channel and at least 2 x 2 pixels, found 6x6x3; choose other data' \
    "$HISS" train config.yaml --run w --set data.file=colors.h5
[ ! -e w ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/ride-fashion.yaml" --run config --set data.file=data.h5 --set train.steps=2
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
