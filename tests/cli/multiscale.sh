# Multi-scale video prediction: same bits on any number of ranks and threads, exact resume of two networks, the same evaluation and
# pictures on 1 and 3 ranks, with each of its losses; what evaluation says; what it refuses; the config.
. "$HISS_ROOT/tests/cli/common"
small_run
clips
cat >config.yaml <<'END'
objective: multiscale
seed: 3
data: {file: clips.h5, fields: {clip: /clip, hit: /hit}}
multiscale: {past: 2, future: 3, width: 2}
optim: {method: adam, momentum: 0, lr: 0.01, discriminator: {lr: 0.001}}
train: {epochs: 2, lanes: 6, lane_samples: 5}
END
judge=("${own_judgements[@]}" --set eval.train=clips.h5 --set eval.test=clips.h5 --set eval.future_clips=20)
none='--set multiscale.adversarial=0 --set multiscale.gdl=0'

# ---- bits ----

settings() {
    case $1 in
    joint) ;;
    square) echo "$none" ;;
    gdl) echo '--set multiscale.adversarial=0' ;;
    mismatched) echo '--set multiscale.mismatched=true --set multiscale.gdl=0' ;;
    esac
}
for run in joint square gdl mismatched; do
    # shellcheck disable=SC2046
    trained_alike $run $(settings $run)
done
for run in square gdl mismatched; do
    [ "$(hashes joint)" != "$(hashes $run)" ] || fail "$run changes nothing"
done
train 3 stopped --set train.steps=23
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same joint stopped
grep -q '"discriminator_loss"' joint/metrics.jsonl && ! grep -q '"discriminator_loss"' gdl/metrics.jsonl || fail 'phases'
grep -q '"gradient_difference"' gdl/metrics.jsonl && ! grep -q '"gradient_difference"' square/metrics.jsonl || fail 'losses'

# ---- what evaluation says ----

for run in joint square; do
    judged_alike $run futures.{csv,png,svg}
    [ "$(cut -d, -f1 $run/futures.csv | paste -sd' ')" = 'frame 3 4 5' ] || fail 'frames of the table' $run/futures.csv
    ! grep -q 'mean_ssim\|ssim_of' $run/eval.json || fail 'a mean of one future' $run/eval.json
done
for name in next_psnr next_sharpness_difference next_psnr_after_hit next_sharpness_difference_after_hit next_psnr_elsewhere \
    next_sharpness_difference_elsewhere; do
    [ "$(baseline joint $name)" = "$(baseline square $name)" ] || fail "the frame before differs: $name"
done
number square next_sharpness_after_hit >sharpness
# The one before the next frame is the last given one: its PSNR lies between that after hits and that elsewhere.
less "$(baseline square next_psnr_after_hit)" "$(baseline square next_psnr)" 'PSNR of the frame before after hits, and anywhere'
less "$(baseline square next_psnr)" "$(baseline square next_psnr_elsewhere)" 'PSNR of the frame before anywhere, and elsewhere'
# Squared error learns.
train 2 long $none --set train.epochs=20
on 1 "$HISS" eval long "${judge[@]}"
less "$(baseline long next_psnr)" "$(number long next_psnr)" 'PSNR of the frame before, and of the one made'
less "$(number square next_psnr)" "$(number long next_psnr)" 'PSNR after 2 and after 20 epochs'
# Without hits there is nothing to say of them.
train 1 bare --set 'data.fields={clip: /clip}' --set train.steps=5
on 2 "$HISS" eval bare "${judge[@]}"
[ $status -eq 0 ] && ! grep -q 'after_hit\|elsewhere' bare/eval.json && grep -q next_psnr bare/eval.json || fail 'hits that nobody knows' log

# ---- what it refuses ----

refused 1 'network.layers: multiscale makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'multiscale needs clips of at least 9 frames, multiscale.past and multiscale.future together, found 5' "$HISS" train \
    config.yaml --run w --set multiscale.future=7
refused 1 'multiscale needs clips, uint8 [T,H,W,C], as a field' "$HISS" train config.yaml --run w --set data.fields=null
refused 1 'multiscale needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.std=0.5
refused 1 'multiscale.past' "$HISS" train config.yaml --run w --set multiscale.past=17
refused 3 'multiscale.mismatched: true takes frames of another clip of the lane, and train.lane_samples is 1' "$HISS" train \
    config.yaml --run w --set multiscale.mismatched=true --set train.lane_samples=1
"$HISS" prepare generate moving --rows 20 --set generate.items=data.h5 --set generate.size=12 --set generate.item_size=5 \
    --set generate.frames=5 --output twelve.h5 2>log || fail 'prepare' log
refused 2 'multiscale halves frames three times, and needs sides that are multiples of 8, found 12x12; prepare clips of such a size' \
    "$HISS" train config.yaml --run w --set data.file=twelve.h5 --set 'data.fields={clip: /clip}' --set train.lanes=1
[ ! -e w ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/multiscale-moving.yaml" --run config --set generate.items=data.h5 --set train.steps=2
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
