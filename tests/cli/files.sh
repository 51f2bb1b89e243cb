# shellcheck shell=bash
# A data set in several files, as a list, a pattern or one file for each sample, is the data set: the same bits as one
# file, in memory and streamed, on any number of ranks. Files that do not belong together are named.
. "$HISS_ROOT/tests/cli/common"
small_run
files_h5=$(dirname "$HISS")/tests/cli/files_h5
"$files_h5" split data.h5 part 0 100 200 1 149 150 || fail 'no parts'
"$files_h5" split data.h5 gzip 16 150 150 50 250 || fail 'no parts'
mkdir one
"$files_h5" apart data.h5 one/ 600 || fail 'no files'
few=(--set train.epochs=1 --set train.lanes=6)
parts=(--set 'data.file=part*.h5')
stream=(--set data.mode=stream --set data.memory=30000)

# ---- the same bits ----
train 1 whole "${few[@]}"
train 1 list "${few[@]}" --set 'data.file=[part0.h5, part1.h5, part2.h5, part3.h5, part4.h5]'
train 2 both "${few[@]}" "${parts[@]}" --set dist.threads=2
train 3 streamed "${few[@]}" "${parts[@]}" "${stream[@]}"
train 5 five "${few[@]}" --set 'data.file=["part[0-2].h5", part3.h5, part4.h5]'
train 1 gzip "${few[@]}" --set 'data.file=gzip*.h5' "${stream[@]}" --set dist.threads=2
train 2 gzip2 "${few[@]}" --set 'data.file=gzip*.h5'
train 2 apart "${few[@]}" --set 'data.file=one/*.h5' --set data.layout=HWC
train 1 apart1 "${few[@]}" --set 'data.file=one/*.h5' --set data.layout=HWC "${stream[@]}"
for run in list both streamed five gzip gzip2 apart apart1; do same whole $run; done

train 1 resumed --set train.epochs=2 --set train.steps=8 --set train.lanes=6 "${parts[@]}"
train 1 resumed --set train.epochs=2 --set train.lanes=6 --set 'data.file=one/*.h5' --set data.layout=HWC
train 2 longer --set train.epochs=2 --set train.lanes=6 --set 'data.file=[data.h5]'
same resumed longer

# ---- evaluation, queries, doctor; labels in files of their own ----
eval=(--set eval.random=false --set eval.linear=false)
on 1 "$HISS" eval whole "${eval[@]}" --set eval.test=data.h5
[ $status -eq 0 ] || fail "eval: exit $status" log
grep '^trained/' log >one.numbers
on 2 "$HISS" eval list "${eval[@]}" --set 'eval.test=part*.h5' --set 'data.labels=gzip*.h5:/labels'
[ $status -eq 0 ] || fail "eval of parts: exit $status" log
grep '^trained/' log | cmp - one.numbers || fail 'other numbers by parts' log
on 1 "$HISS" query apart --queries 2 "${parts[@]}" --set data.layout=NHWC
[ $status -eq 0 ] || fail "query: exit $status" log
on 2 "$HISS" doctor config.yaml "${parts[@]}"
[ $status -le 1 ] || fail "doctor: exit $status" log
grep -qF '5 files of 600 rows, from part0.h5 (100) to part4.h5 (150)' log || fail 'doctor does not count' log
grep -qF 'part*.h5 (5 files): readable by all ranks, 600 images of 12 x 12 x 1' log || fail 'doctor does not see' log

# ---- a label that is a single value, of each kind ----
"$(dirname "$HISS")/tests/cli/classes_h5" classes.h5 60
mkdir single
"$files_h5" apart classes.h5 single/ 60 || fail 'no files'
learn=(--set train.epochs=2 --set train.lanes=3 --set objective=supervised --set optim.lr=0.01)
identity() { grep -ao '[0-9a-f]\{64\}' "$1" | head -n 1; }
for kind in labels real enum text fixed; do
    train 1 joined "${learn[@]}" --set data.file=classes.h5 --set data.labels=$kind
    train 2 alone "${learn[@]}" --set 'data.file=single/*.h5' --set data.layout=HW --set data.labels=$kind
    same joined alone
    [ "$(grep -A 20 '^class' joined/summary.yaml)" = "$(grep -A 20 '^class' alone/summary.yaml)" ] || fail "other classes, $kind" alone/summary.yaml
    rm -r joined alone
    "$HISS" prepare hdf5 classes.h5 --labels $kind --no-shuffle --output joined.h5 2>log || fail "prepare, $kind" log
    "$HISS" prepare hdf5 'single/*.h5' --layout HW --labels $kind --no-shuffle --output alone.h5 2>log || fail "prepare, $kind" log
    [ -n "$(identity alone.h5)" ] && [ "$(identity joined.h5)" = "$(identity alone.h5)" ] || fail "prepare makes another file, $kind" log
done

# ---- files that do not belong together ----
wrong() { refused "$1" "hiss: error: $2" "$HISS" train config.yaml --run new "${few[@]}" "${@:3}"; }
"$HISS_ROOT/tools/tiny_data" small 20 8
"$HISS" prepare idx --images small/images.idx --labels small/labels.idx --output other.h5 2>log || fail 'no other' log
head -c 5000 part3.h5 >cut.h5
wrong 3 '--set data.file: other.h5: data set /images holds uint8 [20,8,8,1]; expected uint8 [100,12,12,1], but for the number of samples, as the first file, part0.h5: name' \
    --set 'data.file=[part0.h5, other.h5]'
wrong 1 '--set data.file: cut.h5: incomplete HDF5 file' --set 'data.file=["part*.h5", cut.h5]'
wrong 1 '--set data.file: no file matches none*.h5; give' --set 'data.file=none*.h5'
wrong 2 '--set data.file: the data file none.h5 does not exist' --set 'data.file=[part0.h5, none.h5]'
wrong 1 '--set data.file: part0.h5 is named twice; name each file once' --set 'data.file=["part*.h5", part0.h5]'
ln -s part0.h5 again.h5
wrong 1 '--set data.file: part0.h5 and again.h5 are the same file; name each file once' --set 'data.file=[part0.h5, again.h5]'
wrong 1 '--set data.file: data.file: the list is empty; name a file' --set 'data.file=[]'
wrong 1 '--set data.file: data.file: entry 2 of the list is no path' --set 'data.file=[a, [b]]'
wrong 1 '--set data.layout: HW names 2 axes, but the data set holds uint8 [12,12,1] in each file; name' \
    --set 'data.file=one/*.h5' --set data.layout=HW
refused 1 'no file matches nowhere/*.h5' "$HISS" train config.yaml --run no --set 'data.file=nowhere/*.h5'
echo ok
