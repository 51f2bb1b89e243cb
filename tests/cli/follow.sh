# shellcheck shell=bash
# Links into other files and virtual data sets: followed when data.follow says so, with the same bits as one file, and only
# to files that lie, when all is said, below the folder of the first file or one that the key names.
. "$HISS_ROOT/tests/cli/common"
small_run
files_h5=$(dirname "$HISS")/tests/cli/files_h5
mkdir -p in/deep out
"$files_h5" split data.h5 in/deep/part 0 200 400 || fail 'no parts'
"$files_h5" split data.h5 in/whole 16 600 || fail 'no whole'
cp in/whole0.h5 out/away.h5
few=(--set train.epochs=1 --set train.lanes=6)
follow=(--set data.follow=true)
# entry FILE IMAGES LABELS: a file of links to data sets, each FILE:OBJECT.
entry() {
    "$files_h5" link "$1" /images "${2%:*}" "${2##*:}"
    "$files_h5" link "$1" /labels "${3%:*}" "${3##*:}"
}
entry in/links.h5 whole0.h5:/images whole0.h5:/labels
entry in/chain.h5 links.h5:/images "$PWD/in/links.h5:/labels"
"$files_h5" virtual in/virtual.h5 /images in/deep/part0.h5:/images in/deep/part1.h5:/images
(cd in && "$files_h5" virtual near.h5 /images deep/part0.h5:/images deep/part1.h5:/images &&
    "$files_h5" virtual near.h5 /labels deep/part0.h5:/labels deep/part1.h5:/labels)
(cd in && "$files_h5" virtual mixed.h5 /images links.h5:/images && "$files_h5" link mixed.h5 /labels near.h5 /labels)
entry in/two0.h5 deep/part0.h5:/images deep/part0.h5:/labels
entry in/two1.h5 deep/part1.h5:/images deep/part1.h5:/labels

# ---- the same bits ----
train 1 whole "${few[@]}"
for file in links chain near mixed; do
    train 2 $file "${few[@]}" "${follow[@]}" --set data.file=in/$file.h5
    same whole $file
done
train 1 streamed "${few[@]}" "${follow[@]}" --set data.file=in/near.h5 --set data.mode=stream --set data.memory=30000
train 1 several "${few[@]}" "${follow[@]}" --set 'data.file=in/two*.h5'
for run in streamed several; do same whole $run; done

# ---- parts of a source, of each shape ----
for kind in framed steps channel one columns halves turned; do
    (cd in && "$files_h5" parts $kind.h5 $kind whole0.h5 $kind-source.h5) || fail "no $kind.h5"
    "$files_h5" link in/$kind.h5 /labels whole0.h5 /labels
    train 1 $kind "${few[@]}" "${follow[@]}" --set data.file=in/$kind.h5
    same whole $kind
    train 2 ${kind}_streamed "${few[@]}" "${follow[@]}" --set data.file=in/$kind.h5 --set data.mode=stream --set data.memory=30000
    same whole ${kind}_streamed
done
on 1 "$HISS" doctor config.yaml --set data.file=in/near.h5 "${follow[@]}"
[ $status -le 1 ] || fail "doctor: exit $status" log
on 1 "$HISS" eval whole "${follow[@]}" --set eval.test=in/near.h5 --set eval.random=false --set eval.linear=false
[ $status -eq 0 ] || fail "eval: exit $status" log

# ---- the same file by hiss prepare, which is asked in its own words ----
prepare() { # FILE ARGUMENT...
    on 1 "$HISS" prepare hdf5 "${@:2}" --no-shuffle --output "$1"
    [ $status -eq 0 ] || fail "exit $status: prepare hdf5 ${*:2}" log
    train 1 prepared "${few[@]}" --set "data.file=$1"
    same whole prepared
    rm -r prepared
}
for file in whole0 links chain near mixed framed steps one; do
    prepare made.h5 in/$file.h5 --follow
done
prepare made.h5 in/two0.h5 in/two1.h5 --follow
prepare made.h5 'in/two*.h5' --follow
prepare made.h5 in/whole0.h5 --labels in/links.h5:/labels --follow
unprepared() { # TEXT ARGUMENT...
    refused 1 "$1" "$HISS" prepare hdf5 "${@:2}" --output out/x.h5
    ! grep -q 'hiss: error:.*data\.[a-z]' log || fail 'it speaks of a key' log
    [ ! -e out/x.h5 ] || fail "written all the same: ${*:2}"
}
unprepared 'h5repack --merge OLD NEW; or add --follow' in/links.h5
unprepared 'h5repack -l CONTI OLD NEW; or add --follow' in/near.h5 --no-follow
cksum in/deep/part0.h5 in/whole0.h5 >before
refused 1 "--output in/deep/part0.h5 is a file that is read, as in/near.h5 leads there" "$HISS" prepare hdf5 in/near.h5 --follow --output in/deep/part0.h5
refused 1 "--output in/whole0.h5 is a file that is read, as in/chain.h5 leads there" "$HISS" prepare hdf5 in/chain.h5 --follow --output in/whole0.h5
mkdir in/halves
cp data.h5 in/halves/test.h5
entry in/tohalf.h5 halves/test.h5:/images halves/test.h5:/labels
refused 1 "--output in/halves/test.h5 is a file that is read, as in/tohalf.h5 leads there" \
    "$HISS" prepare hdf5 in/tohalf.h5 --follow --split 0.5 --output in/halves
cksum in/deep/part0.h5 in/whole0.h5 | cmp -s - before || fail 'what is read was changed'

# ---- without the key ----
wrong() { refused "$1" "$2" "$HISS" train config.yaml --run new "${few[@]}" "${@:3}"; }
wrong 1 'and such links are not followed; name that file, or copy the data into this one where both lie: h5repack --merge OLD NEW; or set data.follow: true' \
    --set data.file=in/links.h5
wrong 2 'is not read: it is virtual: its values lie in other data sets, or in none; copy them where they are complete: h5repack -l CONTI OLD NEW; or set data.follow: true' \
    --set data.file=in/near.h5 --set data.follow=false
wrong 1 "--set data.follow: must be true, false, or a list of folders, found 'maybe'" --set data.follow=maybe
wrong 1 '--set data.follow: nowhere is no folder that can be read' --set data.follow='[nowhere]'

# ---- where it may not go: by .., by an absolute path, by a link of the file system, step by step ----
ln -s ../out in/side
ln -s ../../out/away.h5 in/deep/inner.h5
entry in/dots.h5 ../out/away.h5:/images ../out/away.h5:/labels
entry in/absolute.h5 "$PWD/out/away.h5:/images" "$PWD/out/away.h5:/labels"
entry in/folder.h5 side/away.h5:/images side/away.h5:/labels
entry in/file.h5 deep/inner.h5:/images deep/inner.h5:/labels
entry in/step.h5 dots.h5:/images dots.h5:/labels
(cd in && "$files_h5" virtual view.h5 /images ../out/away.h5:/images)
(cd in && "$files_h5" virtual inside.h5 /images dots.h5:/images)
for file in dots absolute folder file step view inside; do
    wrong 1 "$PWD/out/away.h5, which is not below $PWD/in; add its folder, as in data.follow: [DIR]" "${follow[@]}" \
        --set data.file=in/$file.h5
done
for file in dots absolute folder file step view inside; do
    unprepared "$PWD/out/away.h5, which is not below $PWD/in; copy it there, or prepare that file itself" in/$file.h5 --follow
done
for file in dots absolute folder file step; do
    train 1 "to$file" "${few[@]}" --set data.follow='[out]' --set data.file=in/$file.h5
    same whole "to$file"
done
HDF5_EXT_PREFIX=$PWD/out HDF5_VDS_PREFIX=$PWD/out train 1 prefix "${few[@]}" "${follow[@]}" --set data.file=in/near.h5
same whole prefix

# ---- what cannot be followed ----
entry in/circle.h5 circle2.h5:/images circle2.h5:/labels
entry in/circle2.h5 circle.h5:/images circle.h5:/labels
entry in/lost.h5 gone.h5:/images gone.h5:/labels
entry in/unnamed.h5 whole0.h5:/nothing whole0.h5:/labels
head -c 5000 in/whole0.h5 >in/cut.h5
entry in/tocut.h5 cut.h5:/images cut.h5:/labels
(cd in && "$files_h5" virtual nested.h5 /images near.h5:/images)
wrong 1 'leads through more than 16 files, perhaps in a circle' "${follow[@]}" --set data.file=in/circle.h5
wrong 2 'lies in the file gone.h5, which is not there' "${follow[@]}" --set data.file=in/lost.h5
wrong 1 'has no data set /nothing; it has: ' "${follow[@]}" --set data.file=in/unnamed.h5
wrong 1 "$PWD/in/cut.h5: incomplete HDF5 file" "${follow[@]}" --set data.file=in/tocut.h5
(cd in && "$files_h5" parts growing.h5 growing whole0.h5)
wrong 1 'is not read: it is virtual' "${follow[@]}" --set data.file=in/nested.h5
wrong 1 'in/growing.h5: data set /images is virtual and grows with its sources' "${follow[@]}" --set data.file=in/growing.h5
mv in/deep/part1.h5 in/deep/moved.h5
wrong 1 'lies in the file deep/part1.h5, which is not there' "${follow[@]}" --set data.file=in/near.h5
"$files_h5" split data.h5 in/deep/part 0 200 300
wrong 1 'does not have the values that data set /images of in/near.h5 takes from it' "${follow[@]}" --set data.file=in/near.h5
echo ok
