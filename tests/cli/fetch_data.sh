# tools/fetch_data with packages that are made here: pictures that are installed, pictures out of a package that is downloaded,
# once; tiles of training and test pictures in files of their own; a line for what is not the
# package of the list, and for a name that is none; what there is.
. "$HISS_ROOT/tests/cli/common"
mkdir -p bin share stock/usr/share/stock
{ printf 'P5 64 64 255\n' && head -c 4096 < <(yes light); } >share/light.pgm
{ printf 'P5 96 64 255\n' && head -c 6144 < <(yes grain); } >stock/usr/share/stock/grain.pgm
sum() { sha256sum <"$1" | cut -d ' ' -f 1; }
cat >list.txt <<END
# two pictures
options --height 32 --width 32 --channels 1 --tiles 640
train pictures $PWD/share/light.pgm $(sum share/light.pgm)

test stock /usr/share/stock/grain.pgm $(sum stock/usr/share/stock/grain.pgm)
END
# Stand-ins: a package is the name of what it unpacks.
cat >bin/apt-get <<END
#!/bin/sh
echo "\$*" >>'$PWD/downloads'
[ "\$3" = stock ] || { echo "E: Unable to locate package \$3" && exit 100; }
: >stock_1.deb
END
cat >bin/dpkg-deb <<END
#!/bin/sh
[ "\$1" = -x ] && mkdir -p "\$3" && cp -r '$PWD/stock/.' "\$3"
END
chmod +x bin/*
export PATH=$PWD/bin:$PATH
fetch=$HISS_ROOT/tools/fetch_data list=./list.txt

# complains TEXT: exit 2, one line with TEXT, no data. Of $list.
complains() {
    on 1 "$fetch" $list none
    [ $status -eq 2 ] && [ "$(grep -c '^fetch_data: [^d]' log)" -eq 1 ] && grep '^fetch_data: ' log | grep -qF -- "$1" ||
        fail "exit $status, or not '$1'" log
    [ ! -e none/train.h5 ] && [ ! -e none/pictures ] || fail "$1: something is left"
}

for turn in 1 2; do
    on 1 "$fetch" $list made/photos --tiles 64 --seed 3
    [ $status -eq 0 ] || fail "exit $status" log
    grep -q 'wrote made/photos/train.h5: 4 images of 1024 bytes' log || fail 'train.h5' log
    grep -q 'wrote made/photos/test.h5: 6 images of 1024 bytes' log || fail 'test.h5' log
    [ "$(cat downloads)" = 'download -qq stock' ] || fail "turn $turn: other downloads" downloads
    [ ! -e made/photos/pictures ] || fail 'links are left'
done

list=./other.txt
sed 's/^train \(.*\) [0-9a-f]*$/train \1 0123/' list.txt >other.txt
complains "light.pgm: SHA-256 $(sum share/light.pgm), expected 0123: package pictures is not the one"
sed 's/grain.pgm/wood.pgm/' list.txt >other.txt
complains 'package stock has no /usr/share/stock/wood.pgm'
sed 's/ stock / straw /' list.txt >other.txt
complains 'package straw cannot be downloaded: E: Unable to locate package straw'
sed 's/^test/tset/' list.txt >other.txt
complains "./other.txt: 'tset' instead of train, test, prepare, part, every or options"
sed '/^test/d' list.txt >other.txt
complains './other.txt names no pictures for test'
list=./nowhere.txt complains 'there is no list ./nowhere.txt'
list=photographs complains "there is no data set 'photographs'; there are: gcide photos scenes speakers speech"
list=./list.txt HISS=$PWD/nothing complains "there is no $PWD/nothing"
on 1 "$fetch" photos
[ $status -eq 2 ] && grep -q 'tools/fetch_data photos FOLDER' log || fail "without a folder: exit $status" log
on 1 "$fetch" --help
[ $status -eq 2 ] && grep -q 'tools/fetch_data NAME FOLDER' log || fail "help: exit $status" log
on 1 "$fetch"
[ $status -eq 0 ] && grep -q '^photos: grey tiles' log && grep -q '^scenes: colour scenes' log || fail "what there is: exit $status" log

# All sounds of a folder, in name order, whatever lies beside them; two of five are test.
mkdir -p stock/usr/share/voices/deep
for k in a1 b2 c3 deep/a0 e4; do wav stock/usr/share/voices/$k.wav 8000 $((40 + $(tr -d 'a-z/' <<<$k))) 8; done
echo 'no sound' >stock/usr/share/voices/README
voices() { (cd stock/usr/share/voices && cat a1.wav b2.wav c3.wav deep/a0.wav e4.wav | sha256sum | cut -d ' ' -f 1); }
cat >voices.txt <<END
# five voices
prepare wav
options --length 10 --overlap 2
every 2 stock /usr/share/voices $(voices) low
every 5 stock /usr/share/voices $(voices) high
END
on 1 "$fetch" ./voices.txt made/voices
[ $status -eq 0 ] || fail "voices: exit $status" log
grep -q 'wrote made/voices/train.h5: .* of 7 files in 2 class folders' log || fail 'train.h5 of voices' log
grep -q 'wrote made/voices/test.h5: .* of 3 files in 2 class folders' log || fail 'test.h5 of voices' log
list=./other.txt
sed "s/$(voices)/0123/" voices.txt >other.txt
rm -rf none
complains "none/packages/stock"
grep -q "/usr/share/voices: SHA-256 $(voices), expected 0123: package stock is not the one" log || fail 'a folder of other sounds' log
sed 's,share/voices,share/stock,' voices.txt >other.txt
complains '/usr/share/stock: has no WAV files'

# Parts with options of their own, and folders in them: scenes of stamps on grounds.
objects=$(dirname "$HISS")/tests/cli/objects_h5
for name in ant bee; do
    "$objects" png share/$name.png 40 40 200 20 20
done
cat >scenes.txt <<END
# scenes of two insects
prepare scenes
options --height 16 --width 16
part early --rows 5 --seed 3
part late --rows 4
early insects $PWD/share/ant.png $(sum share/ant.png) stamps/meadow/ant
early pictures $PWD/share/light.pgm $(sum share/light.pgm) grounds
late insects $PWD/share/bee.png $(sum share/bee.png) stamps/meadow/bee
late pictures $PWD/share/light.pgm $(sum share/light.pgm) grounds
END
on 1 "$fetch" ./scenes.txt made/scenes --deflate 1
[ $status -eq 0 ] || fail "scenes: exit $status" log
grep -q 'wrote made/scenes/early.h5: 5 images of 768 bytes' log || fail 'early.h5' log
grep -q 'wrote made/scenes/late.h5: 4 images of 768 bytes' log || fail 'late.h5' log
"$objects" show made/scenes/late.h5 | grep -qx 'classes bee' || fail 'the parts share stamps' log
list=./other.txt
sed '/^late/d' scenes.txt >other.txt
complains './other.txt names no pictures for late'
sed 's/^late/train/' scenes.txt >other.txt
complains "./other.txt: 'train' instead of early, late, prepare, part, every or options"

# Text of a dictionary, of which every 20th of the pieces of 400 lines is for test; synonyms and analogies.
mkdir -p share/words
awk 'BEGIN {
    for (i = 0; i < 8400; i++) {
        printf "Line \\Li\"ne\\ of {%s} [obs.] words\n", (i >= 7600 && i < 8000 ? "few" : "many")
    }
    for (i = 0; i < 150; i++) { print "thing things way ways [x] caf\351" }
}' | gzip >share/dictionary.dz
cat >share/words/data.noun <<'END'
  1 This is the licence
00001740 03 n 02 Thing 0 way(p) 0 001 ~ 00001930 n 0000 | what there is
00001930 03 n 11 many 0 a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 k 0 l 0 m 0 n 0 o 0 some_more 0 000 | seventeen words
END
cat >text.txt <<END
# a text
prepare text
options --length 8
part text --min-count 2
part synonyms
text dictionary $PWD/share/dictionary.dz $(sum share/dictionary.dz)
synonyms words $PWD/share/words/data.noun $(sum share/words/data.noun)
END
on 1 "$fetch" ./text.txt made/text --no-shuffle
[ $status -eq 0 ] || fail "text: exit $status" log
grep -q 'wrote made/text/train.h5: .* a vocabulary of 10,' log && grep -q 'wrote made/text/test.h5: .* of 10,' log || fail 'text' log
[ "$(wc -l <made/text/test.txt)" -eq 400 ] && [ "$(sort -u made/text/test.txt)" = 'Line  of  few   words' ] || fail 'test.txt' made/text/test.txt
[ "$(sort -u made/text/train.txt | tr -s ' ')" = "$(printf 'Line of many words\nthing things way ways caf')" ] ||
    fail 'train.txt' made/text/train.txt
[ "$(grep -c . made/text/synonyms.txt)" -eq $((16 * 15 / 2 + 1)) ] && grep -qx 'thing way' made/text/synonyms.txt ||
    fail 'synonyms.txt' made/text/synonyms.txt
grep -qx 'thing things way ways\|way ways thing things' made/text/analogies.txt || fail 'analogies.txt' made/text/analogies.txt
[ ! -e made/text/pictures ] || fail 'links are left'
list=./other.txt
sed '/^synonyms/d' text.txt >other.txt
complains './other.txt names no pictures for synonyms'
sed '/synonyms/d' text.txt >other.txt
complains './other.txt: prepare text needs part text and part synonyms'

# The list of scenes: whole lines, no file and no contents twice, so that no part has a stamp or a ground of another; the same
# ten classes in each.
awk '/^#|^(options|prepare|part) / { next }
    NF != 5 || $1 !~ /^(pretrain|train|test)$/ || $3 !~ /^\// || length($4) != 64 || seen[$3]++ || seen[$4]++ { print; bad = 1 }
    { count[$1 " " $5]++ } END { for (k in count) { split(k, name); n[name[1]]++; if (count[k] < 3) bad = 1 }
        exit bad || n["pretrain"] != 11 || n["train"] != 11 || n["test"] != 11 }' "$HISS_ROOT/configs/data/scenes.txt" >log ||
    fail 'the list of scenes' log

# The list of photographs: whole lines, no file twice, pictures for training and for test.
awk '/^#|^options / { next } NF != 4 || $1 !~ /^(train|test)$/ || $3 !~ /^\// || length($4) != 64 || seen[$3]++ { print; bad = 1 }
    { part[$1]++ } END { exit bad || part["train"] < 10 || part["test"] < 5 }' "$HISS_ROOT/configs/data/photos.txt" >log ||
    fail 'the list of photographs' log
echo ok
