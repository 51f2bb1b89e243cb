# Values that are stored otherwise than they are meant, as netCDF-4 has them: packed integers are what they unpack to,
# whatever their scale, in training and evaluation; missing values are an error until data.missing says what stands for
# them, in every type; infinity stays one.
# shellcheck source=tests/cli/common
. "$HISS_ROOT/tests/cli/common"
public_h5=$(dirname "$HISS")/tests/cli/public_h5
small_run
"$public_h5" plain 0 200 plain.h5
"$public_h5" netcdf 0 200 month.nc
"$public_h5" repacked 0 200 other.nc
"$public_h5" holes 0 200 holes.h5
few=(--set train.epochs=1 --set train.lanes=6 --set 'data.range=[150, 405]')
judge=(--set eval.random=false --set eval.linear=false --set eval.few_labels=false --set eval.layers=fc1)

# Packed in three ways, in memory and streamed.
train 1 plain "${few[@]}" --set data.file=plain.h5 --set data.images=kelvin
train 2 month "${few[@]}" --set data.file=month.nc --set data.images=t2m --set data.labels=regime
grep -q 'month.nc: data set t2m is packed: a value is 0.125 times its number plus 275' log || fail 'not said' log
train 1 other "${few[@]}" --set data.file=other.nc --set data.images=t2m --set data.labels=regime --set data.mode=stream
train 1 offset "${few[@]}" --set data.file=other.nc --set data.images=only_offset --set data.labels=regime
for run in month other offset; do same plain $run; done
refused 2 'data set t2m has values from ' "$HISS" train config.yaml --run no --set data.file=month.nc --set data.images=t2m
grep -q 'set data.range to the values' log || fail 'not what to do' log

# Files of several scales are one data set.
"$public_h5" plain 0 300 both.h5
"$public_h5" repacked 200 100 next.nc
train 1 both "${few[@]}" --set data.file=both.h5 --set data.images=kelvin
two=(--set 'data.file=[month.nc, next.nc]' --set data.images=t2m --set data.labels=regime)
train 1 two "${few[@]}" "${two[@]}"
train 3 streamed "${few[@]}" "${two[@]}" --set data.mode=stream --set data.memory=100000 --set data.order=file
same both two
same both streamed

# Each file by its own attributes, also where the first has none.
layout_h5=$(dirname "$HISS")/tests/cli/layout_h5
"$layout_h5" plainly.h5 x=i16:NHWC:100 && "$layout_h5" packedly.h5 x=i16:NHWC:p100 && "$layout_h5" filled.h5 x=i16:NHWC:q100 || fail 'no file'
"$layout_h5" large.h5 x=f32:NHWC:100 && "$layout_h5" small.h5 x=f32:NHWC || fail 'no file'
mixed=(--set train.epochs=1 --set train.lanes=6 --set data.images=x --set 'data.range=[0, 25500]')
train 1 values "${mixed[@]}" --set 'data.file=[large.h5, small.h5]'
train 2 numbers "${mixed[@]}" --set 'data.file=[plainly.h5, packedly.h5]' --set data.mode=stream
same values numbers
refused 1 'filled.h5: row 0 of data set x has values that are missing' "$HISS" train config.yaml --run no "${mixed[@]}" \
    --set 'data.file=[plainly.h5, filled.h5]'

# A test set of another scale is the same test set.
on 1 "$HISS" eval month "${judge[@]}" --set eval.test=other.nc
[ $status -eq 0 ] || fail "eval: exit $status" log
grep -q '^raw/pixels .* 100\.00' month/eval.txt || fail 'other values' month/eval.txt

# Missing values.
train 1 whole "${few[@]}" --set data.file=holes.h5 --set data.images=whole
for images in packed float double nan; do
    train 1 $images "${few[@]}" --set data.file=holes.h5 --set data.images=$images --set data.missing=180
    same whole $images
    refused $((1 + (${#images} > 5))) "of data set $images has values that are" "$HISS" train config.yaml --run no \
        "${few[@]}" --set data.file=holes.h5 --set data.images=$images
    grep -q 'set data.missing to what shall stand for NaN and missing values' log || fail 'not what to do' log
done
unranged=(--set train.epochs=1 --set train.lanes=6 --set data.file=holes.h5)
refused 1 '--set data.images: holes.h5: row 0 of data set float has values that are missing' "$HISS" train config.yaml \
    --run no "${unranged[@]}" --set data.images=float
train 1 whole_bytes "${unranged[@]}" --set data.images=whole_bytes
train 3 bytes "${unranged[@]}" --set data.images=bytes --set data.missing=30 --set data.mode=stream
same whole_bytes bytes
refused 1 'of data set bytes has values that are missing (they are its _FillValue or missing_value)' \
    "$HISS" train config.yaml --run no "${unranged[@]}" --set data.images=bytes
refused 1 'of data set infinite has values that are infinite; expected numbers: replace them, or leave the row out' "$HISS" train config.yaml --run no "${few[@]}" \
    --set data.file=holes.h5 --set data.images=infinite --set data.missing=180
refused 1 '--set data.missing: must be a number, or null' "$HISS" train config.yaml --run no "${unranged[@]}" --set data.images=bytes \
    --set data.missing=none
on 1 "$HISS" eval packed "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log

# What the type of pixels does not hold cannot stand for one, nor be black or white.
unfit() { # TEXT ARGUMENT...
    refused 1 "$1" "$HISS" train config.yaml --run no --set train.epochs=1 --set train.lanes=6 "${@:2}"
}
for value in -1 256 1.5 1e30; do
    unfit "--set data.missing: $value, but pixels of data set bytes are uint8: expected a whole number from 0 to 255" \
        --set data.file=holes.h5 --set data.images=bytes --set data.missing=$value
done
unfit '--set data.missing: 99999, but pixels of data set x are int16: expected a whole number from -32768 to 32767' \
    --set data.file=plainly.h5 --set data.images=x --set data.missing=99999
for images in float packed double; do
    unfit "--set data.missing: 9.9e38, but pixels of data set $images are float32: expected a number from -3.40282e+38 to 3.40282e+38" \
        --set data.file=holes.h5 --set data.images=$images --set data.missing=9.9e38
done
for range in 0,1e40 -1e40,0; do
    unfit "--set data.range: [${range/,/, }] for pixels of float32: both must be finite as float32" --set data.file=holes.h5 --set data.images=whole \
        --set "data.range=[$range]"
done
for range in bytes:0,1e20 whole:-3e38,3e38; do
    unfit 'they are so far from each other that all pixels would be equal' --set data.file=holes.h5 \
        --set data.images=${range%:*} --set "data.range=[${range#*:}]"
done
for range in bytes:1e10,1.000001e10 whole:200,200.000001; do
    unfit 'they are so close to each other that all pixels would be equal' --set data.file=holes.h5 \
        --set data.images=${range%:*} --set "data.range=[${range#*:}]"
done
for missing in null 180; do
    unfit 'data set huge has values that are too large for float32, such as 1e+300; expected numbers up to 3.4e38' \
        --set data.file=holes.h5 --set data.images=huge --set data.missing=$missing --set 'data.range=[150, 405]'
done
unprepared() { # TEXT ARGUMENT...
    refused 1 "$1" "$HISS" prepare hdf5 "${@:2}" --labels none --output no.h5
    ! grep -q 'hiss: error:.*data\.[a-z]' log || fail 'it speaks of a key' log
    [ ! -e no.h5 ] || fail 'written all the same'
}
unprepared '--missing 256, but pixels of data set bytes are uint8' holes.h5 --images bytes --missing 256
unprepared '--missing 1e39, but pixels of data set float are float32' holes.h5 --images float --missing 1e39
unprepared 'data set huge has values that are too large for float32' holes.h5 --images huge --missing 1

# Attributes are applied, refused or warned of.
files_h5=$(dirname "$HISS")/tests/cli/files_h5
with() { # ATTRIBUTE VALUE...: attr.h5, whose data set has that
    cp plainly.h5 attr.h5
    "$files_h5" attribute attr.h5 x "$@" || fail "no attribute $1"
}
for attribute in 'scale_factor 0' 'scale_factor nan' 'scale_factor 2.0 3.0' 'scale_factor text' 'add_offset nan nan' 'add_offset text'; do
    read -ra values <<<"$attribute"
    with "${values[@]}"
    unfit "attr.h5: attribute ${values[0]} of data set x is " "${mixed[@]}" --set data.file=attr.h5
    grep -q ', which hiss does not apply; write the data set anew with a number' log || fail 'not what to do' log
done
unprepared 'attribute add_offset of data set x is' attr.h5 --images x
for name in missing_value _FillValue; do
    with $name text
    unfit "attribute $name of data set x is 'text', a text, which hiss does not apply" "${mixed[@]}" --set data.file=attr.h5
    with $name 1 2 3 4 5 6 7 8 9
    unfit "attribute $name of data set x is 9 numbers, which hiss does not apply" "${mixed[@]}" --set data.file=attr.h5
    with $name 300 600
    unfit 'row 0 of data set x has values that are missing' "${mixed[@]}" --set data.file=attr.h5
done
with _Unsigned true
unfit "attribute _Unsigned of data set x is 'true', a text" "${mixed[@]}" --set data.file=attr.h5
train 1 plainly "${mixed[@]}" --set data.file=plainly.h5
for name in valid_min valid_max 'valid_range 0'; do
    read -ra values <<<"$name"
    with "${values[@]}" 100
    train 2 valid "${mixed[@]}" --set data.file=attr.h5
    [ "$(grep -c "attribute ${name% *} of data set x is not applied: values outside of it are taken as they are" log)" -eq 1 ] ||
        fail 'not said once' log
    same plainly valid
    rm -r valid
done
with missing_value 300 600
train 1 several "${mixed[@]}" --set data.file=attr.h5 --set data.missing=900
with missing_value 600
"$files_h5" attribute attr.h5 x _FillValue 300
train 1 two_names "${mixed[@]}" --set data.file=attr.h5 --set data.missing=900 --set data.mode=stream
same several two_names
! cmp -s plainly/summary.yaml several/summary.yaml || fail 'not replaced'
for name in scale_factor _FillValue; do
    with $name 2
    rm -f over.h5
    "$files_h5" virtual over.h5 x attr.h5:x || fail 'no virtual data set'
    train 2 over "${mixed[@]}" --set data.file=over.h5 --set data.follow=true
    [ "$(grep -c "over.h5: data set x is virtual, and attribute $name, which only its sources have, is not applied" log)" -eq 1 ] ||
        fail 'not said once' log
    same plainly over
    rm -r over
done
"$files_h5" attribute over.h5 x _FillValue 300
"$files_h5" attribute over.h5 x missing_value 600
train 1 at_virtual "${mixed[@]}" --set data.file=over.h5 --set data.follow=true --set data.missing=900
! grep 'only its sources' log || fail 'what is at both is warned of' log
same several at_virtual
with scale_factor 2
rm -f linked.h5 twice.h5
"$files_h5" link linked.h5 x attr.h5 x
train 1 scaled "${mixed[@]}" --set data.file=attr.h5
train 1 linked "${mixed[@]}" --set data.file=linked.h5 --set data.follow=true
same scaled linked

# Labels: their fill values are none, and packed ones are refused.
learn=(--set train.epochs=1 --set train.lanes=6 --set objective=supervised --set data.file=labels.h5)
cp data.h5 labels.h5
train 1 ignored "${learn[@]}" --set data.ignore_label=3
for name in _FillValue missing_value; do
    for value in 3 3.0; do
        cp data.h5 labels.h5
        "$files_h5" attribute labels.h5 labels $name $value
        train 1 filled "${learn[@]}"
        grep -q 'samples have no label and are left out' log || fail 'the fill value is a class' log
        same ignored filled
        rm -r filled
    done
done
cp data.h5 labels.h5
"$files_h5" attribute labels.h5 labels missing_value 3 5
train 1 filled "${learn[@]}"
! grep -Eq '^  - "?[35]"?$' filled/summary.yaml || fail 'a fill value is a class' filled/summary.yaml
for name in scale_factor add_offset; do
    cp data.h5 labels.h5
    "$files_h5" attribute labels.h5 labels $name 2
    refused 1 'data set /labels is packed (it has the attribute scale_factor or add_offset), and labels are not unpacked' \
        "$HISS" train config.yaml --run no "${learn[@]}"
    refused 1 'data set /labels is packed' "$HISS" prepare hdf5 labels.h5 --output no.h5
done
cp data.h5 labels.h5
"$files_h5" attribute labels.h5 labels missing_value none
refused 1 "attribute missing_value of data set /labels is 'none', a text" "$HISS" train config.yaml --run no "${learn[@]}"

# Pictures of what lies beyond black and white are neither black nor white, and are told of.
on 2 "$HISS" query packed --queries 2
[ $status -eq 0 ] || fail "query: exit $status" log
! grep 'pictures show' log || fail 'what is in range is stretched'
cp packed/query.png ranged.png
train 1 kelvin --set train.epochs=1 --set train.lanes=6 --set data.file=plain.h5 --set data.images=kelvin \
    --set 'data.range=[0, 1]' --set augment.mean=auto --set augment.std=auto
on 2 "$HISS" query kelvin --queries 2
[ $status -eq 0 ] || fail "query: exit $status" log
[ "$(grep -c 'pictures show each channel from its least value to its largest' log)" -eq 1 ] || fail 'not said once' log
[ "$(wc -c <kelvin/query.png)" -gt $(($(wc -c <ranged.png) / 2)) ] || fail 'the picture is empty'
[ ! -e no ] || fail 'left behind'
echo ok
