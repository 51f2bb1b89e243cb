# Stochastic variational video prediction: same bits on any number of ranks and threads, exact resume within and between phases, the
# same evaluation and pictures on 1 and 3 ranks; phases skipped leave the latent unused; what evaluation says; what it refuses; the config.
. "$HISS_ROOT/tests/cli/common"
small_run
clips
cat >config.yaml <<'END'
objective: sv2p
seed: 3
data: {file: clips.h5, fields: {clip: /clip, hit: /hit}}
sv2p: {past: 2, future: 3, features: 2, kernels: 3, window: 3, latent: 2, random_epochs: 1, free_epochs: 1, sampling: 15}
optim: {method: adam, momentum: 0, lr: 0.01}
train: {epochs: 3, lanes: 6, lane_samples: 5}
END
judge=("${own_judgements[@]}" --set eval.train=clips.h5 --set eval.test=clips.h5 --set eval.future_clips=20 --set eval.future_draws=6)
unphased='--set sv2p.random_epochs=0 --set sv2p.free_epochs=0'

# ---- bits ----

trained_alike phased
# shellcheck disable=SC2086
trained_alike unphased $unphased
[ "$(hashes phased)" != "$(hashes unphased)" ] || fail 'phases change nothing'
for steps in 13 20 33 47; do # within a phase, between two, and within the others
    train 3 stopped$steps --set train.steps=$steps
    ! grep 'says nothing' log || fail 'a latent that nobody has used yet'
    train 2 stopped$steps
    grep -q 'resumed from' log || fail 'not resumed' log
    same phased stopped$steps
done
[ "$(grep -c '"divergence"' phased/metrics.jsonl)" -eq 2 ] || fail 'phases with a divergence' phased/metrics.jsonl
train 1 truth --set sv2p.sampling=0
[ "$(hashes phased)" != "$(hashes truth)" ] || fail 'scheduled sampling changes nothing'

# ---- what evaluation says ----

for run in phased unphased; do
    judged_alike $run futures.{csv,png,svg}
    [ "$(cut -d, -f1 $run/futures.csv | paste -sd' ')" = 'frame 3 4 5' ] || fail 'frames of the table' $run/futures.csv
done
for name in next_psnr next_psnr_after_hit next_psnr_elsewhere; do
    [ "$(baseline phased $name)" = "$(baseline unphased $name)" ] || fail "the frame before differs: $name"
done
less "$(number phased mean_ssim)" "$(number phased ssim)" 'SSIM of all futures, and of the best'
# The frame before is learnt to be beaten; a latent that costs much from the start stays unused, which training says.
train 2 long --set train.epochs=8 --set sv2p.beta=1e-4
on 1 "$HISS" eval long "${judge[@]}"
less "$(baseline long next_psnr)" "$(number long next_psnr)" 'PSNR of the frame before, and of the one made'
less "$(number long next_psnr)" "$(number long told_psnr)" 'PSNR without and with the latent of the clip'
# shellcheck disable=SC2086
train 2 dear $unphased --set sv2p.rise_epochs=0 --set sv2p.beta=10 --set train.epochs=6
grep -q 'nats a clip: the latent says nothing, and all futures of a clip will be alike; set sv2p.beta lower' log ||
    fail 'no warning of a latent that says nothing' log
on 1 "$HISS" eval dear "${judge[@]}"
less "$(number dear divergence)" "$(number long divergence)" 'nats of a latent that is too dear, and of one with phases'
# Without hits there is nothing to say of them.
train 1 bare --set 'data.fields={clip: /clip}' --set train.steps=5
on 2 "$HISS" eval bare "${judge[@]}"
[ $status -eq 0 ] && ! grep -q 'after_hit\|elsewhere' bare/eval.json && grep -q next_psnr bare/eval.json || fail 'hits that nobody knows' log

# ---- what it refuses ----

refused 1 'network.layers: sv2p makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'sv2p needs clips of at least 9 frames, sv2p.past and sv2p.future together, found 5' "$HISS" train config.yaml --run w \
    --set sv2p.future=7
refused 1 'sv2p needs clips, uint8 [T,H,W,C], as a field' "$HISS" train config.yaml --run w --set data.fields=null
refused 1 'sv2p.window: needs an odd number, so that a kernel has a middle, found 4; set it to 5' "$HISS" train config.yaml --run w \
    --set sv2p.window=4
"$HISS" prepare generate moving --rows 20 --set generate.items=data.h5 --set generate.size=14 --set generate.item_size=5 \
    --set generate.frames=5 --output fourteen.h5 2>log || fail 'prepare' log
refused 2 'sv2p halves frames twice, and needs sides that are multiples of 4, found 14x14; prepare clips of such a size' \
    "$HISS" train config.yaml --run w --set data.file=fourteen.h5 --set 'data.fields={clip: /clip}' --set train.lanes=1
[ ! -e w ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/sv2p-moving.yaml" --run config --set generate.items=data.h5 --set train.steps=2
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
