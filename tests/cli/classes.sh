# Labels as people have them: every kind gives the same classes and bits; names travel with the run; test samples are
# matched by name; those without a label train where none is needed and are not judged; and what is no label never stops
# a training that does not look at it.
# shellcheck source=tests/cli/common
. "$HISS_ROOT/tests/cli/common"
small_run
classes_h5=$(dirname "$HISS")/tests/cli/classes_h5
"$classes_h5" train.h5 480
"$classes_h5" test.h5 200 backwards
"$classes_h5" many.h5 2400
short=(--set data.file=train.h5 --set train.epochs=1)
learn=("${short[@]}" --set objective=supervised)
judge=(--set eval.random=false --set eval.linear=false --set eval.few_labels=false --set eval.layers=fc1)

# Every kind, by a method that needs labels.
train 2 integers "${learn[@]}"
for kind in text enum hot deep far train.h5:/text "$PWD/train.h5:/deep" 'wide --set data.label_column=4' \
    hot_turned train.h5:/hot_turned 'wide_turned --set data.label_column=4'; do
    read -ra arguments <<<"$kind"
    [[ $kind != *many* ]] || continue
    train 1 kind "${learn[@]}" --set "data.labels=${arguments[0]}" "${arguments[@]:1}"
    same integers kind
    rm -r kind
done
train 1 far "${learn[@]}" --set data.labels=far
grep -q '^  - "100000"$' far/summary.yaml && grep -qx 'classes: 20' far/summary.yaml || fail 'no class 100000' far/summary.yaml

# What is none: one line for who needs labels; else one warning, and the bits of a run without them.
train 1 without "${short[@]}" --set 'data.labels=""'
! grep -q 'hiss: warning' log || fail 'a warning of labels that are not asked for' log
none() { # LABELS TEXT ARGUMENT...
    refused 2 "$2" "$HISS" train config.yaml --run none "${learn[@]}" --set "data.labels=$1" "${@:3}"
    [ ! -e none ] || fail 'a run is left behind'
    train 2 none "${short[@]}" --set "data.labels=$1" "${@:3}"
    [ "$(grep -c 'hiss: warning: .*going on without labels' log)" -eq 1 ] || fail "not one warning of labels $1" log
    grep 'hiss: warning' log | grep -qF -- "$2" || fail "no '$2' in the warning" log
    [ "${3:-}" ] || same without none
    rm -r none
}
none wide '--set data.labels: train.h5: data set wide holds float64 [480,6], 6 columns, and row 0 is not one-hot'
none wide 'row 1 of data set wide is 0.1; expected class numbers, which are whole' --set data.label_column=0
none hot '--set data.label_column: 20, but data set hot of train.h5 holds float64 [480,20]: its columns are 0 to 19' \
    --set data.label_column=20
none wide_turned '--set data.labels: train.h5: data set wide_turned holds float64 [6,480], 6 columns, and row 0 is not one-hot'
none id 'data set id has more than 1200 different values in 2400 rows: identifiers' --set data.file=many.h5
none absent 'train.h5: has no data set absent'
none absent.h5:/y 'the file of labels absent.h5 does not exist'
none many.h5:/labels 'many.h5: data set /labels holds int32 [2400]; expected integers [480], one for each row of /images'

# A group is no data set, and is said to be one, also under the name that is looked for first.
"$odd_h5" group.h5 /images=u8:60x12x12 /labels/kind=u8:60 /labels/tail=u8:60
grouped='/labels is a group; expected a data set; it has: /images, /labels/kind, /labels/tail'
refused 2 "data.labels: group.h5: $grouped" "$HISS" train config.yaml --run none --set data.file=group.h5 --set objective=supervised
train 1 grouped --set data.file=group.h5 --set train.epochs=1
[ "$(grep -c "hiss: warning: .*$grouped; going on without labels" log)" -eq 1 ] || fail 'not one warning of a group' log
train 1 ungrouped --set data.file=group.h5 --set train.epochs=1 --set 'data.labels=""'
same grouped ungrouped
refused 1 "--labels: group.h5: $grouped" "$HISS" prepare hdf5 group.h5 --output grouped.h5
on 1 "$HISS" prepare hdf5 group.h5 --labels none --output grouped.h5
[ $status -eq 0 ] || fail "exit $status: prepare without labels" log

# What is shown of classes is a range, whatever order they are in.
train 1 told "${short[@]}" --set data.file=test.h5 --set data.labels=enum --set data.ignore_label=x
grep -q '20 classes in data set enum, class-00 to class-19$' log || fail 'a range that is none' log
grep -q "warning: .* has the label 'x', which is to be ignored; its labels are class-00 to class-19$" log || fail 'a range that is none' log

# Names travel: into the summary, the checkpoint, and what is said of an evaluation; on 2 ranks as on 1.
train 1 run "${short[@]}" --set data.labels=enum
grep -qx 'classes: 20' run/summary.yaml && grep -qx '  - class-19' run/summary.yaml || fail 'no names' run/summary.yaml
same run without
strings -n 3 run/ckpt/*.h5 2>/dev/null | grep -q '^class-07$' || grep -qa 'class-07' run/ckpt/*.h5 || fail 'no names in the checkpoint'
for ranks in 1 2; do
    on $ranks "$HISS" eval run "${judge[@]}" --set eval.test=test.h5
    [ $status -eq 0 ] || fail "eval: exit $status" log
    ! grep -q 'hiss: warning: .*classes' log || fail 'a warning of classes that are all known' log
    # The numbers of the test set are other ones, its names are not.
    grep -q '^raw/pixels .* 100\.00' run/eval.txt || fail 'test samples are not matched by name' run/eval.txt
    grep -q '^classes: class-00, class-01, .*class-19$' run/eval.txt || fail 'no names' run/eval.txt
    grep -q '"classes": \["class-00", "class-01",' run/eval.json || fail 'no names' run/eval.json
    grep -q 'class-00, class-01' run/report.html || fail 'no names' run/report.html
done
# Strings and numbers of other files are matched, too.
for pair in text:enum enum:text labels:hot far:labels; do
    on 1 "$HISS" eval run "${judge[@]}" --set "data.labels=${pair%:*}" --set eval.test=test.h5 \
        --set "eval.test_labels=${pair#*:}"
    [ $status -eq 0 ] || fail "eval of $pair: exit $status" log
    grep -q '^raw/pixels .* \(100\|95\)\.00' run/eval.txt || fail "$pair are not matched" run/eval.txt
done
grep -q '10 of 200 test samples are of classes that no training sample has (class 19 is one)' log ||
    fail 'class 19 of training is called 100000' log

# Samples without a label.
train 1 part "${short[@]}" --set data.labels=part
same part without
train 2 labelled "${learn[@]}" --set data.labels=part
grep -q 'hiss: warning: train.h5: 48 of 480 samples have no label and are left out' log || fail 'no count' log
grep -q 'data: 432 samples' log || fail 'they are not left out' log
for mode in memory stream; do
    train 1 again "${learn[@]}" --set data.labels=part --set data.mode=$mode
    same labelled again
    rm -r again
done
on 1 "$HISS" eval part "${judge[@]}" --set eval.test=test.h5
[ $status -eq 0 ] || fail "eval of part: exit $status" log
for said in '48 of 480 training' '20 of 200 test'; do
    grep -q "^$said samples have no label and are left out$" part/eval.txt || fail "not said: $said" part/eval.txt
done
grep -q 'trained on 432 samples, tested on 180, 20 classes' part/eval.txt || fail 'others are judged' part/eval.txt
on 1 "$HISS" eval part "${judge[@]}" --set data.ignore_label=7 --set eval.test=test.h5
grep -q 'trained on 45[0-9] samples, .* 20 classes' part/eval.txt || fail 'another label is ignored' part/eval.txt
# A label to ignore that no sample has: one warning, whatever kind the labels are of; none where some sample has it.
for kind in labels text enum hot; do
    train 2 again "${short[@]}" --set "data.labels=$kind" --set data.ignore_label=class-99
    [ "$(grep -c "hiss: warning: train.h5: no sample of data set $kind has the label 'class-99', which is to be ignored; its labels are" log)" -eq 1 ] ||
        fail "not one warning of a label to ignore, $kind" log
    rm -r again
done
for ignored in 7 -1 '""'; do
    train 1 again "${short[@]}" --set "data.ignore_label=$ignored"
    ! grep -q 'hiss: warning' log || fail "a warning of '$ignored'" log
    rm -r again
done
on 1 "$HISS" query part --queries 2
[ $status -eq 0 ] || fail "query of part: exit $status" log
on 1 "$HISS" query run --queries 2 --set data.labels=wide
[ $status -eq 0 ] || fail "query with labels that are none: exit $status" log
for labels in part wide; do
    on 1 "$HISS" doctor config.yaml "${short[@]}" --set "data.labels=$labels"
    [ "$(grep -c '^FAIL' log)" -eq "$([ $labels = part ] && echo 0 || echo 1)" ] || fail "doctor: exit $status" log
done
# It opens the data once for training and once for evaluation, and says each warning once, whichever it is.
on 1 "$HISS" doctor config.yaml "${short[@]}" --set data.labels=enum --log info
[ "$(grep -c 'hiss: .* classes in data set enum' log)" -eq 2 ] || fail 'doctor does not open the data twice' log
for what in data.labels=wide data.ignore_label=99 'data.labels=part --set objective=supervised'; do
    read -ra arguments <<<"$what"
    on 2 "$HISS" doctor config.yaml "${short[@]}" --set "${arguments[@]}"
    [ "$(grep -c '^hiss: warning: ' log)" -eq 1 ] || fail "not one warning of $what" log
done
on 1 "$HISS" doctor config.yaml "${short[@]}" --set data.labels=wide
grep -q '^FAIL.*hiss eval would fail' log || fail 'doctor does not say that eval needs labels' log
grep -q 'one-hot' log || fail 'doctor does not say what is wrong with labels' log

# The classes of a run that learnt from labels are its own: its network keeps their number, and a resumed run its names.
"$odd_h5" ten.h5 /images=u8:200x12x12 /labels=u8:200
on 1 "$HISS" eval integers "${judge[@]}" --set eval.layers=scores --set eval.train=ten.h5 --set eval.test=ten.h5
[ $status -eq 0 ] || fail "eval with samples of fewer classes: exit $status" log
cp train.h5 moved.h5
train 1 moved "${learn[@]}" --set data.file=moved.h5 --set data.labels=enum --set train.epochs=2 --set train.steps=10
"$classes_h5" moved.h5 480 backwards
refused 2 "was made from labels of other classes: one was 'class-00', now 'class-19'" "$HISS" train config.yaml \
    --run moved "${learn[@]}" --set data.file=moved.h5 --set data.labels=enum --set train.epochs=2
echo ok
