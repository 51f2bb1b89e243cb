# data.generate: samples that are made, not read, train with the same bits on any ranks, in memory and streamed, and over a
# resume; evaluation tests on made ones; mistakes are said of their keys.
. "$HISS_ROOT/tests/cli/common"
small_run
sed 's#^data: .*#data: {generate: moving}\ngenerate: {items: data.h5, rows: 480, count: 1, size: 12, item_size: 8, speed: 2, frames: 6}#' \
    config.yaml >generate.yaml
mv generate.yaml config.yaml
few=(--set train.epochs=2)
train 1 base "${few[@]}"
grep -q 'generated moving, 480 samples of 12 x 12 x 1, in memory' "$log" || fail 'samples are not told' "$log"
train 3 streamed "${few[@]}" --set data.mode=stream --set data.memory=300000 --threads 2
same base streamed
train 1 resumed "${few[@]}" --set train.steps=11
train 2 resumed "${few[@]}" --set train.steps=0
same base resumed
train 1 whole --set data.order=permuted "${few[@]}" --set data.window=7
train 3 parts --set data.order=permuted "${few[@]}" --set data.window=7 --set data.mode=stream --set data.memory=300000
same whole parts
[ "$(hashes base)" != "$(hashes whole)" ] || fail 'data.order is of no account'
train 1 plain "${few[@]}" --set generate='{rows: 96, height: 12, width: 12}' --set data.generate=synthetic
grep -q "data: \"synthetic uint8 \[96,12,12,3\], seed 1, part train" plain/summary.yaml || fail "no identity" plain/summary.yaml

# Test samples: held out, or of the other part.
on 1 "$HISS" eval base --set eval.layers=fc1 --set eval.random=false
[ $status -eq 0 ] && grep -q 'no eval.test: 80 of 480 samples held out' base/eval.txt || fail "eval: exit $status" "$log"
on 2 "$HISS" eval base --set eval.layers=fc1 --set eval.random=false --set 'eval.generate={part: test, rows: 60}'
[ $status -eq 0 ] && grep -q 'test: 60 samples, training: 480 samples' base/eval.txt || fail "eval: exit $status" "$log"
! grep -q 'figures will be those of training samples' "$log" || fail 'other samples are taken for the same' "$log"
on 1 "$HISS" eval base --set eval.layers=fc1 --set eval.random=false --set eval.generate=null
[ $status -eq 0 ] && grep -q 'no eval.test: 80 of 480 samples held out' base/eval.txt || fail "eval without the section: exit $status" "$log"
on 1 "$HISS" eval base --set eval.layers=fc1 --set eval.random=false --set 'eval.generate={rows: 60}'
grep -q 'the figures will be those of training samples' "$log" || fail 'training samples as test samples' "$log"
on 1 "$HISS" doctor config.yaml
[ $status -eq 0 ] && grep -q 'generated moving: readable by all ranks, 480 images' "$log" || fail "doctor: exit $status" "$log"

# A file of the same rows, written and read: the same bits, of images and of clips.
make=(prepare generate moving --rows 480 --set generate.items=data.h5 --set generate.count=1 --set generate.size=12
    --set 'generate.item_size=8' --set generate.speed=2)
on 1 "$HISS" "${make[@]}" --set generate.frames=6 --output made.h5
[ $status -eq 0 ] || fail "prepare generate: exit $status" "$log"
grep -q 'wrote made.h5: 480 samples of' "$log" || fail 'prepare is silent' "$log"
from=(data.file=made.h5 data.generate=none generate=null)
train 2 written "${few[@]}" --set "${from[0]}" --set "${from[1]}" --set "${from[2]}"
same base written
on 1 "$HISS" "${make[@]}" --set generate.frames=6 --chunk 7 --deflate 3 --output packed.h5
train 1 packed "${few[@]}" --set data.file=packed.h5 --set "${from[1]}" --set "${from[2]}"
same base packed
clips() {
    on "$1" "$(dirname "$HISS")/tests/cli/train_method" clips config.yaml "$2" objective=autoencoder train.epochs=1 "${@:3}"
    [ $status -eq 0 ] || fail "exit $status: clips $*" "$log"
}
clips 1 clips1
clips 2 clips2 data.mode=stream data.memory=300000
clips 1 clips3 "${from[@]}" data.fields.clip=/clip
same clips1 clips2
same clips1 clips3
refused 1 "there is no generator 'movin'; expected one of synthetic|moving|push|palette|sounds|clutter" "$HISS" prepare generate movin --output x.h5
refused 1 "prepare generate needs the name of a generator" "$HISS" prepare generate --output x.h5
refused 1 "--set generate.size: generate.size must be an integer" "$HISS" prepare generate push --set generate.size=big --output x.h5
refused 1 "--set generate.sise: unknown key 'generate.sise'" "$HISS" prepare generate push --set generate.sise=64 --output x.h5
refused 1 "hiss: error: generate.items: is not set" "$HISS" prepare generate moving --output x.h5
refused 1 "--set has no effect on hiss prepare npz" "$HISS" prepare npz x.npz --set generate.size=64 --output x.h5
refused 1 "hiss: error: --no-shuffle has no effect on hiss prepare generate" "$HISS" prepare generate push --no-shuffle --output x.h5
refused 1 "--seed has no effect on hiss prepare generate" "$HISS" prepare generate push --seed 2 --output x.h5
[ ! -e x.h5 ] || fail 'left behind: x.h5'
refused 1 "clips needs clips [T,H,W,C] of uint8, int16 or float32 in field 'clip' of each sample, found no such field in generated synthetic; choose another generator" \
    "$(dirname "$HISS")/tests/cli/train_method" clips config.yaml new objective=autoencoder data.generate=synthetic generate=null

wrong() { refused 1 "hiss: error: $1" "$HISS" train config.yaml --run new "${@:2}"; }
wrong "--set data.generate: data.generate must be one of none, synthetic, moving, push" --set data.generate=movin
wrong "--set data.file: speaks of samples in a file, but data.generate makes them (moving); leave one of them out" \
    --set data.file=data.h5
wrong "--set data.images: speaks of samples in a file" --set data.images=/pictures
wrong "config.yaml:3:11: generate: has no effect while data.generate is none" --set data.generate=none --set data.file=data.h5
wrong "--set eval.generate.rows: eval.generate: has no effect while data.generate is none" --set data.generate=none --set data.file=data.h5 \
    --set generate=null --set eval.generate.rows=60
wrong "--set generate.item: unknown key 'generate.item'" --set generate.item=data.h5
wrong "--set generate.item_size: 12, but a frame has 12 rows" --set generate.item_size=12
wrong "config.yaml: generate.items: is not set" --set generate.items=null
wrong "--set generate.items: the file of items none.h5 does not exist" --set generate.items=none.h5
"$(dirname "$HISS")/tests/cli/layout_h5" coloured.h5 images=u8:NHWC || fail 'no file'
wrong "--set generate.items: coloured.h5: data set /images holds" --set generate.items=coloured.h5
wrong "config.yaml:19:27: train.lanes: generated moving has 20 samples: 12 lanes" --set generate.rows=20
wrong "--set objective: classify needs labels, but data.generate: moving makes none as it is set" \
    --set generate.count=2 --set objective=supervised
[ ! -e new ] || fail 'left behind'
# A run does not go on with other samples: the key is named, whichever it is.
other() { # TEXT SETTING...
    local sets=()
    for setting in "${@:2}"; do sets+=(--set "$setting"); done
    refused 1 "hiss: error: $1; resume with the same" "$HISS" train config.yaml --run base "${few[@]}" --set train.epochs=3 "${sets[@]}"
}
other '--set generate.seed: base/ckpt/step-20.h5 was made with seed 1, now seed 2' generate.seed=2
other '--set generate.speed: base/ckpt/step-20.h5 was made with speed 2, now speed 1' generate.speed=1
other '--set generate.part: base/ckpt/step-20.h5 was made with part train, now part test' generate.part=test
other '--set generate.frames: base/ckpt/step-20.h5 was made with frames 6, now frames 7' generate.frames=7
other '--set generate.item_size: base/ckpt/step-20.h5 was made with item_size 8, now item_size 7' generate.item_size=7
other '--set data.generate: base/ckpt/step-20.h5 was made from other data: moving uint8 [480,12,12,1], now synthetic uint8 [480,12,12,1]' \
    data.generate=synthetic 'generate={rows: 480, height: 12, width: 12, channels: 1}'
other 'config.yaml:2:18: data.generate: base/ckpt/step-20.h5 was made from other data: moving uint8 [480,12,12,1], now moving uint8 [470,12,12,1]' \
    generate.rows=470
"$HISS_ROOT/tools/tiny_data" . 500 12
"$HISS" prepare idx --images images.idx --labels labels.idx --output items.h5 2>"$log" || fail 'no items' "$log"
refused 1 'hiss: error: --set generate.items: base/ckpt/step-20.h5 was made with items ' "$HISS" train config.yaml --run base \
    "${few[@]}" --set train.epochs=3 --set generate.items=items.h5
refused 1 'values of field clip' "$HISS" eval base --set eval.layers=fc1 --set eval.generate.frames=5
grep -q 'make both alike, by generate and eval.generate' "$log" || fail 'made samples are to be prepared' "$log"
refused 1 "--set eval.generate.items: coloured.h5: data set /images holds" "$HISS" eval base --set eval.generate.items=coloured.h5
refused 1 '--rows 0: must be 1 or more' "$HISS" prepare generate push --rows 0 --output none.h5
[ ! -e none.h5 ] || fail 'written all the same'
echo ok
