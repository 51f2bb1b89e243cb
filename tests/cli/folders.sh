# Folders below class folders, of pictures and of sound: all files below a class are of that class, in the order of their
# names; nothing is left out in silence, and no file that is read is written over.
. "$HISS_ROOT/tests/cli/common"
# put KIND FILE SHADE: a picture, or a sound of 16 bits.
put() {
    local byte
    byte=$(printf '\\%o' $((33 + $3)))
    if [ "$1" = folder ]; then
        printf "P5 2 2 255\n$byte$byte$byte$byte" >"$2"
    else
        printf "RIFF\54\0\0\0WAVEfmt \20\0\0\0\1\0\1\0\100\37\0\0\200\76\0\0\2\0\20\0data\10\0\0\0" >"$2"
        printf "$byte$byte$byte$byte$byte$byte$byte$byte" >>"$2"
    fi
}
declare -A ending=([folder]=pgm [wav]=wav) words=([folder]='--height 2 --width 2 --channels 1' [wav]='--length 4')
for kind in folder wav; do
    end=${ending[$kind]}
    read -ra options <<<"${words[$kind]}"
    make() { on 1 "$HISS" prepare "$kind" in "${options[@]}" --no-shuffle --output "$1"; }
    # The same files, flat and at every depth, their names in one order.
    mkdir -p flat/in/{a,b,c} deep/in/a/2/3/4 deep/in/a/9 deep/in/b deep/in/c/z/z
    at=(a/1 a/2/3/2 a/2/3/4/3 a/2/4 a/5 a/9/6 b/7 c/z/z/8)
    for k in "${!at[@]}"; do
        class=${at[k]%%/*} name=${at[k]##*/}
        put $kind "flat/in/$class/$name.$end" "$k"
        put $kind "deep/in/${at[k]}.$end" "$k"
    done
    for tree in flat deep; do
        (cd $tree && make ../$tree.h5 && [ $status -eq 0 ] || fail "exit $status: $kind $tree" log)
    done
    cmp flat.h5 deep.h5 || fail "$kind: files in folders of a class are others" deep/log

    # What is no such file is counted, at any depth; a link that leads back is an end.
    touch deep/in/a/2/3/notes.txt deep/in/c/z/more.txt
    (cd deep && make x.h5 && grep -q ', 2 other files skipped' log || fail "$kind: not told" log)
    (cd deep && ln -s ../../../a in/a/2/3/back && refused 1 'in/a/2/3/back: is a link to a folder that it lies in; remove it' \
        "$HISS" prepare $kind in "${options[@]}" --output y.h5)
    rm deep/in/a/2/3/back deep/x.h5
    # A link that leads nowhere is a file that cannot be read.
    (cd deep && ln -s nowhere in/b/lost.$end && make y.h5 && [ $status -eq 2 ] && grep -q "in/b/lost.$end" log || fail "$kind: a lost file" log)
    rm deep/in/b/lost.$end
    # Links to other folders are followed; a class without files is warned of.
    (cd deep && mkdir elsewhere && put $kind elsewhere/x.$end 1 && ln -s ../../elsewhere in/b/there && mkdir -p in/e/m/p/t/y &&
        make x.h5 && [ $status -eq 0 ] && grep -q "warning: prepare: class folder in/e holds no .*; its label 3 stays unused" log ||
        fail "$kind: elsewhere" log)
    (cd deep && for output in in/a/2/3/2.$end elsewhere/x.$end; do
        refused 1 "--output $output is the file that is read" "$HISS" prepare $kind in "${options[@]}" --output $output
    done)
    put $kind deep/in/top.$end 1
    (cd deep && refused 1 "(in/top.$end) as well as folders (a); expected either" "$HISS" prepare $kind in "${options[@]}" --output y.h5)
    [ ! -e deep/y.h5 ] || fail "$kind: left behind"
    rm -r flat deep
done
echo ok
