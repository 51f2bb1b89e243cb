# hiss prepare voc: a small devkit becomes train.h5 and test.h5 with targets and boxes of the stored pictures; VOC's classes, or
# those of another devkit; a line with the place of what is wrong, and nothing stays.
. "$HISS_ROOT/tests/cli/common"
objects=$(dirname "$HISS")/tests/cli/objects_h5

object() { # NAME DIFFICULT XMIN YMIN XMAX YMAX
    echo "<object><name>$1</name><pose>Left</pose><difficult>$2</difficult><bndbox><xmin>$3</xmin><ymin>$4</ymin>"
    echo "<xmax>$5</xmax><ymax>$6</ymax></bndbox><part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
    echo "<xmax>2</xmax><ymax>2</ymax></bndbox></part></object>"
}
picture() { # DEVKIT NAME OBJECT...: of 40 x 20
    { printf 'P6 40 20 255\n' && head -c 2400 < <(yes "$2"); } >"$1/JPEGImages/$2.jpg"
    {
        printf '<annotation>\n<filename>%s.jpg</filename>\n' "$2"
        printf '<size><width>40</width><height>20</height><depth>3</depth></size>\n'
        printf '%s\n' "${@:3}" && echo '</annotation>'
    } >"$1/Annotations/$2.xml"
}
devkit() { # DEVKIT CLASS CLASS
    mkdir -p "$1"/{JPEGImages,Annotations,ImageSets/Main}
    picture "$1" 000001 "$(object "$2" 0 11 1 20 10)" "$(object "$3" 1 12 2 22 12)" "$(object "$2" 0 21 11 30 20)"
    picture "$1" 000005 "$(object "$3" 0 1 1 40 20)"
    picture "$1" 000002
    picture "$1" 000004 "$(object "$2" 0 1 1 10 20)" "$(object "$3" 0 6 1 14 20)" # outside of the centre; half outside
    printf '000001\n000005\n' >"$1/ImageSets/Main/trainval.txt"
    printf '000002 \r\n\n000004\n' >"$1/ImageSets/Main/test.txt"
}
size=(--height 10 --width 10)
devkit VOC2007 dog person

on 1 "$HISS" prepare voc VOC2007 "${size[@]}" --no-shuffle --output voc
[ $status -eq 0 ] || fail "exit $status" log
grep -q 'VOC2007: 2 and 2 pictures, 20 classes, at most 2 objects in a picture' log || fail 'not what there is' log
grep -q '1 objects lie outside, and 1 less than half inside' log || fail 'not what was cut off' log
"$objects" show voc/train.h5 >train && "$objects" show voc/test.h5 >test
twenty='aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa'
zeros='0 0 0 0 0 0 0 0 0 0 0 '
[ "$(cat train)" = "images 2 10 10 3, 2 boxes
classes $twenty train tvmonitor
${zeros}1 0 0 255 0 0 0 0 0 | 11: 0 0 5 5 | 11: 5 5 10 10 
${zeros}0 0 0 1 0 0 0 0 0 | 14: 0 0 10 10 " ] || fail 'train.h5' train
[ "$(cat test)" = "images 2 10 10 3, 2 boxes
classes $twenty train tvmonitor
${zeros}0 0 0 0 0 0 0 0 0 
${zeros}0 0 0 255 0 0 0 0 0 " ] || fail 'test.h5' test

# The order is that of the seed, rows and their objects alike; the same bytes each time.
for k in 1 2; do
    on 1 "$HISS" prepare voc VOC2007 "${size[@]}" --seed 4 --channels 1 --output mixed$k
    [ $status -eq 0 ] || fail "exit $status" log
done
cmp mixed1/train.h5 mixed2/train.h5 && cmp mixed1/test.h5 mixed2/test.h5 || fail 'other bytes'
"$objects" show mixed1/train.h5 | tail -n 2 | sort >rows
tail -n 2 train | sort | cmp - rows || fail 'other rows' rows

# A picture that notes to be shown on its side has boxes of its rows and columns as they are stored.
cp -r VOC2007 turned
rm turned/JPEGImages/000005.jpg
"$objects" png whole.png 20 40 200 100 50
{
    head -c 33 whole.png
    printf '%b' '\0000\0000\0000\0032\0145\0130\0111\0146\0115\0115\0000\0052\0000\0000\0000\0010\0000\0001\0001\0022\0000\0003\0000\0000\0000\0001\0000\0006\0000\0000\0000\0000\0000\0000\0326\0147\0113\0151' # eXIf: orientation 6
    tail -c +34 whole.png
} >turned/JPEGImages/000005.png
on 1 "$HISS" prepare voc turned "${size[@]}" --no-shuffle --output turned-voc
[ $status -eq 0 ] || fail "a picture with an orientation: exit $status" log
"$objects" show turned-voc/train.h5 | cmp - train || fail 'boxes of a picture with an orientation'

# Other classes are those that there are, by name; difficult ones count; one that is not VOC's is named.
devkit other zebra 'a &amp; b'
rm other/ImageSets/Main/test.txt
on 1 "$HISS" prepare voc other "${size[@]}" --no-shuffle --output others
[ $status -eq 0 ] && [ ! -e others/test.h5 ] || fail "exit $status, or a test.h5" log
grep -q 'there is no other/ImageSets/Main/test.txt, so no test.h5' log || fail 'the missing set is not told' log
[ "$("$objects" show others/train.h5 | sed -n 2p)" = 'classes a & b zebra' ] || fail 'other classes' log
cp -r VOC2007 odd
sed -i 's,<name>person,<name>persn,' odd/Annotations/000005.xml
on 1 "$HISS" prepare voc odd "${size[@]}" --no-shuffle --output odd-voc
[ $status -eq 0 ] || fail "an odd class: exit $status" log
grep -q "odd/Annotations/000005.xml:4: class 'persn' is none of PASCAL VOC's twenty, nor are those of 0 objects more: columns are the 3 classes" \
    log || fail 'an odd class is not named' log

# A list may begin as editors on Windows have it.
printf '\357\273\277000001\r\n000005\r\n' >odd/ImageSets/Main/trainval.txt
cp VOC2007/Annotations/* odd/Annotations/
on 1 "$HISS" prepare voc odd "${size[@]}" --no-shuffle --output odd-voc
[ $status -eq 0 ] && "$objects" show odd-voc/train.h5 | cmp - train || fail "a byte order mark: exit $status" log

wrong() { # TEXT [CHANGE]: refused, and nothing is left
    rm -rf bad && cp -r VOC2007 bad
    (cd bad && eval "${2-}")
    refused 1 "$1" "$HISS" prepare voc bad "${size[@]}" --output none
    [ ! -e none ] || fail "$1: something is left"
}
lists=ImageSets/Main
wrong "bad/$lists/trainval.txt: cannot be read: No such file or directory; give the folder of a year" "rm $lists/trainval.txt"
wrong "bad/$lists/test.txt: cannot be read" "rm $lists/test.txt && ln -s test.txt $lists/test.txt"
wrong "bad/$lists/test.txt:3: '000004.jpg'; expected the name of one picture, without folder or ending: 000004" \
    "sed -i 's/4/4.jpg/' $lists/test.txt"
for what in $lists/trainval.txt $lists/test.txt Annotations/000005.xml JPEGImages/000001.jpg; do
    wrong "bad/$what: cannot be read: Is a directory" "rm $what && mkdir $what"
done
cp -r VOC2007 untested && rm untested/$lists/test.txt && cp -r voc before
refused 1 'voc/test.h5 is there, but no untested/ImageSets/Main/test.txt, so that it would be the test of other pictures' \
    "$HISS" prepare voc untested "${size[@]}" --output voc
diff -r voc before || fail 'what was there is changed'
wrong "bad/$lists/test.txt: names no pictures" ": >$lists/test.txt"
wrong "bad/$lists/trainval.txt:2: '000005 -1'; expected the name of one picture" "sed -i 's/5/5 -1/' $lists/trainval.txt"
wrong "bad/$lists/test.txt:4: picture 000001 is named for the second time in trainval and test.txt" "echo 000001 >>$lists/test.txt"
wrong "bad/$lists/test.txt:3: there is no picture bad/JPEGImages/000004.jpg" 'rm JPEGImages/000004.jpg'
wrong 'bad/Annotations/000002.xml: cannot be read: No such file' 'rm Annotations/000002.xml'
wrong 'bad/Annotations/000005.xml:4: is no XML that is read here' 'sed -i s,/difficult,/hard, Annotations/000005.xml'
wrong "bad/Annotations/000005.xml:4: <difficult> is 'x'; expected 0 or 1" 'sed -i s,cult\>0,cult\>x, Annotations/000005.xml'
wrong 'bad/Annotations/000004.xml: <size> is 41 x 20, but bad/JPEGImages/000004.jpg has 40 x 20 pixels' \
    'sed -i s,width\>40,width\>41, Annotations/000004.xml'
wrong 'bad/JPEGImages/000004.jpg: unreadable picture' ': >JPEGImages/000004.jpg'
wrong 'bad/Annotations: no picture has an <object>' 'sed -i /object/,/object/d Annotations/*.xml'
refused 1 'prepare voc needs the folder of a year' "$HISS" prepare voc --output none
refused 1 '--tiles' "$HISS" prepare voc VOC2007 --tiles 10 --output none
refused 1 '--skip-broken' "$HISS" prepare voc VOC2007 --skip-broken --output none
echo ok
