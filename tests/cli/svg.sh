# Stochastic video generation: same bits on any number of ranks and threads, exact resume, the same evaluation and pictures on 1 and
# 3 ranks, with a learned prior, a fixed one and none; what evaluation says of futures; what it refuses and says.
. "$HISS_ROOT/tests/cli/common"
small_run
clips
cat >config.yaml <<'END'
objective: svg
seed: 3
data: {file: clips.h5, fields: {clip: /clip, hit: /hit}}
svg: {past: 2, future: 3, features: 3, code: 7, hidden: 6, latent: 3}
optim: {method: adam, momentum: 0, lr: 0.01}
train: {epochs: 2, lanes: 6, lane_samples: 5}
END
judge=("${own_judgements[@]}" --set eval.train=clips.h5 --set eval.test=clips.h5 --set eval.future_clips=20 --set eval.future_draws=12)

# ---- bits ----

for prior in learned fixed none; do
    trained_alike $prior --set svg.prior=$prior
done
train 3 stopped --set train.epochs=1
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same learned stopped
! cmp -s learned/metrics.jsonl fixed/metrics.jsonl || fail 'a fixed prior trains as a learned one'

# ---- what evaluation says ----

for run in learned fixed none; do
    judged_alike $run futures.{csv,png,svg}
    [ "$(wc -l <$run/futures.csv)" -eq 4 ] && [ "$(cut -d, -f1 $run/futures.csv | paste -sd' ')" = 'frame 3 4 5' ] ||
        fail 'frames of the table' $run/futures.csv
done
charts=$(grep -o 'src="data:image/svg+xml;base64' learned/report.html | wc -l)
[ "$charts" -eq 2 ] || fail "charts in the report: $charts"
# The best of more futures is better, the best of one is the mean, and nothing else is judged where all futures are one.
of() { grep -o "\"$2\": {[^}]*}" "$1/eval.json" | sed -n "s/.*\"$3\": \([-0-9.e]*\).*/\1/p"; }
for measure in ssim psnr; do
    less "$(of learned ${measure}_of 1)" "$(of learned ${measure}_of 5)" "$measure of 1 and of 5 futures"
    less "$(of learned ${measure}_of 5)" "$(of learned ${measure}_of 12)" "$measure of 5 and of 12 futures"
    awk -v a="$(of learned ${measure}_of 1)" -v b="$(number learned mean_$measure)" 'BEGIN { exit !((a - b) ^ 2 < 1e-6 * b * b) }' ||
        fail "best of one is not the mean: $(of learned ${measure}_of 1), $(number learned mean_$measure)"
done
! grep -q '"trained/code"' none/eval.json || fail 'features that nobody judges' none/eval.json
! grep -q 'mean_ssim\|ssim_of' none/eval.json || fail 'a mean of one future' none/eval.json
! grep -q '"divergence' none/eval.json || fail 'a latent that is not there' none/eval.json
grep -q '"divergence_ratio"' fixed/eval.json && ! grep -q '"deviation_ratio"' fixed/eval.json || fail 'the deviation of a fixed prior' fixed/eval.json
grep -q '"deviation_ratio"' learned/eval.json || fail 'no deviation after hits' learned/eval.json
# The last given frame, repeated, is what it is for all of them.
[ "$(baseline learned ssim)" = "$(baseline none ssim)" ] || fail 'the last frame differs'
on 1 "$HISS" eval none "${judge[@]}" --set eval.ssim=gaussian
[ $status -eq 0 ] && grep -q '11 x 11, Gaussian' none/eval.txt && [ "$(baseline learned ssim)" != "$(baseline none ssim)" ] ||
    fail 'another window' log
on 1 "$HISS" eval none "${judge[@]}" --set eval.futures=false
[ $status -eq 0 ] && ! grep -q '"futures"' none/eval.json || fail 'futures that nobody wants' log
# Fewer or more frames than in training: the first ones are the same, and a clip must have them.
on 1 "$HISS" eval learned "${judge[@]}" --set eval.future_frames=2
[ $status -eq 0 ] && [ "$(wc -l <learned/futures.csv)" -eq 3 ] || fail 'two frames of three' learned/futures.csv
but_best() { cut -d, -f1,3,4,6,7 learned/futures.csv | head -n 3; } # the best future is that of all frames
but_best >two
on 1 "$HISS" eval learned "${judge[@]}"
but_best | cmp -s - two || fail 'the first frames of fewer' two
refused 1 'eval.future_frames: clips have 5 frames, of which 2 are given, so 3 can be foretold, found 4; set it to at most 3, or train a run on longer clips' \
    "$HISS" eval learned "${judge[@]}" --set eval.future_frames=4
train 1 short --set svg.future=1
for ranks in 1 3; do
    on $ranks "$HISS" eval short "${judge[@]}" --set eval.future_frames=3
    [ $status -eq 0 ] && [ "$(wc -l <short/futures.csv)" -eq 4 ] || fail 'three frames where one was trained' log
    cp short/futures.csv three.$ranks
done
cmp three.1 three.3 || fail 'longer futures differ between 1 and 3 ranks'
# Without hits there is nothing to say of them.
train 1 bare --set 'data.fields={clip: /clip}' --set train.epochs=1
on 2 "$HISS" eval bare "${judge[@]}"
[ $status -eq 0 ] && ! grep -q 'after_hit' bare/eval.json && [ -s bare/svg-prior.svg ] || fail 'hits that nobody knows' log
# A generator makes the clips that are in the file.
train 1 made --set data.file=null --set data.fields=null --set data.generate=moving --set generate.items=data.h5 --set generate.rows=600 \
    --set generate.size=16 --set generate.item_size=8 --set generate.count=1 --set generate.speed=2 --set generate.frames=5
[ "$(tail -n 1 learned/metrics.jsonl | sed 's/, "images.*//')" = "$(tail -n 1 made/metrics.jsonl | sed 's/, "images.*//')" ] ||
    fail 'clips of a generator and of its file differ'

# ---- what it refuses and says ----

refused 1 'network.layers: svg makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'svg needs clips of at least 9 frames, svg.past and svg.future together, found 5' "$HISS" train config.yaml --run w \
    --set svg.future=7
refused 1 'svg needs clips, uint8 [T,H,W,C], as a field' "$HISS" train config.yaml --run w --set data.fields=null
refused 1 'svg takes frames as they are, 16x16x1, and images of the same size, found 8x8x1' "$HISS" train config.yaml --run w \
    --set augment.height=8 --set augment.width=8
refused 1 'svg needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.std=0.5
refused 1 'svg.past' "$HISS" train config.yaml --run w --set svg.past=1
"$HISS" prepare generate moving --rows 60 --set generate.items=data.h5 --set generate.size=12 --set generate.item_size=5 \
    --set generate.frames=5 --output twelve.h5 2>log || fail 'prepare' log
refused 2 'svg halves frames until they are 4x4, and needs them of 8x8, 16x16, .. 256x256, found 12x12' "$HISS" train config.yaml \
    --run w --set data.file=twelve.h5 --set 'data.fields={clip: /clip}'
"$HISS" prepare generate moving --rows 60 --set generate.items=data.h5 --set generate.size=8 --set generate.item_size=4 \
    --set generate.frames=5 --output eight.h5 2>log || fail 'prepare' log
train 1 eight --set data.file=eight.h5 --set 'data.fields={clip: /clip}' --set train.epochs=1 --set train.lanes=1
refused 1 'eval.ssim: the window is 11x11, found frames of 8x8; choose the smaller window' "$HISS" eval eight "${own_judgements[@]}" \
    --set eval.test=eight.h5 --set eval.train=eight.h5 --set eval.ssim=gaussian
on 2 "$HISS" train "$HISS_ROOT/configs/svg-moving.yaml" --run config --set generate.items=data.h5 --set train.steps=2 --set data.memory=1MiB
[ $status -eq 0 ] && grep -q 'a nat of the latent costs 0.41 in squared error of a frame' log || fail "the config: exit $status" log
# A latent that costs too much says nothing.
train 1 dear --set svg.beta=100 --set train.epochs=6
grep -q 'the latent says nothing, and all futures of a clip will be alike; set svg.beta lower' log || fail 'an unused latent is not named' log
echo ok
