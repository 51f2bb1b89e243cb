# hiss prepare hdf5 --split, whatever fails, at its first and at its last call: one line, and neither half a file nor one
# of the two.
. "$HISS_ROOT/tests/cli/common"
"$(dirname "$HISS")/tests/cli/classes_h5" a.h5 480
build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
split=("$build/faults/hiss" prepare hdf5 a.h5 --split 0.3 --output lost)
HISS_FAULT_TRACE=$WORK/trace on 1 "${split[@]}"
rm -r lost
for point in h5.open h5.read h5.create h5.define h5.write h5.write_attribute h5.close file.open file.fsync file.rename; do
    calls=$(awk -v point=$point '$2 == point { print $3 }' trace | tail -n 1)
    for call in 1 "${calls:-0}"; do
        HISS_FAULT=$point:$call on 1 "${split[@]}"
        [ $status -eq 2 ] && [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "exit $status: $point:$call" log
        [ ! -e lost ] || fail "$point:$call leaves $(ls -A lost)" log
    done
done
echo ok
