# A disk that gets full while hiss prepare writes: one line says so, and nothing stays. Of every size, for HDF5 finds out at
# the start, at a write, or at the end. Needs root, for a disk of its own.
. "$HISS_ROOT/tests/cli/common"
mkdir disk
if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o size=16k none disk 2>/dev/null; then
    echo ok
    exit
fi
trap 'umount disk' EXIT
"$HISS_ROOT/tools/tiny_data" . 600 28
for size in 4k 16k 64k 200k 440k 460k 464k 468k; do
    for labels in '' '--labels labels.idx'; do
        mount -o remount,size=$size disk
        # shellcheck disable=SC2086
        on 1 "$HISS" prepare idx --images images.idx $labels --output disk/data.h5
        if [ $status -eq 0 ]; then # without labels the larger ones have room
            rm disk/data.h5
            [[ $size = 4[46]?k ]] || fail "room in $size" log
        else
            [ $status -eq 2 ] || fail "exit $status on a disk of $size" log
            [ "$(grep -c 'hiss: error:.*No space left on device; make room' log)" -eq 1 ] || fail "not said: $size" log
        fi
        [ -z "$(ls -A disk)" ] || fail "left on a disk of $size: $(ls -A disk)"
    done
done
echo ok
