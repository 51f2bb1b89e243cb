# The gated PixelCNN: same bits on any number of ranks and threads, exact resume, the same evaluation and pictures on 1 and 3
# ranks; better than independent pixels; levels, classes and completions; images made to order; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: pixelcnn\nseed:/; s/^augment: .*/augment: {shift: 1, flip: true}/
    s/^nat: .*/pixelcnn: {features: 4, layers: 2, first: 5, output: 8}/; s/^assign: .*//
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.02}/; s/data.h5/halves.h5/' config.yaml
sed -i '/^network:/,/^pixelcnn:/{/^pixelcnn:/!d}' config.yaml

judge=("${own_judgements[@]}" --set eval.train=halves.h5 --set eval.test=halves.h5 --set eval.generated=60)

# ---- bits ----

for more in pixelcnn.levels=2 'pixelcnn.levels=16 pixelcnn.conditional=true'; do
    sets=()
    for set in $more; do sets+=(--set "$set"); done
    train 1 "one $more" "${sets[@]}"
    for ranks in 2 5; do
        train $ranks "ranks-$ranks $more" --set dist.threads=$((ranks % 3)) "${sets[@]}"
        same "one $more" "ranks-$ranks $more"
    done
    train 3 "stopped $more" "${sets[@]}" --set train.epochs=2
    train 2 "stopped $more" "${sets[@]}"
    grep -q 'resumed from' log || fail 'not resumed' log
    same "one $more" "stopped $more"
done
mv 'one pixelcnn.levels=2' one
mv 'one pixelcnn.levels=16 pixelcnn.conditional=true' levels

# ---- what evaluation says ----

for run in one levels; do
    for ranks in 1 3; do
        on $ranks "$HISS" eval $run "${judge[@]}"
        [ $status -eq 0 ] || fail "eval of $run on $ranks ranks: exit $status" log
        sed 's/"seconds": [0-9.]*//' $run/eval.json >json.$ranks
        sha256sum $run/generated.png $run/pixelcnn-completed.png >pictures.$ranks
    done
    cmp json.1 json.3 || fail "eval.json of $run differs between 1 and 3 ranks"
    cmp pictures.1 pictures.3 || fail "pictures of $run differ"
    for title in 'Made images' 'Completed images' 'probability of test images'; do
        grep -q "$title" $run/report.html || fail "no $title in the report of $run"
    done
    awk 'length($0) > 120 { bad = 1 } END { exit bad }' $run/eval.txt || fail 'a table is too wide' $run/eval.txt
done
less "$(number one nats)" "$(awk -v b="$(baseline one nats)" 'BEGIN { print 0.95 * b }')" 'nats, and those of independent pixels'
awk -v n="$(number one nats)" -v b="$(number one bits_per_dim)" 'BEGIN { d = n / 144 / log(2) - b; exit !(d * d < 1e-6) }' ||
    fail "$(number one nats) nats are $(number one bits_per_dim) bits of a pixel"
less "$(number levels bits_per_dim)" 3.5 'bits of a pixel of 16 levels, whose most is 4'
grep -q 'of binary pixels' one/eval.txt && grep -q 'of pixels of 16 levels' levels/eval.txt || fail 'of which data is not said' levels/eval.txt
grep -q '"bits_per_dim"' one/metrics.jsonl || fail 'no bits in the log' one/metrics.jsonl

# ---- images by themselves ----

on 1 "$HISS" sample one --output drawn.png
[ $status -eq 0 ] && cmp drawn.png one/generated.png || fail "sample: exit $status, or other images" log
on 3 "$HISS" sample one --output drawn3.png
cmp drawn.png drawn3.png || fail 'other images on 3 ranks' log
on 1 "$HISS" sample levels --rows 2 --columns 3 --class 3 --output third.png
on 1 "$HISS" sample levels --rows 2 --columns 3 --class 4 --output fourth.png
[ $status -eq 0 ] && ! cmp -s third.png fourth.png || fail "sample of a class: exit $status, or the same images" log
refused 1 'class' "$HISS" sample one --class 3 --output none.png

# ---- what it refuses ----

refused 1 'network.layers: pixelcnn makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'pixelcnn.kernel: expected an odd number, found 4' "$HISS" train config.yaml --run w --set pixelcnn.kernel=4
refused 1 'pixelcnn.first: expected an odd number, found 6' "$HISS" train config.yaml --run w --set pixelcnn.first=6
refused 1 'pixelcnn.levels' "$HISS" train config.yaml --run w --set pixelcnn.levels=257
refused 1 'augment.mean: pixelcnn needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.mean=0.3
"$HISS" prepare idx --images halves.idx --output bare.h5 2>log || fail 'no data without labels' log
train 1 bare --set data.file=bare.h5 --set train.steps=1
refused 2 'pixelcnn.conditional: pixelcnn needs labels, but bare.h5 has no data set /labels' "$HISS" train config.yaml --run w \
    --set data.file=bare.h5 --set pixelcnn.conditional=true
colors
refused 1 'objective: pixelcnn needs images of one channel and at least 2 x 2 pixels, found 12x12x3; choose other data' \
    "$HISS" train config.yaml --run w --set data.file=colors.h5
[ ! -e w ] || fail 'left behind'

for config in pixelcnn-fashion pixelcnn-levels-fashion; do
    on 2 "$HISS" train "$HISS_ROOT/configs/$config.yaml" --run $config --set data.file=data.h5 --set train.steps=2
    [ $status -eq 0 ] || fail "the config $config: exit $status" log
done
echo ok
