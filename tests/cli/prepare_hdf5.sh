# hiss prepare hdf5: the same images and labels, whatever layout, type, packing and files they were in, which train to the
# same bits as where they came from; one line for each mistake, and then nothing is written.
. "$HISS_ROOT/tests/cli/common"
small_run
layout_h5=$(dirname "$HISS")/tests/cli/layout_h5
classes_h5=$(dirname "$HISS")/tests/cli/classes_h5
sed -i 's#^data: .*#data: {file: all.h5}#; s#optim: {lr: 0.1#optim: {lr: 0.05#' config.yaml
types=(u16BE i16 f16BE f32 f64BE)
sets=(images=u8:NHWC i16p=i16:NHWC:p100 i16q=i16:NHWC:q100 i16s=i16:NHWC:p50)
for type in "${types[@]}"; do sets+=("$type=$type:NCHW"); done
"$layout_h5" all.h5 "${sets[@]}" grey=u8:NHW mask=bool:NHWC clip=f32:NTHWC matlab=u16:NCWH || fail 'no file'
"$layout_h5" other.h5 images=u8:NHWC i16p=i16:NHWC:p50 f32=f32:NHWC || fail 'no file'
few=(--set train.epochs=1 --set train.lanes=6)

# The hash over pixels and labels that a file records.
identity() { grep -ao '[0-9a-f]\{64\}' "$1" | head -n 1; }
alike() { [ -n "$(identity "$1")" ] && [ "$(identity "$1")" = "$(identity "$2")" ] || fail "$1 and $2 differ"; }
prepare() { # OUTPUT ARGUMENT...
    on 1 "$HISS" prepare hdf5 "${@:2}" --output "$1"
    [ $status -eq 0 ] || fail "exit $status: prepare hdf5 ${*:2}" "$log"
}
ordered() { prepare "$@" --no-shuffle; }

# ---- types and layouts: the bits of the source, in the order of the source ----
train 1 base "${few[@]}"
for type in "${types[@]}"; do
    ordered "$type.h5" all.h5 --images "$type" --layout NCHW
    train 1 "t$type" "${few[@]}" --set "data.file=$type.h5" --set 'data.range=[0, 255]'
    same base "t$type"
done
train 1 f32source "${few[@]}" --set data.images=f32 --set data.layout=NCHW --set 'data.range=[0, 255]'
same f32source tf32
train 3 f16streamed "${few[@]}" --set data.file=f16BE.h5 --set 'data.range=[0, 255]' --set data.mode=stream
same base f16streamed
[ "$(stat -c %s f16BE.h5)" -lt "$(stat -c %s f32.h5)" ] || fail 'float16 is blown up'
ordered grey.h5 all.h5 --images grey
train 1 grey "${few[@]}" --set data.images=grey
train 1 greyprepared "${few[@]}" --set data.file=grey.h5
same grey greyprepared
prepare clip.h5 all.h5 --images clip --layout NTHWC
grep -q 'the axes of /images are data.layout: NTHWC' log || fail 'axes are not named' log
prepare folded.h5 all.h5 --images clip --layout NtHWC
! grep 'the axes of /images' log || fail 'axes are named that are not there'

# ---- bytes: the same file from any range ----
ordered bytes.h5 all.h5
for what in 'f32 --layout NCHW' 'f64BE --layout NCHW' 'matlab --layout NCWH' 'i16p'; do
    read -ra arguments <<<"$what"
    ordered scaled.h5 all.h5 --images "${arguments[@]}" --scale 0:255
    ! grep -q 'hiss: warning' log || fail "a warning of $what" log
    alike bytes.h5 scaled.h5
done
ordered packed.h5 all.h5 --chunk 7 --deflate 1
alike bytes.h5 packed.h5
ordered unpacked.h5 all.h5 --images i16p
alike unpacked.h5 f32.h5
ordered mask.h5 all.h5 --images mask --scale 0:1
ordered threshold.h5 all.h5 --scale 127:128
alike mask.h5 threshold.h5
ordered mask.h5 all.h5 --images mask
ordered again.h5 mask.h5 --chunk 7 --deflate 1
alike mask.h5 again.h5
train 1 masksource "${few[@]}" --set data.images=mask
for file in mask again; do
    train 1 mask "${few[@]}" --set data.file=$file.h5
    same masksource mask
    rm -r mask
done
train 2 maskstreamed "${few[@]}" --set data.file=mask.h5 --set data.mode=stream
same masksource maskstreamed
ordered cut.h5 all.h5 --images f32 --layout NCHW --scale=-10:100
grep -Eq 'warning: prepare: [1-9][0-9]* of 34560 values are outside of --scale -10:100 and become 0 or 255' log ||
    fail 'what is cut is not counted' log
refused 1 'set --missing to what shall stand for NaN and missing values' \
    "$HISS" prepare hdf5 all.h5 --images i16q --output x.h5
prepare missing.h5 all.h5 --images i16q --missing 0 --scale 0:255
ordered zero.h5 all.h5 --images i16q --missing 0
ordered shown.h5 zero.h5 --scale 0:255
ordered missing.h5 all.h5 --images i16q --missing 0 --scale 0:255
alike shown.h5 missing.h5

# ---- files are joined; classes by name ----
"$classes_h5" a.h5 480
"$classes_h5" b.h5 200 backwards
ordered joined.h5 a.h5 b.h5 --labels enum
cp joined.h5 enum.h5
for kind in text labels hot deep hot_turned 'wide --label-column 4' 'wide_turned --label-column 4'; do
    read -ra arguments <<<"$kind"
    ordered joined.h5 a.h5 b.h5 --labels "${arguments[@]}"
    alike enum.h5 joined.h5
done
learn=(--set train.epochs=1 --set objective=supervised)
train 1 named "${learn[@]}" --set data.file=enum.h5
grep -qx 'classes: 20' named/summary.yaml && grep -qx '  - class-19' named/summary.yaml || fail 'no names' named/summary.yaml
ordered one.h5 a.h5 --labels a.h5:/far
train 1 far "${learn[@]}" --set data.file=one.h5
train 1 farsource "${learn[@]}" --set data.file=a.h5 --set data.labels=far
same far farsource
grep -q '^  - "100000"$' far/summary.yaml || fail 'no class 100000' far/summary.yaml
ordered part.h5 a.h5 --labels part
train 1 part "${learn[@]}" --set data.file=part.h5
grep -q '48 of 480 samples have no label' log || fail 'labels appear' log
train 1 partsource "${learn[@]}" --set data.file=a.h5 --set data.labels=part
same part partsource
ordered kept.h5 a.h5 --labels part --ignore-label ''
train 1 kept "${learn[@]}" --set data.file=kept.h5 --set 'data.ignore_label=""'
train 1 keptsource "${learn[@]}" --set data.file=a.h5 --set data.labels=part --set 'data.ignore_label=""'
same kept keptsource
grep -q '^  - "-1"$' kept/summary.yaml || fail '-1 is no class' kept/summary.yaml
ordered ignored.h5 a.h5 --ignore-label 3
train 1 ignored "${learn[@]}" --set data.file=ignored.h5
grep -q '24 of 480 samples have no label' log || fail 'the label to ignore is a class' log

# ---- patterns, as in data.file ----
cp a.h5 part-1.h5
cp b.h5 part-2.h5
ordered pattern.h5 'part-*.h5' --labels enum
alike enum.h5 pattern.h5

# ---- train and test ----
for k in 1 2; do prepare split$k a.h5 b.h5 --split 0.25 --seed 5; done
cmp split1/train.h5 split2/train.h5 && cmp split1/test.h5 split2/test.h5 || fail 'a split is not the same again'
grep -q 'split1/test.h5: 170 images' log || grep -q 'split2/test.h5: 170 images' log || fail 'not a quarter' log
train 1 split "${learn[@]}" --set data.file=split1/train.h5
on 1 "$HISS" eval split --set eval.test=split1/test.h5 --set eval.random=false --set eval.linear=false
[ $status -eq 0 ] || fail "eval: exit $status" log
prepare split3 a.h5 --split 0.1 --no-shuffle --seed 6

# ---- what is refused: one line, in the words of the command line, and no file ----
wrong() { # TEXT ARGUMENT...
    refused 1 "hiss: error: $1" "$HISS" prepare hdf5 "${@:2}" --output x.h5
    [ ! -e x.h5 ] && [ -z "$(find . -name '.x*')" ] || fail "left behind: ${*:2}"
    ! grep -q 'hiss: error:.*data\.[a-z]' log || fail 'it speaks of a key' log
}
wrong 'prepare hdf5 needs HDF5 files'
wrong 'no file matches none-*.h5; give the paths of files' 'none-*.h5'
{ head -c 3000 bytes.h5 && printf x && tail -c +3002 bytes.h5; } >damaged.h5
wrong 'damaged.h5: the pixels and labels have SHA-256' damaged.h5
wrong "the data file nowhere.h5 does not exist" nowhere.h5
wrong '--images: all.h5: has no data set y' all.h5 --images y
wrong '--images: all.h5: data set f32 holds float32 [96,3,12,10], which looks like [n,C,H,W]; expected [n,H,W,C]: set --layout NCHW' \
    all.h5 --images f32
wrong "--layout 'NXYZ' is no layout" all.h5 --layout NXYZ
wrong '--labels: a.h5: data set wide holds float64 [480,6], 6 columns, and row 0 is not one-hot (a single 1 among zeros): they are not classes; choose a column, as in --label-column 0 (0 to 5), or name another data set; to do without labels: --labels none' \
    a.h5 --labels wide
wrong '--label-column 6, but data set wide of a.h5' a.h5 --labels wide --label-column 6
wrong '--labels: a.h5: has no data set absent' a.h5 --labels absent
wrong '--labels a.h5:/labels: labels in a file of their own are for one file of images, and 2 are given' a.h5 b.h5 \
    --labels a.h5:/labels
wrong 'all.h5: data set /images holds samples uint8 [96,12,10,3], a.h5 holds uint8 [480,12,12,1]; files that are joined' a.h5 all.h5
ordered x16.h5 all.h5 --images i16 --layout NCHW
cp f32.h5 y.h5
wrong 'y.h5: data set /images holds samples float32 [96,12,10,3], x16.h5 holds int16 [96,12,10,3]; files that are joined must be alike in type and shape: prepare them one by one, or with --scale LO:HI' \
    x16.h5 y.h5
ordered both.h5 all.h5 other.h5 --images i16p --scale 0:255
ordered bare.h5 b.h5 --labels none
wrong 'a.h5 has labels, bare.h5 has none' a.h5 bare.h5
wrong 'all.h5 is named twice; name each file once' all.h5 all.h5
ln -s all.h5 link.h5
wrong 'all.h5 and link.h5 are the same file' all.h5 link.h5
wrong 'all.h5: data set /images holds samples uint8 [96,12,10,3], mask.h5 holds an enumeration [96,12,10,3]; files' mask.h5 all.h5
ordered plain16.h5 all.h5 --images i16 --layout NCHW
for value in 99999 -32769 1.5; do
    wrong "--missing $value, but pixels of data set /images are int16: expected a whole number from -32768 to 32767" plain16.h5 --missing=$value
done
rm plain16.h5
wrong '--scale 5: must be LO:HI' all.h5 --scale 5
wrong '--scale 9:1: must be LO:HI' all.h5 --scale 9:1
wrong '--split 2: must be the share' all.h5 --split 2
wrong '--split 0.001 of 96 samples leaves test.h5 empty' all.h5 --split 0.001
[ ! -e x.h5 ] || fail 'an empty folder is left'
cp a.h5 x.h5
refused 1 '--output x.h5 is the file that is read' "$HISS" prepare hdf5 a.h5 x.h5 --output x.h5
refused 1 '--output x.h5 is the file that is read' "$HISS" prepare hdf5 a.h5 --labels x.h5:/labels --output x.h5
cmp a.h5 x.h5 || fail 'what is read was changed'
mkdir halves
cp a.h5 halves/test.h5
refused 1 'halves/test.h5 is the file that is read' "$HISS" prepare hdf5 halves/test.h5 --split 0.5 --output halves

# Progress, on a fast clock.
${CC:-cc} -shared -fPIC -o odd_clock.so "$HISS_ROOT/tests/cli/preload/odd_clock.c" -ldl >cc.log 2>&1 || fail 'no odd_clock.so' cc.log
LD_PRELOAD=$PWD/odd_clock.so ODD_CLOCK=1e9 prepare y.h5 a.h5 b.h5
grep -q '^hiss: prepare: 480 images read, 50 %$' log || fail 'no progress through files' log
echo ok
