# hiss prepare scenes: stamps and grounds become scenes with targets and boxes; the same bytes each time, others with another
# seed; classes by name, over kinds; a line for what is wrong.
. "$HISS_ROOT/tests/cli/common"
objects=$(dirname "$HISS")/tests/cli/objects_h5
mkdir -p stamps/land/{boat,ant} stamps/sea/crab stamps/empty grounds
"$objects" png stamps/land/ant/one.png 40 60 250 10 10
"$objects" png stamps/land/ant/two.PNG 400 60 200 10 80
"$objects" png stamps/land/boat/b.png 30 30 10 250 10
"$objects" png stamps/sea/crab/c.png 90 80 10 10 250
echo no stamp >stamps/sea/crab/README
for ((i = 0; i < 2; i++)); do
    { printf 'P6 %d 40 255\n' $((80 + i)) && head -c $((3 * 40 * (80 + i))) < <(yes "gro${i}und"); } >grounds/$i.ppm
done
size=(--height 32 --width 40 --rows 60)

scenes() {
    on 1 "$HISS" prepare scenes stamps grounds "${size[@]}" "$@"
    [ $status -eq 0 ] || fail "exit $status: prepare scenes $*" log
}
scenes --output a.h5
grep -q '4 stamps of 3 classes for 2 kinds of scenes, 2 grounds' log || fail 'not what there is' log
grep -q 'folder stamps/empty holds no stamps; there are no scenes of this kind' log || fail 'the empty kind' log
grep -q 'wrote a.h5: 60 images of 3840 bytes' log || fail 'what was written' log
scenes --output b.h5
cmp a.h5 b.h5 || fail 'other bytes'
scenes --output b.h5 --seed 2
cmp -s a.h5 b.h5 && fail 'the same bytes with another seed'
scenes --output b.h5 --rows 20 --deflate 3
"$objects" show a.h5 >a && "$objects" show b.h5 >b
[ "$(sed -n '1s/60/20/p; 2,22p' a)" = "$(cat b)" ] || fail 'a row depends on the number of rows' b
[ "$(head -n 2 a)" = 'images 60 32 40 3, 4 boxes
classes ant boat crab' ] || fail 'shape or classes' a

# A target is 1 just where a box has the class, which lies inside.
awk 'NR > 2 { split("", there); n = 0
        for (i = 4; i <= NF; i++) if ($i == "|") { there[$(i + 1) + 0] = 1; n++
            if ($(i + 2) < 0 || $(i + 3) < 0 || $(i + 4) > 40 || $(i + 5) > 32 || $(i + 2) >= $(i + 4) || $(i + 3) >= $(i + 5)) bad = 1 }
        for (c = 0; c < 3; c++) { if ($(c + 1) == 1 != (c in there) || $(c + 1) !~ /^(0|1|255)$/) bad = 1; seen[c] += $(c + 1) == 1 }
        most = n > most ? n : most }
    END { exit bad || most != 4 || !seen[0] || !seen[1] || !seen[2] }' a || fail 'targets and boxes' a

# hiss prepare hdf5 takes targets, boxes and the names of classes along, row by row; what was changed is refused.
carry() { # FILE...: joined, and what is in there
    on 1 "$HISS" prepare hdf5 "$@"
    [ $status -eq 0 ] || fail "exit $status: prepare hdf5 $*" log
}
carry a.h5 --no-shuffle --output c.h5
"$objects" show c.h5 | cmp - a || fail 'targets and boxes are not those of the file' log
carry a.h5 b.h5 --seed 5 --output c.h5
"$objects" show c.h5 >c
cmp <(tail -n +3 c | sort) <(tail -q -n +3 a b | sort) || fail 'targets and boxes of two files' c
cmp -s <(tail -n +3 c) <(tail -q -n +3 a b) && fail 'not shuffled'
carry a.h5 --split 0.25 --output parts
cmp <(for part in train test; do "$objects" show parts/$part.h5 | tail -n +3; done | sort) <(tail -n +3 a | sort) ||
    fail 'targets and boxes of parts' log
"$odd_h5" plain.h5 images=u8:20x32x40x3
refused 1 'plain.h5 has targets of 0 classes, a.h5 of 3; prepare files of one kind, or one by one' "$HISS" prepare hdf5 a.h5 plain.h5 \
    --output x.h5
cp a.h5 changed.h5
"$objects" name changed.h5 / boat,ant,crab
refused 1 "changed.h5: data set /targets has other classes than a.h5: number 0 (from 0) was expected to be 'ant', and is 'boat'" \
    "$HISS" prepare hdf5 a.h5 changed.h5 --output x.h5
cp a.h5 changed.h5
"$objects" fill changed.h5 1 0
refused 1 'changed.h5: targets and boxes have SHA-256' "$HISS" prepare hdf5 changed.h5 --output x.h5
"$objects" fill c.h5 1 0
refused 1 'c.h5: targets and boxes have SHA-256' "$HISS" prepare hdf5 c.h5 --output x.h5

refused 1 'prepare scenes needs a folder of stamps and a folder of grounds' "$HISS" prepare scenes stamps --rows 3 --output x.h5
refused 1 'prepare scenes needs --rows' "$HISS" prepare scenes stamps grounds --output x.h5
refused 1 'prepare scenes needs --rows, 1 or more' "$HISS" prepare scenes stamps grounds --rows 0 --output x.h5
refused 1 '--tiles' "$HISS" prepare scenes stamps grounds --rows 3 --tiles 64 --output x.h5
refused 1 'grounds/0.ppm: has 40 x 80 pixels; expected a ground of at least 41 x 32' "$HISS" prepare scenes stamps grounds \
    --height 41 --width 32 --rows 3 --output x.h5
refused 1 'stamps/land/ant/one.png: lies in no class; expected stamps in folders stamps/land/KIND/CLASS' "$HISS" prepare scenes \
    stamps/land grounds "${size[@]}" --output x.h5
refused 1 'lies in no class' "$HISS" prepare scenes stamps/land/ant grounds "${size[@]}" --output x.h5
refused 1 'grounds: holds no stamps (2 other files); expected .png' "$HISS" prepare scenes grounds grounds "${size[@]}" --output x.h5
refused 1 'stamps/none: cannot be read as a folder' "$HISS" prepare scenes stamps stamps/none "${size[@]}" --output x.h5
mkdir stamps/sea/boat
cp grounds/0.ppm stamps/sea/boat/x.png
refused 1 'stamps/sea/boat/x.png: unreadable stamp: it is no PNG; expected a PNG with alpha' "$HISS" prepare scenes stamps grounds \
    "${size[@]}" --output x.h5
rm -r stamps/sea/boat/x.png
bad() { # TEXT: a mistake in the folder of stamps
    refused 1 "$1" "$HISS" prepare scenes stamps grounds "${size[@]}" --output x.h5
}
bad 'stamps/sea/boat: this class folder holds no stamps (.png); classes are numbered by those that have some: add one, or remove'
mv stamps/sea/boat stamps/sea/$'bo\nat'
cp stamps/land/boat/b.png stamps/sea/$'bo\nat/'
bad 'the name of this class folder has a line break; rename it'
rm -r stamps/sea/bo*
cp stamps/land/boat/b.png stamps/
bad 'stamps/b.png: lies in no class; expected stamps in folders stamps/KIND/CLASS'
rm stamps/b.png
"$objects" png stamps/sea/crab/faint.png 20 20 250 10 10 100
bad 'stamps/sea/crab/faint.png: has no pixel of alpha 128 or more, of 255; expected a stamp that shows an object'
rm stamps/sea/crab/faint.png
mkdir -p classes/$'bo\nat' && cp grounds/0.ppm classes/$'bo\nat/'
refused 1 'the name of this class folder has a line break; rename it' "$HISS" prepare folder classes --height 8 --width 8 --output x.h5
[ "$(find . -name '*x.h5*')" = '' ] || fail 'something is left of what was refused'
echo ok
