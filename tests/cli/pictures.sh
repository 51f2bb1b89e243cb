# hiss prepare folder: unreadable pictures are all named, whatever is wrong with them, and left out on request; a line tells
# how far it is; nothing else lies beside the output meanwhile or afterwards.
. "$HISS_ROOT/tests/cli/common"
size=(--height 4 --width 4 --channels 1)
for class in cat dog owl; do
    mkdir -p sound/$class
    for ((i = 0; i < 4; i++)); do
        { printf 'P5 4 4 255\n' && head -c 16 < <(yes "$class$i"); } >sound/$class/$i.pgm
    done
done
cp -r sound some
printf 'P5 4 4 255\n0123' >some/cat/short.pgm
: >some/cat/empty.png
printf '\377\330\377\340no more' >some/dog/broken.jpg
printf '\211PNG\r\n\032\n and then nothing' >some/dog/broken.png
echo text >some/owl/text.ppm
broken=(some/cat/short.pgm some/cat/empty.png some/dog/broken.jpg some/dog/broken.png some/owl/text.ppm)

refused 1 "some: ${#broken[@]} of 17 pictures cannot be read, which are named above" "$HISS" prepare folder some "${size[@]}" --output x.h5
grep 'hiss: error:' log | grep -q -- '--skip-broken' || fail 'no advice' log
for path in "${broken[@]}"; do
    [ "$(grep -c "^hiss: warning: $path: unreadable picture: " log)" -eq 1 ] || fail "$path is not named" log
done
[ "$(grep -c '^hiss: warning: ' log)" -eq ${#broken[@]} ] || fail 'sound pictures are named' log
[ "$(find . -name '*x.h5*')" = '' ] || fail 'a refused folder leaves files'

# Without them, the file is that of a folder without them, but for the folder's name.
mv some kept && mv sound some
"$HISS" prepare folder some "${size[@]}" --output sound.h5 2>log || fail 'sound pictures' log
mv some sound && mv kept some
on 1 "$HISS" prepare folder some "${size[@]}" --skip-broken --output x.h5
[ $status -eq 0 ] || fail "exit $status with --skip-broken" log
grep -q 'hiss: warning: prepare: 5 of 17 pictures cannot be read and are left out' log || fail 'not said how many' log
cmp sound.h5 x.h5 || fail 'what is left is not what is there without the broken ones'
on 1 "$HISS" prepare folder sound "${size[@]}" --skip-broken --output y.h5
[ $status -eq 0 ] && ! grep -q warning log || fail 'a warning without broken pictures' log

# Nothing is left of a class, or of all.
rm some/owl/?.pgm
on 1 "$HISS" prepare folder some "${size[@]}" --skip-broken --output x.h5
[ $status -eq 0 ] || fail "exit $status" log
mkdir none && cp some/owl/text.ppm none && : >none/empty.jpg
refused 1 'none: none of 2 pictures can be read; the first: none/empty.jpg: unreadable picture' "$HISS" prepare folder none \
    "${size[@]}" --skip-broken --output z.h5
refused 1 'must be' "$HISS" prepare folder sound "${size[@]}" --skip-broken=maybe --output z.h5

# A name of several lines stays one line.
mkdir lines && cp sound/cat/0.pgm lines && : >lines/$'a\nb.pgm'
refused 1 'lines: 1 of 2 pictures' "$HISS" prepare folder lines "${size[@]}" --output z.h5
[ ! -e z.h5 ] && [ "$(wc -l <log)" -eq 3 ] || fail 'a name makes lines of its own' log

# Tiles: a picture, scaled to a short side, is cut from its top left; what is left at the right and below is left out. One
# of two classes, whose tiles take its label.
mkdir -p tiled/left tiled/right
{ printf 'P5 10 7 255\n' && printf 'aaabbbccc-aaabbbccc-aaabbbccc-dddeeefff-dddeeefff-dddeeefff-=========='; } >tiled/left/a.pgm
{ printf 'P5 7 14 255\n' && yes gggghhh | head -n 14 | tr -d '\n'; } >tiled/right/b.pgm
on 1 "$HISS" prepare folder tiled --height 3 --width 3 --channels 1 --tiles 7 --no-shuffle --output t.h5
[ $status -eq 0 ] && grep -q 'wrote t.h5: 14 images of 9 bytes' log || fail "tiles: exit $status" log
for run in aaaaaaaaabbbbbbbbbcccccccccdddddddddeeeeeeeeefffffffff gggggggggghh; do
    grep -aq $run t.h5 || fail "the tiles are not $run" log
done
refused 1 'tiles of 3 x 9 out of pictures whose short side is 7; expected a side from the larger' "$HISS" prepare folder tiled \
    --height 3 --width 9 --tiles 7 --output z.h5
{ printf 'P5 1 100000 255\n' && head -c 100000 /dev/zero; } >tiled/right/thin.pgm
refused 1 'a picture of 100000 x 1, scaled to a short side of 2000, has more than 2^27 pixels' "$HISS" prepare folder tiled \
    --height 3 --width 3 --tiles 2000 --output z.h5
[ ! -e z.h5 ] || fail 'something is left of what was refused'

# Progress, on a clock that goes so fast that every picture takes more than ten seconds.
${CC:-cc} -shared -fPIC -o odd_clock.so "$HISS_ROOT/tests/cli/preload/odd_clock.c" -ldl >cc.log 2>&1 || fail 'no odd_clock.so' cc.log
LD_PRELOAD=$PWD/odd_clock.so ODD_CLOCK=1e9 on 1 "$HISS" prepare folder sound "${size[@]}" --output y.h5
[ $status -eq 0 ] || fail "exit $status" log
for line in '1 image read, 8 %' '6 images read, 50 %' '12 images read, 100 %'; do
    grep -q "^hiss: prepare: $line" log || fail "no '$line'" log
done
echo ok
