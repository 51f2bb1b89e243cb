# One set of images in many types and layouts: with data.layout and data.range all of them end with the same bits, in
# memory and streamed, on one rank and several. What looks like another layout, or holds values that no image has, is
# refused by the key that helps.
. "$HISS_ROOT/tests/cli/common"
small_run
layout_h5=$(dirname "$HISS")/tests/cli/layout_h5
sed -i 's#^data: .*#data: {file: all.h5}#; s#optim: {lr: 0.1#optim: {lr: 0.05#' config.yaml
numbers=(u16BE u32 i16 i32BE f16 f16BE f32 f64BE)
orders=(NCHW HWCN NCWH CWHN)
sets=(images=u8:NHWC)
for type in "${numbers[@]}"; do sets+=("$type=$type:NHWC"); done
for order in "${orders[@]}"; do sets+=("o$order=u8:$order" "f$order=f64BE:$order"); done
"$layout_h5" all.h5 "${sets[@]}" grey=u8:NHW greyHWN=i16:HWN clip=f32:NCTWH volume=i16:NDHWC slices=i16:NHWDC turned=f64BE:CWDHN mask=bool:NHWC \
    unit=f32:NHWC:0.00390625 wide=u16:NHWC:257 long=i64:NHWC i8=i8:NHWC:0.5 ||
    fail 'no file'
open=(f16BE f32 f64BE i64 u64) # types that say nothing of their range
sets=()
for type in "${open[@]}"; do sets+=("far$type=odd$type:NHWC:0.0625" "farC$type=odd$type:CWHN:0.0625"); done
"$layout_h5" bad.h5 first=u8:NCHW last=u8:HWCN nan=nan:NHWC:0.01 inf=inf:NHWC:0.01 near=oddf32:NHWC:0.00390625 \
    near8=i8:NHWC:0.5 "${sets[@]}" || fail 'no file'
few=(--set train.epochs=1 --set train.lanes=6)

# ---- the same bits ----
train 1 base "${few[@]}"
for type in "${numbers[@]}"; do
    train 1 "t$type" "${few[@]}" --set "data.images=$type" --set 'data.range=[0, 255]'
    same base "t$type"
done
for order in "${orders[@]}"; do
    train 1 "o$order" "${few[@]}" --set "data.images=o$order" --set "data.layout=$order"
    same base "o$order"
done
train 3 streamed "${few[@]}" --set data.images=fCWHN --set data.layout=CWHN --set 'data.range=[0, 255]' \
    --set data.mode=stream --set data.memory=200000
same base streamed
train 2 permuted "${few[@]}" --set data.order=permuted
train 1 windowed "${few[@]}" --set data.order=permuted --set data.images=fNCHW --set data.layout=NCHW \
    --set 'data.range=[0, 255]'
same permuted windowed
train 1 grey "${few[@]}" --set data.images=grey
train 1 grey2 "${few[@]}" --set data.images=greyHWN --set 'data.layout={image: HWN}' --set 'data.range=[0, 255]'
same grey grey2

# Depth as part of the channels, whatever the order in the file.
train 1 slices "${few[@]}" --set data.images=slices --set data.layout=NHWdC --set 'data.range=[0, 255]'
grep -q '96 samples of 12 x 10 x 6' log || fail 'not 2 x 3 channels' log
train 2 volume "${few[@]}" --set data.images=volume --set data.layout=NdHWC --set 'data.range=[0, 255]'
train 1 turned "${few[@]}" --set data.images=turned --set data.layout=CWdHN --set 'data.range=[0, 255]' --set data.mode=stream
for run in volume turned; do same slices $run; done
on 1 "$HISS" eval volume --set eval.test=all.h5 --set eval.random=false --set eval.linear=false
[ $status -eq 0 ] || fail "eval: exit $status" log
on 1 "$HISS" query volume --queries 2
[ $status -eq 0 ] || fail "query: exit $status" log

# ---- types with their own range; lists of one value per channel ----
for type in unit wide mask i8; do
    train 1 "own$type" "${few[@]}" --set "data.images=$type"
done
train 1 list "${few[@]}" --set 'augment.mean=[0.2, 0.2, 0.2]' --set 'augment.std=[0.5, 0.5, 0.5]'
train 1 one "${few[@]}" --set augment.mean=0.2 --set augment.std=0.5
same list one
train 1 several "${few[@]}" --set 'augment.mean=[0.2, 0.3, 0.4]' --set 'augment.std=[0.5, 0.6, 0.7]'
[ "$(hashes one)" != "$(hashes several)" ] || fail 'a list changes nothing'
auto=("${few[@]}" --set augment.mean=auto --set augment.std=auto --set 'checkpoint.keep_every=1 epochs')
train 1 auto "${auto[@]}"
train 3 auto3 "${auto[@]}" --set data.images=fNCHW --set data.layout=NCHW --set 'data.range=[0, 255]'
same auto auto3
for what in mean std; do
    grep -q "^augment_$what: \[0\.[0-9]*, 0\.[0-9]*, 0\.[0-9]*\]$" auto/summary.yaml || fail "no $what" auto/summary.yaml
    [ "$(grep "^augment_$what:" auto/summary.yaml)" = "$(grep "^augment_$what:" auto3/summary.yaml)" ] || fail "another $what"
done
values=$(sed -n 's/.*augment: channel . *: mean \([0-9.]*\), std \([0-9.]*\)/\1 \2/p' log)
[ "$(wc -l <<<"$values")" -eq 3 ] && [ "$(hashes auto)" != "$(hashes base)" ] || fail 'nothing was measured' log
train 1 written "${few[@]}" --set "augment.mean=[$(cut -d' ' -f1 <<<"$values" | paste -sd,)]" \
    --set "augment.std=[$(cut -d' ' -f2 <<<"$values" | paste -sd,)]"
for run in auto written; do # what was measured is in the checkpoint
    on 2 "$HISS" eval $run --set eval.test=all.h5 --set eval.random=false --set eval.linear=false
    [ $status -eq 0 ] || fail "eval of $run: exit $status" log
    grep '^trained/fc1 ' log >$run.numbers
done
paste auto.numbers written.numbers | awk '{ for (k = 2; k <= 6; k++) { d = $k - $(k + 6); if (d < 0) d = -d
    if (d > 0.02 + 0.02 * $k) exit 1 } } END { exit !NR }' || fail 'eval does not scale as training did' auto.numbers
on 2 "$HISS" eval oNCHW --set eval.test=all.h5 --set eval.random=false --set eval.linear=false
[ $status -eq 0 ] || fail "eval: exit $status" log
on 1 "$HISS" eval tf64BE --set eval.test=all.h5 --set eval.random=false --set eval.linear=false
[ $status -eq 0 ] || fail "eval: exit $status" log
on 1 "$HISS" query tf64BE --queries 2 --set eval.test=all.h5
[ $status -eq 0 ] || fail "query: exit $status" log
on 1 "$HISS" doctor config.yaml --set data.images=fNCHW --set data.layout=NCHW --set 'data.range=[0, 255]'
[ $status -le 1 ] || fail "doctor: exit $status" log
grep -q '96 images of 12 x 10 x 3' log || fail 'doctor does not see the images' log

# A run that goes on scales as it began, without another look at the samples: at one that has changed, say.
"$layout_h5" kept.h5 pixels=f32:NHWC && "$layout_h5" changed.h5 pixels=odd:NHWC
half=("${auto[@]}" --set train.epochs=2 --set data.images=pixels --set 'data.range=[0, 255]' --set data.file=moving.h5)
cp kept.h5 moving.h5
train 1 went "${half[@]}"
train 1 goes "${half[@]}" --set train.steps=5
cp changed.h5 moving.h5
train 1 other "${half[@]}" --set train.steps=5
[ "$(grep ^augment_ goes/summary.yaml)" != "$(grep ^augment_ other/summary.yaml)" ] || fail 'the change does not show'
train 2 goes "${half[@]}"
[ "$(grep -c 'augment: channel .*, as recorded$' log)" -eq 3 ] || fail 'not said that scales are recorded' log
[ "$(grep ^augment_ went/summary.yaml)" = "$(grep ^augment_ goes/summary.yaml)" ] || fail 'a resumed run measures anew'
cp kept.h5 moving.h5
train 1 again "${half[@]}" --set train.steps=5
train 3 again "${half[@]}"
same went again

# ---- what is refused ----
wrong() { refused 1 "hiss: error: $1" "$HISS" train config.yaml --run new --set data.file=bad.h5 "${few[@]}" "${@:2}"; }
wrong '--set data.images: bad.h5: data set first holds uint8 [96,3,12,10], which looks like [n,C,H,W]; expected [n,H,W,C]: set data.layout: NCHW' \
    --set data.images=first
wrong '--set data.images: bad.h5: data set last holds uint8 [12,10,3,96], which looks like [H,W,C,n]; expected [n,H,W,C]: set data.layout: HWCN' \
    --set data.images=last
wrong "--set data.layout: 'NXYZ' is no layout; expected one letter for each axis of the data set, as in NHWC:" --set data.images=first \
    --set data.layout=NXYZ
for word in nchw nCHW nWh; do
    wrong "--set data.layout: '$word' is no layout; expected one letter for each axis of the data set, as in ${word^^}:" \
        --set data.images=first --set "data.layout=$word"
done
wrong "--set data.layout: HWC names 3 axes, but the data set holds uint8 [96,3,12,10] in each file; name each of its axes, N" \
    --set data.images=first --set data.layout=HWC
wrong '--set data.layout: NHW names 3 axes, but the data set holds uint8 [96,3,12,10]' --set data.images=first \
    --set data.layout=NHW
wrong '--set data.range: must be a list of two numbers, [LOW, HIGH], the lower first' --set data.images=first \
    --set data.layout=NCHW --set 'data.range=[5, 1]'
wrong '--set augment.mean: has 2 values, but the images have 3 channels; write one number, or one per channel' \
    --set data.images=first --set data.layout=NCHW --set 'augment.mean=[1, 2]'
wrong "--set augment.std: must be auto, or numbers in 1e-06..1e+06, found '0'" --set data.images=first --set data.layout=NCHW \
    --set augment.std=0
wrong '--set data.images: all.h5: data set f32 has values from 0 to 246; expected about 0..1: set data.range' \
    --set data.file=all.h5 --set data.images=f32
wrong '--set data.images: all.h5: data set long has values from 0 to 246; expected about 0..1: set data.range' \
    --set data.file=all.h5 --set data.images=long
wrong "--set data.layout.clp: there is no field 'clp'; it is image, or one that data.fields names" --set data.file=all.h5 \
    --set data.layout.clp=NHWC
wrong '--set data.images: nat needs images [H,W,C] in field '"'image'"', found int16 [2,12,10,3] in data set volume of all.h5' \
    --set data.file=all.h5 --set data.images=volume --set data.layout=NDHWC
grep -q 'write a small d or t in data.layout to make depth or time part of the channels' log || fail 'not what to do' log
wrong '--set data.images: all.h5: data set volume holds int16 [96,2,12,10,3]; expected [n,H,W,C] or [n,H,W]: name its axes; data.layout: NdHWC' \
    --set data.file=all.h5 --set data.images=volume
for word in NdDHW NDdHW NddHW NhHWC; do
    wrong "--set data.layout: '$word' is no layout" --set data.file=all.h5 --set data.images=volume --set data.layout=$word
done
stream=(--set data.file=all.h5 --set data.mode=stream --set data.memory=10000)
wrong '--set data.memory: 10000 bytes; streaming 6 lanes needs at least 17280 bytes (8640 for each of 2 steps): raise data.memory' "${stream[@]}"
wrong '--set data.memory: 10000 bytes; streaming 6 lanes needs at least 34560 bytes (17280 for groups of data.window samples, 8640 for each of 2 steps): raise data.memory, or lower data.window' \
    "${stream[@]}" --set data.window=8
train 1 small "${few[@]}" --set data.images=unit
refused 2 'eval.test_images: all.h5: data set f32 has values from 0 to 246; expected about 0..1, as data.range is not set for the training' \
    "$HISS" eval small --set eval.test=all.h5 --set eval.test_images=f32
[ ! -e new ] || fail 'left behind'
# Rows beyond those that are looked at first: what is refused there is refused wherever it lies.
for type in "${open[@]}"; do
    what='has values from 0 to 62\(\.5\)\?; expected about 0..1: replace them, or set data.range to the values for black and white, or to \[0, 1\]'
    wrong "bad.h5: row 17 of data set far$type has values" --set data.images=far$type
    grep -q "$what" log || fail 'not what to do' log
    wrong "bad.h5: row 17 of data set farC$type has values" --set data.images=farC$type --set data.layout=CWHN --set data.mode=stream \
        --set data.memory=200000
    grep -q "$what" log || fail 'not what to do' log
done
[ ! -e new/ckpt ] || fail 'a checkpoint of it'
train 1 far "${few[@]}" --set data.file=bad.h5 --set data.images=farf32 --set data.range=[0,1]
train 1 near "${few[@]}" --set data.file=bad.h5 --set data.images=near
refused 1 'bad.h5: row 17 of data set near has values from 0 to 3.90625; expected 0..1, which are 0..1 to vae: replace them, or set data.range to values that hold all' \
    "$HISS" train config.yaml --run new "${few[@]}" --set data.file=bad.h5 --set data.images=near --set objective=vae \
    --set vae.decoder=dense --set augment.contrast=0
refused 1 'bad.h5: row 17 of data set farf32 has values from 0 to 62.5; expected 0..62, which are 0..1 to bigan' \
    "$HISS" train config.yaml --run new "${few[@]}" --set data.file=bad.h5 --set data.images=farf32 --set objective=bigan \
    --set data.range=[0,62] --set augment.contrast=0
for kind in nan inf; do
    wrong "bad.h5: row 17 of data set $kind has values that are not finite" --set data.images=$kind
    wrong "bad.h5: row 17 of data set $kind has values that are not finite" --set data.images=$kind \
        --set data.mode=stream --set data.memory=200000
done
echo ok
