# How prepare ends that is not let: a limit of a file's size is said to be that, whatever kind of source, and nothing stays;
# what a killed one has left goes with the next, as long as nobody is writing it.
. "$HISS_ROOT/tests/cli/common"
small_run
mkdir pictures
for k in 1 2 3 4; do printf 'P5 4 4 255\n0123456789abcdef' >pictures/$k.pgm; done
awk 'BEGIN { for (i = 0; i < 9000; i++) printf("w%d ", i % 5000) }' >words.txt
head -c 60000 /dev/zero >zeros
printf 'RIFF\204\352\0\0WAVEfmt \20\0\0\0\1\0\1\0\100\37\0\0\200\76\0\0\2\0\20\0data\140\352\0\0' | cat - zeros >zeros.wav
tar cf pictures.tar -C pictures .
limited() { # COMMAND...: by any limit, with the signal or without
    for blocks in 0 1 8; do
        for trap in '' 'trap "" XFSZ;'; do
            on 1 bash -c "($trap ulimit -f $blocks; "'exec "$@") 2>&1 | cat; exit ${PIPESTATUS[0]}' bash "$HISS" "$@" --output x.h5
            [ $status -eq 2 ] || fail "exit $status within $blocks KiB: $*" log
            [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line within $blocks KiB: $*" log
            grep -q "hiss: error:.*: File too large; raise the limit of a file's size (ulimit -f), or choose another place\$" log ||
                fail "not what limits it: $*" log
            [ ! -e x.h5 ] && [ -z "$(find . -name '.x*')" ] || fail "left behind: $*"
        done
    done
}
limited prepare idx --images images.idx --labels labels.idx
limited prepare folder pictures
limited prepare webdataset pictures.tar
limited prepare hdf5 data.h5
limited prepare hdf5 data.h5 --deflate 1
mkdir -p stamps/kind/class
"$(dirname "$HISS")/tests/cli/objects_h5" png stamps/kind/class/a.png 8 8 200 0 0
limited prepare scenes stamps pictures --rows 200 --height 4 --width 4
limited prepare wav zeros.wav --length 10
limited prepare text words.txt --length 10 --min-count 1
limited prepare text words.txt --length 10 --by bytes
limited prepare generate push --rows 20
limited prepare generate push --rows 20 --chunk 3

# Without such a limit it is that of the file system, where it has one.
if ! truncate -s 200P whole 2>/dev/null; then
    on 1 "$HISS" prepare generate push --rows 1099511627776 --output x.h5
    [ $status -eq 2 ] && grep -q 'hiss: error:.*: File too large; the file system holds no file of this size: ' log || fail 'not what limits it' log
    ! grep -q ulimit log && [ -z "$(find . -name '*x.h5*')" ] || fail 'left behind, or a limit that is none' log
fi
rm -f whole

# ---- what a killed one leaves ----
gone=$(bash -c 'echo $$') # a process that was
rest=.made.h5.tmp-$gone
make() { on 1 "$HISS" prepare idx --images images.idx --output "$1" && [ $status -eq 0 ] || fail "exit $status" log; }
"$HISS" prepare generate push --rows 1000000 --output made.h5 2>writing.log &
writer=$!
trap 'kill -KILL $writer 2>/dev/null || true' EXIT
until [ -s .made.h5.tmp-$writer ]; do sleep 0.05; done
touch -d '1 day ago' .made.h5.tmp-$writer
kill -STOP $writer
make made.h5
[ -e .made.h5.tmp-$writer ] || fail 'a file that is being written was removed' log
kill -KILL $writer
wait $writer || true
trap - EXIT
# One that has ended, for which its parent has not waited yet, is gone, too.
# It ends after its parent has become a sleep: a shell would wait for it.
mkfifo gate
bash -c ': <gate & echo $! >dead; exec sleep 1000' &
parent=$!
trap 'kill -KILL $parent 2>/dev/null || true' EXIT
until [ -s dead ] && grep -q sleep /proc/$parent/comm; do sleep 0.05; done
: >gate
dead=$(cat dead)
until grep -q '^State:.Z' "/proc/$dead/status"; do sleep 0.05; done
echo x >.made.h5.tmp-$dead
make made.h5
grep -q "hiss: warning: prepare: .made.h5.tmp-$dead ([0-9.]* MiB) is of a process that is gone" log || fail 'no warning of a zombie' log
touch -d '1 hour ago' .made.h5.tmp-$dead
make made.h5
[ ! -e .made.h5.tmp-$dead ] || fail 'what a zombie left stays' log
kill -KILL $parent
trap - EXIT
touch .made.h5.tmp-$writer
make made.h5 # written just now: of another machine's process, perhaps
grep -q "hiss: warning: prepare: .made.h5.tmp-$writer ([0-9.]* MiB) is of a process that is gone; remove it, unless" log || fail 'no warning' log
touch -d '1 hour ago' .made.h5.tmp-$writer
for other in .made.h5.tmp-x .made.h5x.tmp-$gone .ade.h5.tmp-$gone made.h5.tmp-$gone .made.h5.tmp-$$; do
    echo x >"$other"
    touch -d '1 day ago' "$other"
done
make made.h5
grep -q "prepare: removed .made.h5.tmp-$writer ([0-9.]* MiB), which an earlier process left unfinished" log || fail 'not told' log
[ ! -e .made.h5.tmp-$writer ] || fail 'it stays' log
[ "$(find . -name '*made.h5*.tmp-*' -o -name '.ade*' | wc -l)" -eq 5 ] || fail "files of others are gone: $(ls -A)"
# One that is locked is being written, wherever its process is.
echo x >$rest
touch -d '1 day ago' $rest
exec 9<$rest
flock -x 9
make made.h5
[ -e $rest ] || fail 'a locked file was removed' log
exec 9<&-
mkdir there && mv $rest there
make there/made.h5
[ ! -e there/$rest ] || fail 'it stays in another folder' log
make "$PWD/there/made.h5"
echo ok
