# shellcheck shell=bash
# Shards that some tool wrote: one without a row does no harm, labels of one kind may be of any size, and those of two
# kinds are refused; hiss train on the shards and on what hiss prepare hdf5 makes of them agree in that.
. "$HISS_ROOT/tests/cli/common"
small_run
classes_h5=$(dirname "$HISS")/tests/cli/classes_h5
kinds=(labels byte enum text hot real)
for kind in "${kinds[@]}"; do "$classes_h5" "$kind.h5" 480 as "$kind" || fail "no $kind"; done
for k in 1 2 3; do "$classes_h5" empty$k.h5 0 as labels || fail 'no empty file'; done
sed -i 's#optim: {lr: 0.1#optim: {lr: 0.05#' config.yaml
few=(--set train.epochs=1 --set objective=supervised --set data.labels=some)
prepare() { # OUTPUT FILE...
    on 1 "$HISS" prepare hdf5 "${@:2}" --labels some --no-shuffle --output "$1"
}

# ---- no rows ----
train 2 whole "${few[@]}" --set data.file=labels.h5
at=0
for files in 'labels empty1' 'empty1 labels' 'empty1 labels empty2 empty3'; do
    read -ra names <<<"$files"
    empty=$((${#names[@]} - 1))
    list=$(printf '%s.h5, ' "${names[@]}")
    more=''
    [ $empty -eq 1 ] || more=' and 2 more files'
    train 2 "run$((++at))" "${few[@]}" --set "data.file=[${list%, }]"
    same whole run$at
    [ "$(grep -c "warning: empty1.h5$more: no rows; going on with those of the other files" log)" -eq 1 ] ||
        fail "not one warning of $files" log
    prepare joined$at.h5 "${names[@]/%/.h5}"
    [ $status -eq 0 ] || fail "exit $status: prepare $files" log
    [ "$(grep -c "warning: empty1.h5$more: no rows; going on with those of the other files" log)" -eq 1 ] ||
        fail "not one warning by prepare of $files" log
done
train 1 joined "${few[@]}" --set data.file=joined3.h5 --set data.labels=labels
same whole joined
train 1 streamed "${few[@]}" --set 'data.file=[empty1.h5, labels.h5]' --set data.mode=stream
same whole streamed
refused 2 'is empty: 0 samples' "$HISS" train config.yaml --run no --set 'data.file=empty*.h5'
refused 1 'empty1.h5 and 2 more files have no rows; expected at least one image' \
    "$HISS" prepare hdf5 empty1.h5 empty2.h5 empty3.h5 --output no.h5
refused 1 'is empty: 0 samples' "$HISS" prepare hdf5 empty1.h5 --output no.h5

# ---- labels of one kind, and of two ----
says() { # FIRST SECOND: whether both take the two files, or neither does
    local trained
    on 1 "$HISS" train config.yaml --run "$1-$2" "${few[@]}" --set "data.file=[$1.h5, $2.h5]"
    trained=$status
    [ "$trained" -eq 0 ] || grep -q 'hiss: error: --set data.labels: .*as the first file' log ||
        grep -q 'have other names or numbers than in the first file' log || fail "another error: $1 $2" log
    rm -f two.h5
    prepare two.h5 "$1.h5" "$2.h5"
    [ $trained -eq $status ] || fail "train ends with $trained, prepare with $status: $1 $2" log
    [ $status -eq 0 ] || grep -q "hiss: error: $2.h5: labels are .*, those of $1.h5 are .*; write them alike" log ||
        fail "another error by prepare: $1 $2" log
    both=$status
}
for pair in 'labels byte 0' 'byte labels 0' 'labels text 2' 'text byte 2' 'labels real 2' 'real byte 2' 'text real 2'; do
    read -r first second expected <<<"$pair"
    says "$first" "$second"
    [ $both -eq "$expected" ] || fail "exit $both: $first $second" log
done
says labels hot
[ $both -eq 2 ] || fail "exit $both: numbers and one-hot rows" log

# ---- classes are named once, for all files ----
"$classes_h5" enum2.h5 100
prepare named.h5 enum.h5 text.h5
[ $status -eq 2 ] || fail 'an enumeration and strings' log
on 1 "$HISS" prepare hdf5 enum.h5 enum2.h5 --labels enum --output named.h5
[ "$(grep -c 'classes in data set' log)" -eq 1 ] || fail 'not one line of classes' log
grep -q 'prepare: 20 classes in data set enum, class-00 to class-19' log || fail 'other classes' log
for number in 30 4 100 -2; do "$odd_h5" only$number.h5 /images=u8:20x12x12 /labels=i32:20:$number; done
on 1 "$HISS" prepare hdf5 only30.h5 only4.h5 only100.h5 --output only.h5
grep -q 'prepare: 3 classes in data set /labels, 4 to 100$' log || fail 'not the range of numbers' log
on 1 "$HISS" prepare hdf5 only30.h5 only-2.h5 only4.h5 --output only.h5
grep -q 'prepare: 3 classes in data set /labels, -2 to 30$' log || fail 'not the range of numbers' log
on 1 "$HISS" prepare hdf5 only30.h5 --output only.h5
grep -q 'only30.h5: 1 class in data set /labels, 30$' log || fail 'a range of one' log
echo ok
