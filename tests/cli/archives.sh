# hiss prepare npz and webdataset: the same data set as from the same images in other files, one line for each mistake, and
# nothing written but the output, whatever names an archive holds.
. "$HISS_ROOT/tests/cli/common"
small_run

# The hash over pixels and labels that the file records.
identity() { grep -ao '[0-9a-f]\{64\}' "$1" | head -n 1; }
alike() { [ -n "$(identity "$1")" ] && [ "$(identity "$1")" = "$(identity "$2")" ] || fail "$1 and $2 differ"; }
prepare() {
    on 1 "$HISS" prepare "$@"
    [ $status -eq 0 ] || fail "exit $status: prepare $*" "$log"
}

# ---- npz ----

# npy FILE TYPE SHAPE: a header, and the values from standard input.
npy() {
    {
        printf '\223NUMPY\001\000\166\000'
        printf '%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
        cat
    } >"$1"
}
little() { # BYTES NUMBER
    local k
    for ((k = 0; k < $1; k++)); do
        # shellcheck disable=SC2059
        printf "\\x$(printf %x $(($2 >> 8 * k & 255)))"
    done
}
# npz FILE NAME=PATH...: a zip file of deflated members, whose data and checksums gzip has made.
npz() {
    local file=$1 pair name path packed offset
    shift
    : >"$file" && : >directory
    for pair; do
        name=${pair%%=*}.npy path=${pair#*=} offset=$(stat -c %s "$file")
        gzip -nc "$path" >packed
        packed=$(($(stat -c %s packed) - 18))
        { # version, flags, method, time, checksum, sizes, length of the name
            little 2 20 && little 2 0 && little 2 8 && little 4 0 && tail -c 8 packed | head -c 4
            little 4 $packed && little 4 "$(stat -c %s "$path")" && little 4 ${#name}
        } >head
        { printf 'PK\003\004' && cat head && printf %s "$name" && tail -c +11 packed | head -c $packed; } >>"$file"
        { printf 'PK\001\002' && little 2 20 && cat head && little 2 0 && little 4 0 && little 4 0 && little 4 "$offset" && printf %s "$name"; } >>directory
    done
    offset=$(stat -c %s "$file")
    cat directory >>"$file"
    { printf 'PK\005\006' && little 4 0 && little 2 $# && little 2 $# && little 4 "$(stat -c %s directory)" && little 4 "$offset" && little 2 0; } >>"$file"
}
tail -c +17 images.idx | npy images.npy '|u1' '600, 12, 12'
tail -c +9 labels.idx | npy labels.npy '|u1' '600, 1'
tail -c +9 labels.idx | od -An -v -to1 -w1 | while read -r octal; do printf "\\0\\0\\0\\0\\0\\0\\0\\$octal"; done | npy long.npy '>i8' '600,'
npz both.npz images=images.npy labels=labels.npy
npz parts.npz val_labels=long.npy val_images=images.npy test_images=images.npy

if ! grep -q HISS_HAS_ARCHIVE "$(dirname "$HISS")/flags"; then
    refused 1 'both.npz: this hiss was built without libarchive' "$HISS" prepare npz both.npz --output x.h5
    tar -cf x.tar images.idx
    refused 1 'x.tar: this hiss was built without libarchive' "$HISS" prepare webdataset x.tar --output x.h5
    [ ! -e x.h5 ] || fail 'left behind'
    echo ok
    exit
fi

prepare npz both.npz --output both.h5
alike data.h5 both.h5
prepare npz parts.npz --split val --output val.h5
alike data.h5 val.h5
prepare npz parts.npz --images val_images --labels val_labels --output val.h5
alike data.h5 val.h5
"$HISS" prepare idx --images images.idx --output bare.h5 2>log || fail 'no bare.h5' log
prepare npz parts.npz --split test --output bare2.h5
alike bare.h5 bare2.h5
prepare npz both.npz --labels none --output bare3.h5
alike bare.h5 bare3.h5
sets=(--set objective=supervised --set train.epochs=1)
train 1 idx "${sets[@]}"
train 1 npz "${sets[@]}" --set data.file=both.h5
same idx npz

refused 1 "parts.npz: has no array 'images'; it holds val_labels, val_images, test_images: name one with --images, or the part with --split" \
    "$HISS" prepare npz parts.npz --output x.h5
refused 1 "has no array 'test_labels'" "$HISS" prepare npz parts.npz --split test --labels labels --output x.h5
refused 1 "has no array 'train_images'" "$HISS" prepare npz parts.npz --split train --output x.h5
tail -c +17 images.idx | npy channels.npy '|u1' '100, 3, 16, 18'
npz channels.npz images=channels.npy
refused 1 'images of 3 x 16 with 18 channels look like another layout; add --layout NCHW' "$HISS" prepare npz channels.npz --output x.h5
prepare npz channels.npz --layout NCHW --output channels.h5
grep -q '100 images of 864 bytes' log || fail 'not 100 images' log
# A layout that is named is believed, by prepare, and by the training that follows.
prepare npz channels.npz --layout NHWC --output channels.h5
sed 's#^data: .*#data: {file: channels.h5}#; s#{max_pool: 2}#{max_pool: 1}#' config.yaml >channels.yaml
on 1 "$HISS" doctor channels.yaml
grep -q '100 images of 3 x 16 x 18' log || fail 'a layout that was named is not believed' log
refused 1 '--layout NHCW: of an npz file it must be NHWC or NCHW' "$HISS" prepare npz channels.npz --layout NHCW --output x.h5
prepare npz channels.npz --layout NCHW --output channels.h5
grep -q '100 images of 864 bytes' log || fail 'not 100 images' log
refused 1 '--output both.npz is the file that is read' "$HISS" prepare npz both.npz --output both.npz
refused 1 'images.idx: cannot be read as a zip file' "$HISS" prepare npz images.idx --output x.h5
refused 1 'nowhere.npz: cannot be opened: No such file' "$HISS" prepare npz nowhere.npz --output x.h5
refused 1 'prepare npz needs an npz file' "$HISS" prepare npz --output x.h5
refused 1 "prepare npz: unexpected argument 'labels.npy'" "$HISS" prepare npz both.npz labels.npy --output x.h5
for size in 0 10 1000 30000 $(($(stat -c %s both.npz) - 1)); do
    head -c "$size" both.npz >cut.npz
    refused 1 'cut.npz: cannot be read as a zip file: it is cut off, or no zip file; fetch or make it again' \
        "$HISS" prepare npz cut.npz --output x.h5
done

# ---- WebDataset ----

size=(--height 8 --width 8 --channels 1)
mkdir -p folder/{0,1,2} samples
for ((i = 0; i < 30; i++)); do
    name=$(printf %04d $i)
    { printf 'P5 9 9 255\n' && tail -c +$((i * 81 + 17)) images.idx | head -c 81; } >samples/$name.pgm
    echo $((i / 10)) >samples/$name.cls
    printf '{"caption": "a \\"b\\" {", "kind": {"label": 8}, "label": %d}' $((i / 10)) >samples/$name.json
    cp samples/$name.pgm folder/$((i / 10))
done
prepare folder folder "${size[@]}" --output folder.h5
shards() { # NAME WHAT...: two shards, of the samples' files with these ends
    local ends=("${@:2}")
    (cd samples && for part in 0 1; do
        tar --sort=name -cf ../$1-00000$part.tar $(for ((i = part * 15; i < part * 15 + 15; i++)); do
            for end in "${ends[@]}"; do printf '%04d.%s ' $i "$end"; done
        done)
    done)
}
shards cls pgm cls
shards json json pgm
shards bare pgm
gzip -nk cls-*.tar
prepare webdataset cls-*.tar "${size[@]}" --output shards.h5
grep -q '30 labelled samples in 2 shards' log || fail 'not counted' log
alike folder.h5 shards.h5
prepare webdataset cls-*.tar.gz "${size[@]}" --output shards.h5
alike folder.h5 shards.h5
prepare webdataset json-*.tar "${size[@]}" --output shards.h5
alike folder.h5 shards.h5
prepare webdataset bare-*.tar "${size[@]}" --output bare.h5
prepare webdataset cls-*.tar --labels none "${size[@]}" --output bare2.h5
alike bare.h5 bare2.h5
refused 1 "has neither a member 'kinds' nor that key" "$HISS" prepare webdataset cls-*.tar --labels kinds "${size[@]}" --output x.h5
refused 1 "has no label, others have one" "$HISS" prepare webdataset cls-000000.tar bare-000001.tar "${size[@]}" --output x.h5
refused 1 '--output cls-000001.tar is the file that is read' "$HISS" prepare webdataset cls-*.tar "${size[@]}" --output cls-000001.tar
refused 1 'images.idx: cannot be read as a tar file' "$HISS" prepare webdataset cls-*.tar images.idx "${size[@]}" --output x.h5
for what in jpg JPG .jpg left.pgm; do # which samples have nothing of that name: the field is wrong, not the samples
    refused 1 "cls-000000.tar and the others: no member ends in .${what#.}; there are .pgm, .cls: name what the pictures end in with --images" \
        "$HISS" prepare webdataset cls-*.tar --images "$what" --skip-broken "${size[@]}" --output x.h5
    ! grep -q 'hiss: warning' log || fail 'samples are blamed' log
done
for what in PGM .pgm; do
    prepare webdataset cls-*.tar --images "$what" "${size[@]}" --output shards.h5
    alike folder.h5 shards.h5
done
(cd samples && tar -cf ../one.tar 0000.pgm)
prepare webdataset one.tar "${size[@]}" --output x.h5
grep -q '1 unlabelled sample in 1 shard$' log || fail 'one of them is several' log
rm x.h5
refused 1 'prepare webdataset needs tar files' "$HISS" prepare webdataset --output x.h5
for size_of_cut in 0 10 1024 5000 $((15 * 2048)); do # the last between two samples
    head -c $size_of_cut cls-000001.tar >cut.tar
    refused 1 'cut.tar' "$HISS" prepare webdataset cls-000000.tar cut.tar "${size[@]}" --output x.h5
done

# Broken samples: named by shard and member.
mkdir broken && head -c 20 samples/0000.pgm >broken/a.pgm && cp samples/0001.pgm broken/b.pgm && echo 1 >broken/c.cls
tar --sort=name -C broken -cf broken.tar a.pgm b.pgm c.cls
refused 1 'broken.tar: 2 of 3 pictures cannot be read' "$HISS" prepare webdataset broken.tar "${size[@]}" --output x.h5
grep -q 'hiss: warning: broken.tar: a.pgm: unreadable picture' log && grep -q "broken.tar: sample 'c' has no picture" log || fail 'not named' log
[ -z "$(find . -name '*x.h5*')" ] || fail 'a refused archive leaves files'
prepare webdataset broken.tar "${size[@]}" --skip-broken --output x.h5
grep -q '2 of 3 pictures cannot be read and are left out' log || fail 'not said how many' log

# A name that comes twice: an error within a sample, as webdataset has it; one warning where a sample comes again.
for name in 0000.cls 0000.json 0000.pgm; do
    (cd samples && tar -cf ../twice.tar 0000.pgm && tar -rf ../twice.tar $name && tar -rf ../twice.tar $name)
    refused 1 "twice.tar: sample '0000' has two " "$HISS" prepare webdataset twice.tar "${size[@]}" --output x.h5
done
(cd samples && tar -cf ../again.tar 0000.pgm 0000.cls 0001.pgm 0001.cls 0002.pgm 0002.cls)
prepare webdataset again.tar cls-000000.tar "${size[@]}" --output x.h5
! grep -q 'comes again' log || fail 'a key of two shards is no mistake' log
(cd samples && tar -rf ../again.tar 0001.pgm 0001.cls 0000.pgm 0000.cls)
prepare webdataset again.tar "${size[@]}" --output x.h5
[ "$(grep -c "hiss: warning: again.tar: sample '0001' comes again in its shard (2 such in all); each is taken" log)" -eq 1 ] ||
    fail 'not one warning of a sample that comes again' log
grep -q '5 labelled samples' log || fail 'not all are taken' log

# Names that lead elsewhere, links and devices: read or passed over, never made.
mkdir inside && ln -s /etc/passwd inside/link.pgm && mkfifo inside/pipe.pgm && cp samples/0002.pgm inside/a.pgm
(cd inside && tar --sort=name -cPf ../evil.tar --transform 's,^,../evil/,' a.pgm link.pgm pipe.pgm)
before=$(ls -A . ..)
prepare webdataset evil.tar "${size[@]}" --output x.h5
[ "$(ls -A . ..)" = "$before" ] && [ ! -e ../evil ] || fail 'an archive has written files'
grep -q '1 image of 64 bytes' log || fail 'a link or a pipe was read' log

# Progress, on a fast clock.
${CC:-cc} -shared -fPIC -o odd_clock.so "$HISS_ROOT/tests/cli/preload/odd_clock.c" -ldl >cc.log 2>&1 || fail 'no odd_clock.so' cc.log
LD_PRELOAD=$PWD/odd_clock.so ODD_CLOCK=1e9 prepare webdataset cls-*.tar "${size[@]}" --output y.h5
grep -q '^hiss: prepare: 30 images read, [0-9]* %$' log || fail 'no progress through shards' log
LD_PRELOAD=$PWD/odd_clock.so ODD_CLOCK=1e9 prepare npz both.npz --output y.h5
grep -q '^hiss: prepare: 300 images read, 50 %$' log || fail 'no progress through an array' log
echo ok
