# hiss prepare without memory, wherever it runs out: one line, and no file, neither whole nor temporary.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
hiss=$build/faults/hiss
"$HISS_ROOT/tools/tiny_data" . 40 6
printf 'the cat sat on the mat, the dog did not\n' >a.txt
"$HISS" prepare idx --images images.idx --labels labels.idx --output a.h5 2>log || fail 'prepare idx' log

# without_memory KIND ARGUMENT...: at some 12 of its allocations, the first and the last among them
without_memory() {
    local kind=$1 calls call
    shift
    mkdir "$kind"
    HISS_FAULT_TRACE=$WORK/trace on 1 "$hiss" prepare "$kind" "$@" --output "$kind/all"
    [ $status -eq 0 ] || fail "exit $status: prepare $kind" log
    rm -r "$kind/all"
    calls=$(awk '$2 == "memory.alloc" { print $3 }' trace | tail -n 1)
    rm trace
    for ((call = 1; call <= calls; call += call < calls && call + calls / 12 + 1 > calls ? calls - call : calls / 12 + 1)); do
        HISS_FAULT=memory.alloc:$call on 1 "$hiss" prepare "$kind" "$@" --output "$kind/all"
        [ $status -eq 2 ] && [ "$(grep -c 'hiss: error: out of memory' log)" -eq 1 ] || fail "exit $status: $kind, call $call" log
        [ -z "$(ls -A "$kind")" ] || fail "$kind, call $call of $calls, leaves $(ls -A "$kind")" log
    done
}
without_memory idx --images images.idx --labels labels.idx
without_memory hdf5 a.h5
without_memory text a.txt --length 3 --min-count 1
without_memory generate moving --set generate.items=a.h5 --set generate.rows=5 --set generate.size=8 --set generate.item_size=4
echo ok
